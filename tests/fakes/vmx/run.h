/*
 * Host tests' twin of the stay in the guest: what happens there is the test's to say.
 */
#ifndef CAISSON_VMX_RUN_H
#define CAISSON_VMX_RUN_H

#include "vmx/vmx.h"

#define RUN_LONGEST ((uint64_t)UINT32_MAX)

void run_heard(struct vmx_vcpu *v);
/* For the test of vmx/run.c, which defines them. */
void run_not_entered(struct vmx_exit *x);
void run_odd_exit(struct vmx_vcpu *v, uint32_t reason, struct vmx_exit *x);
void run_settle(struct vmx_vcpu *v, struct vmx_exit *x, uint64_t deadline);
void vmx_run(struct vmx_vcpu *v, uint64_t now, uint64_t deadline, struct vmx_exit *x);

#endif
