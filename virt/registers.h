/*
 * What neither processor switches by itself: DR0 to DR3, MSRs, and IA32_SPEC_CTRL where guests have
 * it without an exit. Each stays the guest's while its vCPU is loaded.
 */
#ifndef CAISSON_VIRT_REGISTERS_H
#define CAISSON_VIRT_REGISTERS_H

struct virt_vcpu;

void registers_load(const struct virt_vcpu *v);
void registers_save(struct virt_vcpu *v);
/* As RESET and INIT leave them, the general registers too; no event is pending. v is loaded. */
void registers_reset(struct virt_vcpu *v);
/* All segments, as virt_set_segment() does for one. */
void registers_reset_segments(struct virt_vcpu *v);

#endif
