/*
 * The forms of instructions on device memory that emulate/mmio.c leaves to others. Each carries the
 * instruction out and steps over it; errors are those of emulate/emulator.h.
 */
#ifndef CAISSON_EMULATE_MMIO_FORM_H
#define CAISSON_EMULATE_MMIO_FORM_H

#include <stdbool.h>
#include "lib/addr.h"
#include "lib/errno.h"

struct decode;
struct emulator;

/* Does an access of `size` bytes that begins or goes on at `at` lie in its page? At a page's first
 * byte that cannot be told: it may have begun in the page before. */
static inline bool mmio_lies_in_page(gpa_t at, unsigned size)
{
    uint64_t offset = at.v & ~PAGE_MASK;

    return offset && offset + size <= PAGE_SIZE;
}

/* One operand in memory, read, written or both; at: where the exit was. */
int must_check mmio_memory(struct emulator *e, const struct decode *insn, gpa_t at);
/* PUSH, POP and their kin; near CALL, JMP and RET. */
int must_check mmio_stack(struct emulator *e, const struct decode *insn);

#endif
