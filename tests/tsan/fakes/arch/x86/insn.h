/*
 * What the scheduler and the allocator need of the special instructions, for threads as pCPUs: the
 * clock is the host's, and a halt waits for a kick.
 */
#ifndef CAISSON_ARCH_X86_INSN_H
#define CAISSON_ARCH_X86_INSN_H

#include <stdint.h>

uint64_t rdtsc(void);
void irq_wait(void);

static inline void irq_let_in(void)
{
}

static inline void stosq(uint64_t *to, uint64_t word, uint64_t n)
{
    while (n-- > 0)
        __atomic_store_n(to++, word, __ATOMIC_RELAXED);
}

static inline void cpu_relax(void)
{
    __builtin_ia32_pause();
}

#endif
