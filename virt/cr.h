/*
 * Control registers, between what all back ends check alike (cr.c) and what each of them keeps.
 */
#ifndef CAISSON_VIRT_CR_H
#define CAISSON_VIRT_CR_H

#include <stdint.h>
#include "arch/x86/cpu.h"
#include "lib/errno.h"

struct virt_vcpu;

#define CR0_RESET (CR0_CD | CR0_NW | CR0_ET)

/* What a back end does for cr.c, with v loaded: the guest has this value from now on. */
void virt_put_cr0(struct virt_vcpu *v, uint64_t value);
void virt_put_cr3(struct virt_vcpu *v, uint64_t value);
void virt_put_cr4(struct virt_vcpu *v, uint64_t value);
void virt_put_efer(struct virt_vcpu *v, uint64_t value);
/* Reads the PDPTEs of PAE paging from guest memory as MOV to CR3 would, where the processor keeps
 * them; -EINVAL where that would be #GP, then those of before stay. */
int must_check virt_load_pdptes(struct virt_vcpu *v, uint64_t cr3);
/* All that is cached of v's own page tables is gone at its next entry. */
void virt_flush_vcpu(struct virt_vcpu *v);

#endif
