/*
 * What the VT-x back end keeps of a vCPU, beside the members that all back ends share.
 */
#ifndef CAISSON_VMX_VCPU_H
#define CAISSON_VMX_VCPU_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "virt/virt.h"

struct vmx_vcpu {
    void *vmcs;                   /* heap page; */
    maddr_t vmcs_at;              /* and where it is */
    void *msr_bitmap;             /* heap page */
    uint32_t proc_ctls;           /* mirror of the primary processor-based controls */
    uint32_t proc2_ctls;          /* and of the secondary ones */
    uint64_t cr4_owned;           /* bits of CR4 that the guest sets without an exit */
    uint64_t irqs_unserved_until; /* TSC: so long a guest with IF=0 may keep the machine's
                                     interrupts out */
    gpa_t apic_base;              /* where the guest sees the page of its local APIC */
    bool has_apic_access;         /* a page is set aside for the accesses to that */
    uint16_t vpid;                /* 0: the CPU has none */
};

static inline struct vmx_vcpu *vmx_of(const struct virt_vcpu *v)
{
    _Static_assert(sizeof(struct vmx_vcpu) <= sizeof(v->backend), "room in struct virt_vcpu");
    return (struct vmx_vcpu *)(uintptr_t)v->backend;
}

#endif
