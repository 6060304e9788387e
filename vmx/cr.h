/*
 * Control registers, below what virt.h tells of them.
 */
#ifndef CAISSON_VMX_CR_H
#define CAISSON_VMX_CR_H

#include <stdbool.h>

struct virt_vcpu;

void cr_reset(struct virt_vcpu *v); /* masks, shadows, values as after RESET, in the current VMCS */
bool cr_in_64bit_code(void);        /* the current VMCS: CS.L in IA-32e mode */

#endif
