/*
 * FPU, SSE and the extended states: whole, and only when a vCPU comes to or leaves a pCPU.
 */
#ifndef CAISSON_VIRT_FPU_H
#define CAISSON_VIRT_FPU_H

#include "lib/errno.h"

struct virt_vcpu;

int must_check fpu_create(struct virt_vcpu *v); /* for v->xcr0_mask; state as after RESET */
void fpu_destroy(struct virt_vcpu *v);
void fpu_load(struct virt_vcpu *v);
void fpu_save(struct virt_vcpu *v);

#endif
