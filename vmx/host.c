/*
 * The host-state area of the VMCS: what a VM exit loads.
 *
 * All of it belongs to the pCPU, not to the vCPU, so it is written when a vCPU comes to a pCPU on
 * which it was not last. RSP is written by vmx_enter at each entry.
 * Sources: SDM, "Host-State Area", "Loading Host State".
 */
#include "vmx/host.h"

#include "arch/x86/desc.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/spec.h"
#include "vmx/vmcs.h"

/* switch.asm */
void vmx_exited(void);
void vmx_exited_guarded(void);

static void write_segments(void)
{
    vmcs_write(VMCS_H_CS_SEL, SEL_CODE);
    vmcs_write(VMCS_H_SS_SEL, SEL_DATA);
    /* Long mode asks nothing of the data segments; null is allowed (SDM, "Checks on Host Segment
     * and Descriptor-Table Registers"). The bases of FS and GS are fields of their own. */
    vmcs_write(VMCS_H_DS_SEL, 0);
    vmcs_write(VMCS_H_ES_SEL, 0);
    vmcs_write(VMCS_H_FS_SEL, 0);
    vmcs_write(VMCS_H_GS_SEL, 0);
    vmcs_write(VMCS_H_TR_SEL, SEL_TSS);
    vmcs_write(VMCS_H_TR_BASE, desc_tss_base());
    vmcs_write(VMCS_H_GDTR_BASE, desc_gdt_base());
    vmcs_write(VMCS_H_IDTR_BASE, desc_idt_base());
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
    vmcs_write(VMCS_H_RIP, (uint64_t)(spec_guards_exits() ? vmx_exited_guarded : vmx_exited));
    write_segments();
}
