/*
 * Fix-ups: instructions that may fault, and where to go on if they do.
 */
#ifndef CAISSON_ARCH_X86_FIXUP_H
#define CAISSON_ARCH_X86_FIXUP_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"

struct trap_frame;

/* If the instruction at frame->rip has a fix-up, goes on there and says true. */
bool fixup_apply(struct trap_frame *frame);

/* Reads 8 bytes of Caisson's address space that may not be mapped: 0 or -EFAULT. For backtraces. */
int must_check fixup_read(uint64_t address, uint64_t *value);

#endif
