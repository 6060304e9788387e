/*
 * Per-CPU data: one struct for each pCPU, found through the GS base. Needs no lock.
 *
 * Other rooms keep their own per-CPU state in static arrays indexed by cpu_id().
 */
#ifndef CAISSON_ARCH_X86_PERCPU_H
#define CAISSON_ARCH_X86_PERCPU_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/limits.h"

struct percpu {
    struct percpu *self; /* at offset 0: gs:0 */
    unsigned id;         /* 0 = the boot CPU, then dense in the order of the MADT */
    uint32_t apic_id;
    bool online;
    void *stack_top; /* the one stack of this pCPU */
    uint64_t alive;  /* counts what cpu_is_alive() was told; others peek at it */
};

extern struct percpu percpu[MAX_PCPUS];
extern unsigned cpu_count; /* pCPUs found in the MADT and brought up, the boot CPU included */

static inline struct percpu *this_cpu(void)
{
    struct percpu *p;
    asm volatile("mov %%gs:0, %0" : "=r"(p));
    return p;
}

static inline unsigned cpu_id(void)
{
    return this_cpu()->id;
}

/* For the others, who take a pCPU for stuck that does not say this for seconds: each turn of the
 * scheduler does, and so has work that takes longer. */
static inline void cpu_is_alive(void)
{
    struct percpu *p = this_cpu();
    __atomic_store_n(&p->alive, p->alive + 1, __ATOMIC_RELAXED);
}

/* Fills in a pCPU's struct before it starts. The trampoline loads its GS base. */
struct percpu *percpu_prepare(unsigned id, uint32_t apic_id, void *stack_top);

/* The same for the boot CPU, GS base included. First of all, before anything may panic. */
void percpu_init_boot(void);

/* Leaves the current stack for good and calls fn(), which does not return, on the one at top. */
_Noreturn void percpu_run_on_stack(void *top, void (*fn)(void));

#endif
