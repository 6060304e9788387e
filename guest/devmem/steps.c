/*
 * Single steps over each kind of instruction that Caisson carries out or steps over in a guest's
 * place: the trap comes after it, at the next one. See guest/devmem/steps.h.
 */
#include "guest/devmem/steps.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"

#define DR6_BS   (1ul << 14)
#define DR6_NONE 0xFFFF0FF0ul
#define TRAPS    5 /* the instruction, and four until TF is off again */

static volatile unsigned traps;
static volatile uint64_t first_at, first_dr6;
static uint64_t text; /* what string instructions move */

static void on_step(struct trap *t)
{
    uint64_t dr6;

    asm volatile("mov %%dr6, %0\n mov %1, %%dr6" : "=&r"(dr6) : "r"(DR6_NONE));
    if (traps++)
        return;
    first_at = t->rip;
    first_dr6 = dr6 & ~DR6_NONE;
}

/* Makes ready, sets TF, which is good from the next instruction on, and tells where that ends. */
#define KIND(name, ready, insn)                                                                    \
    static uint64_t over_##name(void)                                                              \
    {                                                                                              \
        uint64_t next, *from = &text, *to = &text;                                                 \
        asm volatile(ready "\n pushf\n orl $0x100, (%%rsp)\n popf\n" insn                          \
                           "\n 1: nop\n pushf\n andl $0xfffffeff, (%%rsp)\n popf\n"                \
                           "lea 1b(%%rip), %0"                                                     \
                     : "=r"(next), "+S"(from), "+D"(to)                                            \
                     :                                                                             \
                     : "rax", "rbx", "rcx", "rdx", "r8", "cc", "memory");                          \
        return next;                                                                               \
    }

KIND(cpuid, "xor %%eax, %%eax", "cpuid")
KIND(rdmsr, "mov $0x8B, %%ecx", "rdmsr")
KIND(wrmsr, "mov $0x8B, %%ecx\n xor %%eax, %%eax\n xor %%edx, %%edx", "wrmsr")
KIND(in, "", "in $0x21, %%al")
KIND(out, "in $0x21, %%al", "out %%al, $0x21")
KIND(ins, "mov $0x21, %%edx", "insb")
KIND(outs, "in $0x21, %%al\n mov %%al, (%%rsi)\n mov $0x21, %%edx", "outsb")
KIND(vmcall, "mov $-1, %%eax", "vmcall")
KIND(hlt, "", "hlt")
KIND(pause, "", "pause")
KIND(rdtsc, "", "rdtsc")
KIND(invlpg, "", "invlpg (%%rsi)")
KIND(wbinvd, "", "wbinvd")
KIND(clts, "", "clts")
KIND(lmsw, "smsw %%ax", "lmsw %%ax")
KIND(cr0, "mov %%cr0, %%rax", "mov %%rax, %%cr0")
KIND(cr3, "mov %%cr3, %%rax", "mov %%rax, %%cr3")
KIND(cr4, "mov %%cr4, %%rax", "mov %%rax, %%cr4")
KIND(dr, "xor %%eax, %%eax", "mov %%rax, %%dr2")
KIND(load, "mov $0xFEE00380, %%r8d", "mov (%%r8), %%eax")
KIND(store, "mov $0xFEE00380, %%r8d\n mov $0x1000, %%eax", "mov %%eax, (%%r8)")

static const struct {
    const char *name;
    uint64_t (*over)(void);
} kinds[] = {
    { "CPUID", over_cpuid },    { "RDMSR", over_rdmsr },    { "WRMSR", over_wrmsr },
    { "IN", over_in },          { "OUT", over_out },        { "INS", over_ins },
    { "OUTS", over_outs },      { "VMCALL", over_vmcall },  { "HLT", over_hlt },
    { "PAUSE", over_pause },    { "RDTSC", over_rdtsc },    { "INVLPG", over_invlpg },
    { "WBINVD", over_wbinvd },  { "CLTS", over_clts },      { "LMSW", over_lmsw },
    { "MOV to CR0", over_cr0 }, { "MOV to CR3", over_cr3 }, { "MOV to CR4", over_cr4 },
    { "MOV to DR2", over_dr },  { "a load", over_load },    { "a store", over_store },
};

bool steps_over_each(void)
{
    bool right = true;

    trap_set(1, on_step);
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        traps = 0;
        uint64_t next = kinds[i].over();
        if (traps == TRAPS && first_at == next && first_dr6 == DR6_BS)
            continue;
        print("devmem: a step over %s: %u traps, the first at 0x%lx in place of 0x%lx, DR6 0x%lx\n",
              kinds[i].name, traps, first_at, next, first_dr6);
        right = false;
    }
    return right;
}
