/*
 * The checks that a VM entry makes on the guest-state area, segment registers excepted.
 *
 * Sources: SDM, "Checking and Loading Guest State" and its sub-sections, in their order.
 */
#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "vmx/caps.h"
#include "vmx/check.h"
#include "vmx/controls.h"
#include "virt/msr.h"
#include "virt/virt.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool is_ia32e(void)
{
    return vmcs_read(VMCS_ENTRY_CTLS) & ENTRY_IA32E;
}

/* "Checks on Guest Control Registers, Debug Registers, and MSRs" */
static const char *check_control_registers(void)
{
    uint64_t cr0 = vmcs_read(VMCS_G_CR0), cr4 = vmcs_read(VMCS_G_CR4);
    uint64_t fixed0 = caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    if ((fixed0 & ~cr0) || (cr0 & ~caps.cr0_fixed1))
        return check_field(VMCS_G_CR0, "bits fixed in VMX operation differ");
    if ((cr0 & CR0_PG) && !(cr0 & CR0_PE))
        return check_field(VMCS_G_CR0, "PG wants PE");
    if ((caps.cr4_fixed0 & ~cr4) || (cr4 & ~caps.cr4_fixed1))
        return check_field(VMCS_G_CR4, "bits fixed in VMX operation differ");
    if (is_ia32e() && (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE)))
        return check_field(VMCS_G_CR4, "IA-32e mode wants CR0.PG and CR4.PAE");
    if (!is_ia32e() && (cr4 & CR4_PCIDE))
        return check_field(VMCS_G_CR4, "PCIDE wants IA-32e mode");
    if (vmcs_read(VMCS_G_CR3) >> cpu_maddr_bits())
        return check_field(VMCS_G_CR3, "bits beyond the physical address width must be 0");
    return NULL;
}

static const char *check_debug_registers(void)
{
    uint32_t entry = vmcs_read(VMCS_ENTRY_CTLS);
    if (!(entry & ENTRY_LOAD_DEBUG))
        return NULL;
    if (vmcs_read(VMCS_G_DEBUGCTL) & ~0xFFC3UL)
        return check_field(VMCS_G_DEBUGCTL, "reserved bits must be 0");
    if (vmcs_read(VMCS_G_DR7) >> 32)
        return check_field(VMCS_G_DR7, "bits 63:32 must be 0");
    return NULL;
}

static const char *check_efer(void)
{
    uint64_t efer = vmcs_read(VMCS_G_EFER);
    if (efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
        return check_field(VMCS_G_EFER, "reserved bits must be 0");
    if (!(efer & EFER_LMA) != !is_ia32e())
        return check_field(VMCS_G_EFER, "LMA must equal the entry control IA-32e mode guest");
    if ((vmcs_read(VMCS_G_CR0) & CR0_PG) && !(efer & EFER_LMA) != !(efer & EFER_LME))
        return check_field(VMCS_G_EFER, "LMA must equal LME while CR0.PG is 1");
    return NULL;
}

static const char *check_msrs(void)
{
    static const enum vmcs_field addresses[] = { VMCS_G_SYSENTER_ESP, VMCS_G_SYSENTER_EIP };
    uint32_t entry = vmcs_read(VMCS_ENTRY_CTLS);
    if ((entry & ENTRY_LOAD_PAT) && !msr_is_pat(vmcs_read(VMCS_G_PAT)))
        return check_field(VMCS_G_PAT, "each byte must be a memory type");
    const char *why = entry & ENTRY_LOAD_EFER ? check_efer() : NULL;
    return why ? why : check_all_canonical(addresses, COUNT(addresses));
}

static const char *check_segments(void)
{
    for (unsigned s = 0; s < SEG_COUNT; s++) {
        const char *why = check_segment(s);
        if (why)
            return why;
    }
    return NULL;
}

/* "Checks on Guest Descriptor-Table Registers" */
static const char *check_tables(void)
{
    static const enum vmcs_field bases[] = { VMCS_G_GDTR_BASE, VMCS_G_IDTR_BASE };
    if (vmcs_read(VMCS_G_GDTR_LIMIT) >> 16)
        return check_field(VMCS_G_GDTR_LIMIT, "bits 31:16 must be 0");
    if (vmcs_read(VMCS_G_IDTR_LIMIT) >> 16)
        return check_field(VMCS_G_IDTR_LIMIT, "bits 31:16 must be 0");
    return check_all_canonical(bases, COUNT(bases));
}

/* "Checks on Guest RIP, RFLAGS, and SSP" */
static const char *check_rip_and_rflags(void)
{
    uint64_t rip = vmcs_read(VMCS_G_RIP), rflags = vmcs_read(VMCS_G_RFLAGS);
    uint32_t event = vmcs_read(VMCS_ENTRY_EVENT);
    bool code64 = is_ia32e() && (vmcs_read(VMCS_G_CS_AR) & SEG_AR_L);
    if (!code64 && rip >> 32)
        return check_field(VMCS_G_RIP, "bits 63:32 must be 0 outside 64-bit code");
    if (code64 && !is_canonical(rip))
        return check_field(VMCS_G_RIP, "must be canonical");
    if ((rflags & ~0x3F7FD7UL) || !(rflags & RFLAGS_FIXED))
        return check_field(VMCS_G_RFLAGS, "bit 1 must be 1 and reserved bits 0");
    if ((rflags & RFLAGS_VM) && (is_ia32e() || !(vmcs_read(VMCS_G_CR0) & CR0_PE)))
        return check_field(VMCS_G_RFLAGS, "VM wants CR0.PE=1 and no IA-32e mode");
    if ((event & EVENT_VALID) && EVENT_TYPE(event) == EVENT_EXTINT && !(rflags & RFLAGS_IF))
        return check_field(VMCS_G_RFLAGS, "IF must be 1 when an interrupt is injected");
    return NULL;
}

/* "Checks on Guest Non-Register State" */
static const char *check_interruptibility(void)
{
    uint64_t state = vmcs_read(VMCS_G_INTERRUPTIBILITY), rflags = vmcs_read(VMCS_G_RFLAGS);
    uint32_t event = vmcs_read(VMCS_ENTRY_EVENT);
    bool extint = (event & EVENT_VALID) && EVENT_TYPE(event) == EVENT_EXTINT;
    bool nmi = (event & EVENT_VALID) && EVENT_TYPE(event) == EVENT_NMI;
    if (state & ~0x1FUL)
        return check_field(VMCS_G_INTERRUPTIBILITY, "reserved bits must be 0");
    if ((state & SHADOW_STI) && (state & SHADOW_MOV_SS))
        return check_field(VMCS_G_INTERRUPTIBILITY, "not blocked by STI and MOV SS at once");
    if ((state & SHADOW_STI) && !(rflags & RFLAGS_IF))
        return check_field(VMCS_G_INTERRUPTIBILITY, "blocking by STI wants RFLAGS.IF=1");
    if (extint && (state & (SHADOW_STI | SHADOW_MOV_SS)))
        return check_field(VMCS_G_INTERRUPTIBILITY, "no shadow when an interrupt is injected");
    if (nmi && (state & SHADOW_MOV_SS))
        return check_field(VMCS_G_INTERRUPTIBILITY, "no MOV-SS shadow when an NMI is injected");
    if (nmi && (state & BLOCKED_NMI) && (vmcs_read(VMCS_PIN_CTLS) & PIN_VIRTUAL_NMI))
        return check_field(VMCS_G_INTERRUPTIBILITY, "NMIs blocked when one is injected");
    if (state & BLOCKED_SMI)
        return check_field(VMCS_G_INTERRUPTIBILITY, "blocking by SMI is only for SMM");
    return NULL;
}

static const char *check_pending_debug(void)
{
    uint64_t pending = vmcs_read(VMCS_G_PENDING_DEBUG);
    uint64_t state = vmcs_read(VMCS_G_INTERRUPTIBILITY);
    bool steps =
        (vmcs_read(VMCS_G_RFLAGS) & RFLAGS_TF) && !(vmcs_read(VMCS_G_DEBUGCTL) & DEBUGCTL_BTF);
    if (pending & ~0x1500FUL)
        return check_field(VMCS_G_PENDING_DEBUG, "reserved bits must be 0");
    if (!(state & (SHADOW_STI | SHADOW_MOV_SS)))
        return NULL;
    if (steps != !!(pending & PENDING_DEBUG_BS))
        return check_field(VMCS_G_PENDING_DEBUG, "BS must agree with RFLAGS.TF in a shadow");
    return NULL;
}

static const char *check_activity(void)
{
    if (vmcs_read(VMCS_G_ACTIVITY) != 0)
        return check_field(VMCS_G_ACTIVITY, "Caisson enters guests in the active state only");
    if (vmcs_read(VMCS_G_LINK) != UINT64_MAX)
        return check_field(VMCS_G_LINK, "must be all ones");
    return NULL;
}

/* "Checks on Guest Page-Directory-Pointer-Table Entries" */
static const char *check_pdptes(void)
{
    uint64_t reserved = 0x1E6UL | ~0UL << cpu_maddr_bits();
    bool pae = (vmcs_read(VMCS_G_CR0) & CR0_PG) && (vmcs_read(VMCS_G_CR4) & CR4_PAE);
    for (unsigned i = 0; pae && !is_ia32e() && i < 4; i++) {
        uint64_t pdpte = vmcs_read(vmcs_nth(VMCS_G_PDPTE0, i));
        if ((pdpte & 1) && (pdpte & reserved))
            return check_field(vmcs_nth(VMCS_G_PDPTE0, i), "reserved bits must be 0");
    }
    return NULL;
}

const char *check_guest(void)
{
    static const char *(*const checks[])(void) = {
        check_control_registers,
        check_debug_registers,
        check_msrs,
        check_segments,
        check_tables,
        check_rip_and_rflags,
        check_interruptibility,
        check_pending_debug,
        check_activity,
        check_pdptes,
    };
    for (unsigned i = 0; i < COUNT(checks); i++) {
        const char *why = checks[i]();
        if (why)
            return why;
    }
    return NULL;
}
