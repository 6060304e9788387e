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

/* An instruction that has made an exit: what it is known again by, where no next RIP is told.
 * Memory is not looked at again: a kernel that has put the same instruction with other prefixes at
 * the very same address, under the same CR3, is led astray by itself. Only places of CPL 0 are
 * known, whose CS tells them from others: no process can put one there. */
struct svm_place {
    uint64_t at;    /* linear address and exit code; 0: nothing is known */
    uint64_t space; /* CR3, and the attributes of CS */
};
#define SVM_PLACES 8

/* As V_INTR has it, from VINT_AVIC_SHIFT on. */
enum svm_avic { AVIC_OFF = 0, AVIC_BY_PAGE = 2, AVIC_BY_MSR = 3 /* x2AVIC */ };

struct svm_vcpu {
    /* switch.asm knows where the first three are. */
    struct vmcb *vmcb; /* heap page */
    maddr_t vmcb_at;   /* the same */
    maddr_t host_at;   /* where this pCPU keeps what VMRUN does not: see enable.h */
    void *msr_map;     /* two heap pages: two bits for each MSR; two more with AVIC, see apic.c */
    /* A TLB tag is good while its generation is that of the pCPU (flush.h). */
    uint64_t asid_generation;
    /* CR0, CR4 and EFER as the guest has written them, where the VMCB has something else. */
    uint64_t cr0_shadow, cr4_shadow;
    uint64_t debugctl; /* kept for it, without effect */
    uint64_t iret_rip; /* the IRET that ends NMI blocking and has not been executed yet */
    bool iret_due;     /* there is one */
    bool nmi_blocked;  /* an NMI is being handled */
    union {
        struct {
            bool step_due; /* a single step over an instruction that was carried out for it */
            uint8_t avic;  /* enum svm_avic: what is on, see apic.c */
        };
        uint16_t at_entry; /* both: svm_event_prepare() has more to do than to inject */
    };
    bool cr0_passes;     /* CR0's intercepts are off until the next exit */
    struct decoded insn; /* what made the last exit, where it was looked at */
    struct svm_place places[SVM_PLACES];
    uint8_t lengths[SVM_PLACES]; /* of those */
    uint64_t look_at;            /* apic.c: TSC at which it is looked what may come in */
    bool x2apic_passes;          /* see msr_map_x2apic() */
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

/* No linear address has more than 57 bits that tell something, no CR3 more than 52. */
static inline struct svm_place svm_place_now(const struct vmcb *vmcb, uint32_t code)
{
    const struct vmcb_segment *cs = &vmcb->segment[VMCB_CS];

    return (struct svm_place){ .at = (vmcb->rip + cs->base) ^ (uint64_t)code << 57,
                               .space = vmcb->cr3 ^ (uint64_t)cs->attr << 52 };
}

/* Where in places[] it is, if it is there: RDMSR and WRMSR (7C) are in the upper half, so that a
 * loop which halts and writes to its local APIC finds both. */
static inline unsigned svm_place_index(const struct vmcb *vmcb, uint32_t code)
{
    return (unsigned)(vmcb->rip / 8 % 4) + code % SVM_PLACES / 4 * 4;
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
