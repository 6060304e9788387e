/*
 * Domains whose image is a PC's firmware: their memory map, and what their firmware is told.
 */
#ifndef CAISSON_LIFECYCLE_FIRMWARE_H
#define CAISSON_LIFECYCLE_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>
#include "config/domain_config.h"
#include "loader/memmap.h"
#include "machine/machine.h"
#include "lib/errno.h"

struct domain;

/* Finds out, once its kernel and type are known, whether it is one: that reads in the kernel's
 * file, which takes long where it is made to. */
void firmware_decide(struct domain_config *config);
/* Is it one, as firmware_decide() found? At no cost. */
bool firmware_is(const struct domain_config *config);
/* Pages of the heap that it takes besides. */
unsigned firmware_pages(const struct domain_config *config);
/* Where it is one: what its firmware is told, into d->firmware, and *machine is pointed there.
 * 0; -ENOMEM; -EINVAL, logged. */
int must_check firmware_build(struct domain *d, struct machine_config *machine);
void firmware_end(struct domain *d);

#endif
