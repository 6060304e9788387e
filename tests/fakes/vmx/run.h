/*
 * Host tests' twin of the stay in the guest: what happens there is the test's to say.
 */
#ifndef CAISSON_VMX_RUN_H
#define CAISSON_VMX_RUN_H

#include "virt/virt.h"

#define RUN_LONGEST ((uint64_t)UINT32_MAX)

void run_irqs_served(struct virt_vcpu *v);
/* For the test of vmx/run.c, which defines them. */
void run_not_entered(struct virt_exit *x);
void run_odd_exit(struct virt_vcpu *v, uint32_t reason, struct virt_exit *x);
void run_settle(struct virt_vcpu *v, struct virt_exit *x, uint64_t deadline);
void virt_run(struct virt_vcpu *v, uint64_t now, uint64_t deadline, struct virt_exit *x);

#endif
