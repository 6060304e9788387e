/*
 * APIC virtualization, below what vmx.h tells of it.
 */
#ifndef CAISSON_VMX_APIC_H
#define CAISSON_VMX_APIC_H

#include "vmx/vmx.h"

/* Into a new VMCS, which is current: where everything is. */
void apic_write(const struct vmx_vcpu_config *config);

#endif
