/*
 * Model-specific registers, below what vmx.h tells of them.
 */
#ifndef CAISSON_VMX_MSR_H
#define CAISSON_VMX_MSR_H

#include <stdbool.h>
#include <stdint.h>

struct virt_vcpu;

void msr_bitmap_fill(void *bitmap); /* one page: what exits and what does not */
/* Lets one register through or no more. */
void msr_bitmap_set(void *bitmap, uint32_t msr, bool write, bool exits);
unsigned msr_soft_count(void); /* how many of enum virt_soft_msr this CPU has: the first */
void msr_soft_load(struct virt_vcpu *v); /* v->soft_msr into the pCPU */
void msr_soft_save(struct virt_vcpu *v);
void msr_spec_reset(struct virt_vcpu *v); /* IA32_SPEC_CTRL, as RESET and INIT leave it */

#endif
