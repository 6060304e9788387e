/*
 * Model-specific registers as a domain sees them. See msr.c for the policy.
 */
#ifndef CAISSON_DOMAIN_MSR_H
#define CAISSON_DOMAIN_MSR_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/vlapic.h"
#include "lib/errno.h"
#include "cpu/cpu_msr.h"

struct vcpu;

/* RDMSR and WRMSR that left the guest. 0, or -EINVAL where the guest is owed #GP(0). */
int must_check msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
int must_check msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
/* The same for registers that concern the vCPU alone, so that neither needs the domain's lock.
 * Unknown: it is another register, or not so simple; nothing is done. What is known reads without
 * fault. */
enum msr_written {
    MSR_UNKNOWN,
    MSR_WRITTEN,
    MSR_REFUSED,
    MSR_MOVED, /* written, and the vCPU's next deadline is another one */
    MSR_LOOK,  /* written, and the vCPU is to look at what wants in */
};
struct msr_value msr_read_lockless(struct vcpu *v, uint32_t msr);
enum msr_written must_check msr_write_lockless(struct vcpu *v, uint32_t msr, uint64_t value);
/* The end of an interrupt in x2APIC mode: of all writes to the local APIC the one that happens
 * often and moves no deadline. */
static inline bool msr_is_eoi(uint32_t msr)
{
    return msr == MSR_X2APIC_FIRST + 0x0B;
}
/* Values as firmware would leave them. */
void msr_reset(struct vcpu *v);

#endif
