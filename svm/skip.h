/*
 * Stepping over an instruction, in line, since most exits end so. What is rare about it is in
 * regs.c.
 */
#ifndef CAISSON_SVM_SKIP_H
#define CAISSON_SVM_SKIP_H

#include <stdint.h>
#include "arch/x86/cpu.h"
#include "lib/likely.h"
#include "svm/vcpu.h"

/* RIP beyond 32 bits: outside 64-bit code it wraps. */
uint64_t svm_skip_wrapped(const struct vmcb *vmcb, uint64_t rip);
/* RF is over; with TF a single step is due. */
void svm_skip_flags(struct svm_vcpu *s);

static inline void skip_to(struct svm_vcpu *s, uint64_t rip)
{
    struct vmcb *vmcb = s->vmcb;

    if (unlikely(rip >> 32))
        rip = svm_skip_wrapped(vmcb, rip);
    vmcb->rip = rip;
    vmcb->int_state = 0;
    if (unlikely(vmcb->rflags & (RFLAGS_RF | RFLAGS_TF)))
        svm_skip_flags(s);
}

/* Over the instruction that caused the last exit: what the processor has not told of it, exit.h
 * has found out. */
static inline void skip_insn(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    skip_to(s, s->vmcb->next_rip);
}

#endif
