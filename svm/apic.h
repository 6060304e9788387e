/*
 * AVIC, below what virt.h tells of it.
 */
#ifndef CAISSON_SVM_APIC_H
#define CAISSON_SVM_APIC_H

#include <stdbool.h>
#include <stdint.h>
#include "virt/virt.h"

/* Of a new vCPU, which has its VMCB and its MSR map with two pages behind it, where AVIC is used.
 */
void svm_apic_create(struct virt_vcpu *v, const struct virt_vcpu_config *config);

/* AVIC is on; before each entry. What is pending will be injected. */
void svm_apic_prepare(struct virt_vcpu *v);
/* Fills *x if the exit code is one of AVIC's. */
bool svm_apic_decode(const struct virt_vcpu *v, uint32_t code, struct virt_exit *x);

#endif
