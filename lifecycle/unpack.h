/*
 * Kernels that are packed are unpacked once, before any domain exists, into memory that stays as
 * the boot modules do: a domain that reboots takes its kernel from there again.
 */
#ifndef CAISSON_LIFECYCLE_UNPACK_H
#define CAISSON_LIFECYCLE_UNPACK_H

#include "lib/errno.h"
#include "lib/module.h"

/* If this kernel is packed, what is in it takes its place in *m. most: bytes of the domain's
 * memory, where it must fit; whose: its name, for the log. 0; -ENOMEM or -ENOEXEC, logged, and *m
 * is as it was. Boot only. */
int must_check unpack_kernel(struct module *m, uint64_t most, const char *whose);

#endif
