/*
 * The guest's local APIC: nothing of it is the processor's. AVIC is not used yet; CR8, the page and
 * the MSRs exit, and virt_caps says so.
 */
#include "lib/assert.h"
#include "virt/virt.h"

void virt_set_apic_mode(struct virt_vcpu *v, enum virt_apic_mode mode)
{
    (void)v;
    (void)mode;
}

void virt_set_held_class(struct virt_vcpu *v, unsigned held)
{
    (void)v;
    (void)held;
}

/* The rest is for a vCPU of which v->delivers is set: there is none. */

void virt_set_interrupts(struct virt_vcpu *v, uint8_t requested, uint8_t served)
{
    (void)requested;
    (void)served;
    ASSERT(v->delivers);
}

void virt_request_interrupt(struct virt_vcpu *v, uint8_t vector)
{
    (void)vector;
    ASSERT(v->delivers);
}

bool virt_interrupt_due(const struct virt_vcpu *v, uint8_t tpr)
{
    (void)tpr;
    ASSERT(v->delivers);
    return false;
}

void virt_set_eoi_exits(struct virt_vcpu *v, const uint64_t vectors[4])
{
    (void)vectors;
    ASSERT(v->delivers);
}
