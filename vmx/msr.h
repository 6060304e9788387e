/*
 * Model-specific registers, below what vmx.h tells of them.
 */
#ifndef CAISSON_VMX_MSR_H
#define CAISSON_VMX_MSR_H

struct vmx_vcpu;

void msr_bitmap_fill(void *bitmap);     /* one page: what exits and what does not */
void msr_soft_load(struct vmx_vcpu *v); /* v->soft_msr into the pCPU */
void msr_soft_save(struct vmx_vcpu *v);

#endif
