/*
 * Domains that bring a PC's firmware, as their image or beside it: their memory map, and what their
 * firmware is told.
 */
#ifndef CAISSON_CREATE_FIRMWARE_H
#define CAISSON_CREATE_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>
#include "config/domain_config.h"
#include "loader/memmap.h"
#include "machine/machine.h"
#include "lib/errno.h"

struct domain;

/* Finds out, once its kernel and type are known, whether its kernel is a ROM: that reads in the
 * kernel's file, which takes long where it is made to. */
void firmware_decide(struct domain_config *config);
/* Has it firmware, as firmware_decide() found? At no cost. */
bool firmware_is(const struct domain_config *config);
/* Bytes of ROM below 4 GiB. */
uint64_t firmware_rom_size(const struct domain_config *config);
/* Pages of the heap that it takes besides. */
unsigned firmware_pages(const struct domain_config *config);
/* Where it is one: what its firmware is told, into d->firmware, and *machine is pointed there.
 * 0; -ENOMEM; -EINVAL, -ENOEXEC, logged. */
int must_check firmware_build(struct domain *d, const struct image *image,
                              struct machine_config *machine);
void firmware_end(struct domain *d);

#endif
