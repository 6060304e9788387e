/*
 * The forms of instructions on device memory that emulate/mmio.c leaves to others. Each carries the
 * instruction out and steps over it, or gives the guest its fault.
 */
#ifndef CAISSON_EMULATE_MMIO_FORM_H
#define CAISSON_EMULATE_MMIO_FORM_H

#include <stdbool.h>
#include "lib/addr.h"

struct decode;
struct vcpu;

/* Does an access of `size` bytes that begins or goes on at `at` lie in its page? At a page's first
 * byte that cannot be told: it may have begun in the page before. */
static inline bool mmio_lies_in_page(gpa_t at, unsigned size)
{
    uint64_t offset = at.v & ~PAGE_MASK;

    return offset && offset + size <= PAGE_SIZE;
}

/* One operand in memory, read, written or both; at: where the exit was. */
void mmio_memory(struct vcpu *v, const struct decode *insn, gpa_t at);
/* MOVS, STOS, LODS, CMPS, SCAS. Carries out some repetitions; for the others the guest executes it
 * again. */
void mmio_string(struct vcpu *v, const struct decode *insn);
/* PUSH, POP, near CALL and JMP. */
void mmio_stack(struct vcpu *v, const struct decode *insn);

#endif
