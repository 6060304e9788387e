/*
 * What neither processor switches by itself: DR0 to DR3, MSRs, and IA32_SPEC_CTRL where guests have
 * it without an exit. Each stays the guest's while its vCPU is loaded.
 */
#ifndef CAISSON_VIRT_REGISTERS_H
#define CAISSON_VIRT_REGISTERS_H

#include <stdint.h>
#include "lib/errno.h"
#include "virt/virt.h"

/* v has not been on this pCPU before, or not last: before registers_load(). */
void registers_arrive(const struct virt_vcpu *v);
void registers_load(const struct virt_vcpu *v);
void registers_save(struct virt_vcpu *v);
/* As RESET and INIT leave them, the general registers too; no event is pending. v is loaded. */
void registers_reset(struct virt_vcpu *v);
/* Of the loaded v: a new value for one of the MSRs, of a form that the processor takes. */
void registers_put_soft(struct virt_vcpu *v, enum virt_soft_msr which, uint64_t value);
/* Of the loaded v: IA32_SPEC_CTRL as its guest has it, 0 if there is none; and a new value, which
 * must have bits only that this CPU knows. 0 or -EINVAL. */
uint64_t registers_spec_ctrl(const struct virt_vcpu *v);
int must_check registers_put_spec_ctrl(struct virt_vcpu *v, uint64_t value);
/* DR0 to DR3. */
void registers_put_breakpoints(struct virt_vcpu *v, const uint64_t at[4]);
/* All segments, as virt_set_segment() does for one. */
void registers_reset_segments(struct virt_vcpu *v);

#endif
