/*
 * Model-specific registers, below what virt.h tells of them.
 */
#ifndef CAISSON_SVM_MSR_H
#define CAISSON_SVM_MSR_H

struct virt_vcpu;

#define MSR_MAP_ORDER 1 /* of its pages */

void msr_map_fill(void *map);                /* what exits and what does not */
void svm_msr_soft_load(struct virt_vcpu *v); /* what VMLOAD does not: TSC_AUX, SPEC_CTRL */
void svm_msr_soft_save(struct virt_vcpu *v);
void svm_msr_spec_reset(struct virt_vcpu *v); /* SPEC_CTRL, as RESET and INIT leave it */

#endif
