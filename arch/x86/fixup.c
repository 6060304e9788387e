/*
 * Fix-ups, and the functions that live by them.
 *
 * Each is one instruction at label 1 that may fault, with the answer -EFAULT loaded beforehand
 * and cleared after it; the linker gathers the pairs (1, 2) between fixup_start and fixup_end.
 */
#include "arch/x86/fixup.h"

#include <stddef.h>
#include "arch/x86/irq.h"
#include "arch/x86/trap.h"

struct fixup {
    uint64_t fault, resume;
};
extern const struct fixup fixup_start[], fixup_end[]; /* linker.ld */

#define FIXUP(insn)                                                                                \
    "1: " insn "\n\t"                                                                              \
    "xorl %[err], %[err]\n"                                                                        \
    "2:\n\t"                                                                                       \
    ".pushsection .fixup, \"a\"\n\t"                                                               \
    ".quad 1b, 2b\n\t"                                                                             \
    ".popsection"

bool fixup_apply(struct trap_frame *frame)
{
    size_t count = ((uintptr_t)fixup_end - (uintptr_t)fixup_start) / sizeof(struct fixup);

    for (size_t i = 0; i < count; i++) {
        if (fixup_start[i].fault == frame->rip) {
            frame->rip = fixup_start[i].resume;
            return true;
        }
    }
    return false;
}

int fixup_read(uint64_t address, uint64_t *value)
{
    int err = -EFAULT;
    uint64_t v = 0;

    asm volatile(FIXUP("movq (%[address]), %[v]")
                 : [err] "+&r"(err), [v] "+&r"(v)
                 : [address] "r"(address)
                 : "memory", "cc");
    *value = v;
    return err;
}

int rdmsr_safe(uint32_t msr, uint64_t *value)
{
    int err = -EFAULT;
    uint32_t lo = 0, hi = 0;

    asm volatile(FIXUP("rdmsr") : [err] "+r"(err), "+a"(lo), "+d"(hi) : "c"(msr) : "cc");
    *value = (uint64_t)hi << 32 | lo;
    return err;
}
