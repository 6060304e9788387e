/*
 * Per-CPU data: who is who.
 */
#include "arch/x86/percpu.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "lib/assert.h"

_Static_assert(offsetof(struct percpu, self) == 0, "this_cpu() reads gs:0");

struct percpu percpu[MAX_PCPUS];
unsigned cpu_count = 1;

struct percpu *percpu_prepare(unsigned id, uint32_t apic_id, void *stack_top)
{
    ASSERT(id < MAX_PCPUS);
    percpu[id] = (struct percpu){
        .self = &percpu[id], .id = id, .apic_id = apic_id, .stack_top = stack_top
    };
    return &percpu[id];
}

void percpu_init_boot(void)
{
    /* The LAPIC's number as CPUID tells it; lapic_init() may know better (x2APIC). */
    struct percpu *p = percpu_prepare(0, cpuid(1, 0).ebx >> 24, NULL);

    p->online = true;
    wrmsr(MSR_IA32_GS_BASE, (uint64_t)p);
}

_Noreturn void percpu_run_on_stack(void *top, void (*fn)(void))
{
    this_cpu()->stack_top = top;
    asm volatile("movq %0, %%rsp\n\t"
                 "xorl %%ebp, %%ebp\n\t"
                 "pushq %%rbp\n\t"
                 "pushq %%rbp\n\t"
                 "callq *%1"
                 :
                 : "r"(top), "r"(fn)
                 : "memory");
    panic("a pCPU's main function came back");
}
