/*
 * Stepping over an instruction, in line, since most exits end so. What is rare about it is in
 * debug.c.
 */
#ifndef CAISSON_VMX_SKIP_H
#define CAISSON_VMX_SKIP_H

#include <stdint.h>
#include "arch/x86/cpu.h"
#include "lib/likely.h"
#include "vmx/controls.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

#define SKIP_SHADOWS ((uint64_t)(SHADOW_STI | SHADOW_MOV_SS))

/* RIP beyond 32 bits: outside 64-bit code it wraps. */
uint64_t skip_wrapped(uint64_t rip);
/* RF is over; with TF a single step is due. */
void skip_flags(uint64_t rflags);

/* Steps over an instruction of so many bytes; ends STI and MOV-SS shadows. */
static inline void skip_bytes(uint64_t len)
{
    uint64_t rip = vmcs_read(VMCS_G_RIP) + len;
    if (unlikely(rip >> 32))
        rip = skip_wrapped(rip);
    vmcs_write(VMCS_G_RIP, rip);
    uint64_t state = vmcs_read(VMCS_G_INTERRUPTIBILITY);
    if (unlikely(state & SKIP_SHADOWS))
        vmcs_write(VMCS_G_INTERRUPTIBILITY, state & ~SKIP_SHADOWS);
    uint64_t rflags = vmcs_read(VMCS_G_RFLAGS);
    if (unlikely(rflags & (RFLAGS_RF | RFLAGS_TF)))
        skip_flags(rflags);
}

/* The same for the instruction that caused the last exit, where hardware tells its length. */
static inline void skip_insn(struct virt_vcpu *v)
{
    (void)v;
    skip_bytes(vmcs_read(VMCS_EXIT_INSN_LEN)); /* a field of 32 bits: no more are there */
}

#endif
