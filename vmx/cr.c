/*
 * CR0, CR3, CR4 and EFER in the VMCS: who owns which bit. What a write has to check is in
 * virt/cr.c.
 *
 * The guest owns every bit with which hardware can be left alone: of CR0 all that an operating
 * system toggles while it runs, of CR4 all that its CPUID allows. A MOV that touches only those
 * does not exit, and hardware makes its checks. Host-owned are CR0.PE and PG (long mode has to be
 * followed in the VM-entry controls), CR0.NE, CD and NW, and CR4.MCE and VMXE.
 * Sources: SDM, "Control Registers", "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
#include "vmx/cr.h"

#include "arch/x86/cpu.h"
#include "lib/likely.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"
#include "virt/cr.h"
#include "virt/virt.h"

#define CR0_OWNED (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)
#define CR4_KEPT  (CR4_MCE | CR4_VMXE | CR4_SMXE) /* never the guest's to set in hardware */

uint64_t virt_cr0(const struct virt_vcpu *v)
{
    (void)v;
    return (vmcs_read(VMCS_G_CR0) & CR0_OWNED) | (vmcs_read(VMCS_CR0_SHADOW) & ~CR0_OWNED);
}

uint64_t virt_cr3(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_CR3);
}

uint64_t virt_cr4(const struct virt_vcpu *v)
{
    uint64_t owned = vmx_of(v)->cr4_owned;
    return (vmcs_read(VMCS_G_CR4) & owned) | (vmcs_read(VMCS_CR4_SHADOW) & ~owned);
}

uint64_t virt_efer(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_EFER);
}

bool cr_in_64bit_code(void)
{
    return (vmcs_read(VMCS_G_EFER) & EFER_LMA) && (vmcs_read(VMCS_G_CS_AR) & SEG_AR_L);
}

bool virt_in_64bit_code(const struct virt_vcpu *v)
{
    (void)v;
    return cr_in_64bit_code();
}

/* With caches off (CD) all of the guest's memory would become uncached: the guest only sees the
 * bit. NE must be on in VMX operation; PE and PG need not be in an unrestricted guest. */
cold void virt_put_cr0(struct virt_vcpu *v, uint64_t value)
{
    (void)v;
    uint64_t fixed = caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    vmcs_write(VMCS_G_CR0, (value & ~(CR0_CD | CR0_NW)) | fixed);
    vmcs_write(VMCS_CR0_SHADOW, value);
}

cold void virt_put_cr3(struct virt_vcpu *v, uint64_t value)
{
    (void)v;
    vmcs_write(VMCS_G_CR3, value);
}

/* A machine check in the guest must reach the machine's handler, so MCE is really always on. */
cold void virt_put_cr4(struct virt_vcpu *v, uint64_t value)
{
    (void)v;
    vmcs_write(VMCS_G_CR4, value | caps.cr4_fixed0 | CR4_MCE);
    vmcs_write(VMCS_CR4_SHADOW, value);
}

cold void virt_put_efer(struct virt_vcpu *v, uint64_t value)
{
    (void)v;
    uint64_t entry = vmcs_read(VMCS_ENTRY_CTLS) & ~(uint64_t)ENTRY_IA32E;
    vmcs_write(VMCS_G_EFER, value);
    vmcs_write(VMCS_ENTRY_CTLS, entry | (value & EFER_LMA ? ENTRY_IA32E : 0));
}

cold void cr_reset(struct virt_vcpu *v)
{
    vmx_of(v)->cr4_owned = v->cr4_mask & caps.cr4_fixed1 & ~CR4_KEPT;
    vmcs_write(VMCS_CR0_MASK, ~CR0_OWNED);
    vmcs_write(VMCS_CR4_MASK, ~vmx_of(v)->cr4_owned);
    virt_put_cr0(v, CR0_RESET);
    virt_put_cr3(v, 0);
    virt_put_cr4(v, 0);
    virt_put_efer(v, 0);
    for (unsigned i = 0; i < 4; i++)
        vmcs_write(vmcs_nth(VMCS_G_PDPTE0, i), 0);
}
