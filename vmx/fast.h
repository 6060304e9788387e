/*
 * What most exits need, in line: the mode of the code that made them, and stepping over the
 * instruction. What is rare about that is in debug.c. Host tests of what stands above vmx/ get the
 * twin in tests/fakes.
 */
#ifndef CAISSON_VMX_FAST_H
#define CAISSON_VMX_FAST_H

#include <stdbool.h>
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

/* Does the guest run 64-bit code (CS.L in IA-32e mode) at CPL 0? */
static inline bool virt_in_64bit_kernel(const struct virt_vcpu *v)
{
    (void)v;
    return !(vmcs_read(VMCS_G_SS_AR) & SEG_AR_DPL) && (vmcs_read(VMCS_G_CS_AR) & SEG_AR_L) &&
           (vmcs_read(VMCS_G_EFER) & EFER_LMA);
}

static inline void virt_mode(const struct virt_vcpu *v, struct virt_mode *m)
{
    (void)v;
    m->cr0 = vmcs_read(VMCS_G_CR0);
    m->cr3 = vmcs_read(VMCS_G_CR3);
    m->cr4 = vmcs_read(VMCS_G_CR4);
    m->efer = vmcs_read(VMCS_G_EFER);
    m->cs_ar = (uint32_t)vmcs_read(VMCS_G_CS_AR);
    m->ss_ar = (uint32_t)vmcs_read(VMCS_G_SS_AR);
}

static inline bool virt_mode_same(const struct virt_mode *a, const struct virt_mode *b)
{
    return !((a->cr0 ^ b->cr0) | (a->cr3 ^ b->cr3) | (a->cr4 ^ b->cr4) | (a->efer ^ b->efer) |
             (a->cs_ar ^ b->cs_ar) | (a->ss_ar ^ b->ss_ar));
}

/* Of a VIRT_EXIT_IO, as long as it is the last exit. */
static inline struct virt_io virt_io(const struct virt_vcpu *v)
{
    (void)v;
    union {
        uint32_t raw;
        struct virt_io io;
    } qualification = { .raw = (uint32_t)vmcs_read(VMCS_EXIT_QUALIFICATION) };
    return qualification.io;
}

/* The same for INS and OUTS (SDM, "VM-Exit Instruction Information as Used for INS and OUTS"). */
static inline struct virt_io_string virt_io_string(const struct virt_vcpu *v, struct virt_io io)
{
    (void)v;
    uint32_t info = (uint32_t)vmcs_read(VMCS_EXIT_INSN_INFO);
    return (struct virt_io_string){
        .addr_size = (uint8_t)(2u << (info >> 7 & 3)),
        .seg = io.in ? SEG_ES : (enum seg)(info >> 15 & 7),
    };
}

/* Steps over an instruction of so many bytes; ends STI and MOV-SS shadows. */
static inline void virt_skip_len(struct virt_vcpu *v, uint64_t len)
{
    (void)v;
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
static inline void virt_skip(struct virt_vcpu *v)
{
    virt_skip_len(v, vmcs_read(VMCS_EXIT_INSN_LEN)); /* a field of 32 bits: no more are there */
}

#endif
