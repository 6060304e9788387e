/*
 * Control registers, below what virt.h tells of them.
 */
#ifndef CAISSON_SVM_CR_H
#define CAISSON_SVM_CR_H

#include <stdbool.h>
#include "arch/x86/cpu.h"
#include "svm/vcpu.h"

void svm_cr_reset(struct virt_vcpu *v); /* values as after RESET */

static inline bool cr_in_64bit_code(const struct vmcb *vmcb)
{
    return (vmcb->efer & EFER_LMA) && ((uint32_t)vmcb->segment[VMCB_CS].attr << 4 & SEG_AR_L);
}

/* LMSW and SMSW concern bits of CR0 that are the guest's own: they are let through, with all that
 * its other instructions may do to CR0 until the next exit, which puts it right again. */
void cr_let_cr0_pass(struct svm_vcpu *s);
void cr_take_cr0_back(struct virt_vcpu *v);

#endif
