/*
 * The host-state area of the VMCS: what a VM exit loads.
 *
 * All of it belongs to the pCPU, not to the vCPU, so it is written when a vCPU comes to a pCPU on
 * which it was not last. RSP is written by vmx_enter at each entry.
 * Sources: SDM, "Host-State Area", "Loading Host State".
 */
#include "vmx/host.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "lib/assert.h"
#include "vmx/vmcs.h"

void vmx_exited(void); /* switch.asm */

/* A 64-bit TSS descriptor (SDM, "TSS Descriptor in 64-bit mode"). */
struct tss_descriptor {
    uint16_t limit_low, base_0;
    uint8_t base_16, access, limit_high, base_24;
    uint32_t base_32, zero;
};
_Static_assert(sizeof(struct tss_descriptor) == 16, "as the SDM draws it");

static uint64_t tss_base(uint64_t gdt, uint16_t selector)
{
    ASSERT(selector != 0);
    const struct tss_descriptor *d = (const void *)(gdt + selector);
    return (uint64_t)d->base_32 << 32 | (uint64_t)d->base_24 << 24 | (uint64_t)d->base_16 << 16 |
           d->base_0;
}

static void write_segments(void)
{
    uint64_t gdt = read_gdt_base();
    vmcs_write(VMCS_H_CS_SEL, read_cs());
    vmcs_write(VMCS_H_SS_SEL, read_ss());
    /* Long mode asks nothing of the data segments; null is allowed (SDM, "Checks on Host Segment
     * and Descriptor-Table Registers"). The bases of FS and GS are fields of their own. */
    vmcs_write(VMCS_H_DS_SEL, 0);
    vmcs_write(VMCS_H_ES_SEL, 0);
    vmcs_write(VMCS_H_FS_SEL, 0);
    vmcs_write(VMCS_H_GS_SEL, 0);
    vmcs_write(VMCS_H_TR_SEL, read_tr());
    vmcs_write(VMCS_H_TR_BASE, tss_base(gdt, read_tr()));
    vmcs_write(VMCS_H_GDTR_BASE, gdt);
    vmcs_write(VMCS_H_IDTR_BASE, read_idt_base());
    vmcs_write(VMCS_H_FS_BASE, rdmsr(MSR_IA32_FS_BASE));
    vmcs_write(VMCS_H_GS_BASE, rdmsr(MSR_IA32_GS_BASE));
}

void host_state_write(void)
{
    vmcs_write(VMCS_H_CR0, read_cr0());
    vmcs_write(VMCS_H_CR3, read_cr3());
    vmcs_write(VMCS_H_CR4, read_cr4());
    vmcs_write(VMCS_H_PAT, rdmsr(MSR_IA32_PAT));
    vmcs_write(VMCS_H_EFER, rdmsr(MSR_IA32_EFER));
    vmcs_write(VMCS_H_SYSENTER_CS, 0);
    vmcs_write(VMCS_H_SYSENTER_ESP, 0);
    vmcs_write(VMCS_H_SYSENTER_EIP, 0);
    vmcs_write(VMCS_H_RIP, (uint64_t)vmx_exited);
    write_segments();
}
