/*
 * Model-specific registers as a domain sees them. See msr.c for the policy.
 */
#ifndef CAISSON_DOMAIN_MSR_H
#define CAISSON_DOMAIN_MSR_H

#include <stdint.h>
#include "lib/errno.h"

struct vcpu;

/* RDMSR and WRMSR that left the guest. 0, or -EINVAL where the guest is owed #GP(0). */
int must_check msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
int must_check msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
/* Values as firmware would leave them. */
void msr_reset(struct vcpu *v);

#endif
