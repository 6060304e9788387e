/*
 * What a domain's memory is to be, and what is set aside for it: its RAM, and the pages of the heap
 * that belong to it. See also domain_set_most() and domain_e820() in create/create.h.
 */
#ifndef CAISSON_CREATE_MEMORY_H
#define CAISSON_CREATE_MEMORY_H

#include "domain/domain.h"
#include "loader/memmap.h"

/* The map of a domain that is not bare. 0, or what memmap_build() answers. */
int must_check memory_map(const struct domain_config *config, struct memmap *out);
/* Promises all that such a domain needs. 0, or -ENOMEM, -EINVAL: logged. */
int must_check memory_promise(const struct domain_config *config, uint16_t id);
/* d is about to lose its promise: what domain_set_most() set aside can be had by others. */
void memory_forget_most(const struct domain *d);

#endif
