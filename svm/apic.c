/*
 * The guest's local APIC: nothing of it is the processor's. AVIC is not used yet; CR8, the page and
 * the MSRs exit, and virt_caps says so.
 */
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
