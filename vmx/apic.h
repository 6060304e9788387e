/*
 * APIC virtualization, below what virt.h tells of it.
 */
#ifndef CAISSON_VMX_APIC_H
#define CAISSON_VMX_APIC_H

#include "virt/virt.h"

/* Into a new VMCS, which is current: where everything is. */
void apic_write(const struct virt_vcpu_config *config);

#endif
