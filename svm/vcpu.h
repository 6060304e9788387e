/*
 * What the AMD-V back end keeps of a vCPU, beside the members that all back ends share.
 */
#ifndef CAISSON_SVM_VCPU_H
#define CAISSON_SVM_VCPU_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "svm/decode.h"
#include "svm/vmcb.h"
#include "virt/virt.h"

struct svm_vcpu {
    /* switch.asm knows where the first three are. */
    struct vmcb *vmcb; /* heap page */
    maddr_t vmcb_at;   /* the same */
    maddr_t host_at;   /* where this pCPU keeps what VMRUN does not: see enable.h */
    void *msr_map;     /* two heap pages: two bits for each MSR */
    /* A TLB tag is good while its generation is that of the pCPU (flush.h). */
    uint64_t asid_generation;
    /* CR0, CR4 and EFER as the guest has written them, where the VMCB has something else. */
    uint64_t cr0_shadow, cr4_shadow;
    uint64_t debugctl;   /* kept for it, without effect */
    uint64_t iret_rip;   /* the IRET that ends NMI blocking and has not been executed yet */
    bool iret_due;       /* there is one */
    bool nmi_blocked;    /* an NMI is being handled */
    bool step_due;       /* a single step over an instruction that was carried out for it */
    bool cr0_passes;     /* CR0's intercepts are off until the next exit */
    uint8_t length;      /* of the instruction that made the last exit, where no next RIP is told */
    struct decoded insn; /* and the instruction itself, where it was looked at */
};

static inline struct svm_vcpu *svm_of(const struct virt_vcpu *v)
{
    _Static_assert(sizeof(struct svm_vcpu) <= sizeof(v->backend), "room in struct virt_vcpu");
    return (struct svm_vcpu *)(uintptr_t)v->backend;
}

static inline struct vmcb *vmcb_of(const struct virt_vcpu *v)
{
    return svm_of(v)->vmcb;
}

static inline void vmcb_dirty(struct vmcb *vmcb, uint32_t part)
{
    vmcb->clean &= ~part;
}

static inline void vmcb_intercept(struct vmcb *vmcb, enum intercept what, bool on)
{
    uint32_t *word = &vmcb->intercepts[what / 32], bit = 1u << what % 32;

    if (!(*word & bit) == !on)
        return;
    *word ^= bit;
    vmcb_dirty(vmcb, CLEAN_INTERCEPTS);
}

#endif
