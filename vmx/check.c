/*
 * The checks that a VM entry makes on the VMX controls and on the host-state area.
 *
 * They run only when an entry has failed, to say in words what the CPU says as "error 7" or 8.
 * Sources: SDM, "Checks on VMX Controls", "Checks on Host Control Registers, MSRs, and SSP",
 * "Checks on Host Segment and Descriptor-Table Registers".
 */
#include "vmx/check.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "lib/addr.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "virt/msr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- Helpers of all checks ---- */

const char *check_field(enum vmcs_field field, const char *rule)
{
    return check_say("%s (0x%lx): %s", vmcs_field_name(field), vmcs_read(field), rule);
}

bool check_is_maddr(uint64_t address, uint64_t alignment)
{
    return !(address & (alignment - 1)) && !(address >> cpu_maddr_bits());
}

const char *check_all_canonical(const enum vmcs_field *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!is_canonical(vmcs_read(fields[i])))
            return check_field(fields[i], "must be a canonical address");
    return NULL;
}

/* ---- Controls ---- */

static const enum vmcs_field control_fields[CTL_COUNT] = {
    [CTL_PIN] = VMCS_PIN_CTLS,   [CTL_PROC] = VMCS_PROC_CTLS,   [CTL_PROC2] = VMCS_PROC_CTLS2,
    [CTL_EXIT] = VMCS_EXIT_CTLS, [CTL_ENTRY] = VMCS_ENTRY_CTLS,
};

static const char *check_allowed(void)
{
    for (unsigned w = 0; w < CTL_COUNT; w++) {
        uint32_t value = vmcs_read(control_fields[w]);
        if (caps.must_be_1[w] & ~value)
            return check_say("%s (0x%x): bits 0x%x must be 1 on this CPU", control_word_name[w],
                             value, caps.must_be_1[w] & ~value);
        if (value & ~caps.may_be_1[w])
            return check_say("%s (0x%x): bits 0x%x must be 0 on this CPU", control_word_name[w],
                             value, value & ~caps.may_be_1[w]);
    }
    return NULL;
}

static const char *check_addresses(void)
{
    static const struct {
        uint32_t control;
        enum vmcs_field field;
    } pages[] = {
        { PROC_IO_BITMAPS, VMCS_IO_BITMAP_A },
        { PROC_IO_BITMAPS, VMCS_IO_BITMAP_B },
        { PROC_MSR_BITMAPS, VMCS_MSR_BITMAP },
    };
    uint32_t proc = vmcs_read(VMCS_PROC_CTLS);
    for (unsigned i = 0; i < COUNT(pages); i++)
        if ((proc & pages[i].control) && !check_is_maddr(vmcs_read(pages[i].field), PAGE_SIZE))
            return check_field(pages[i].field, "must be a page of the machine's memory");
    return NULL;
}

static const char *check_msr_areas(void)
{
    static const struct {
        enum vmcs_field count, address;
    } areas[] = {
        { VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_STORE },
        { VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD },
        { VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD },
    };
    for (unsigned i = 0; i < COUNT(areas); i++)
        if (vmcs_read(areas[i].count) && !check_is_maddr(vmcs_read(areas[i].address), 16))
            return check_field(areas[i].address, "must be a 16-byte aligned machine address");
    return NULL;
}

static const char *check_eptp(void)
{
    uint64_t eptp = vmcs_read(VMCS_EPT_POINTER);
    if ((eptp & 7) != EPTP_WB && (eptp & 7) != 0)
        return check_field(VMCS_EPT_POINTER, "memory type must be UC or WB");
    if ((eptp & 0x38) != EPTP_WALK4)
        return check_field(VMCS_EPT_POINTER, "walk length must be 4");
    if ((eptp & 0x40) && !(caps.ept_vpid & EPTCAP_AD))
        return check_field(VMCS_EPT_POINTER, "this CPU has no accessed and dirty bits");
    if ((eptp & 0xF80) || eptp >> cpu_maddr_bits())
        return check_field(VMCS_EPT_POINTER, "reserved bits must be 0");
    return NULL;
}

static const char *check_dependences(void)
{
    uint32_t pin = vmcs_read(VMCS_PIN_CTLS), proc = vmcs_read(VMCS_PROC_CTLS);
    uint32_t proc2 = proc & PROC_SECONDARY ? vmcs_read(VMCS_PROC_CTLS2) : 0;
    uint32_t exit = vmcs_read(VMCS_EXIT_CTLS), entry = vmcs_read(VMCS_ENTRY_CTLS);
    if ((pin & PIN_VIRTUAL_NMI) && !(pin & PIN_NMI_EXIT))
        return check_field(VMCS_PIN_CTLS, "virtual NMIs want NMI exiting");
    if ((proc & PROC_NMI_WINDOW) && !(pin & PIN_VIRTUAL_NMI))
        return check_field(VMCS_PROC_CTLS, "NMI-window exiting wants virtual NMIs");
    if ((proc2 & PROC2_VPID) && vmcs_read(VMCS_VPID) == 0)
        return check_field(VMCS_VPID, "must not be 0 when VPIDs are enabled");
    if ((proc2 & PROC2_UNRESTRICTED) && !(proc2 & PROC2_EPT))
        return check_field(VMCS_PROC_CTLS2, "unrestricted guest wants EPT");
    if ((exit & EXIT_SAVE_PREEMPTION) && !(pin & PIN_PREEMPTION))
        return check_field(VMCS_EXIT_CTLS, "saving the preemption timer wants the timer");
    if (entry & (ENTRY_SMM | ENTRY_DUAL_SMM))
        return check_field(VMCS_ENTRY_CTLS, "entry to SMM is only for SMM");
    if (vmcs_read(VMCS_CR3_TARGET_COUNT) > 4)
        return check_field(VMCS_CR3_TARGET_COUNT, "must be at most 4");
    return proc2 & PROC2_EPT ? check_eptp() : NULL;
}

static bool wants_error_code(uint32_t vector, uint32_t type)
{
    if (type != 3 || vector > 31 || !(ERROR_CODE_VECTORS & 1u << vector))
        return false;
    return vmcs_read(VMCS_G_CR0) & CR0_PE;
}

static const char *check_entry_event(void)
{
    uint32_t info = vmcs_read(VMCS_ENTRY_EVENT);
    uint32_t type = EVENT_TYPE(info), vector = EVENT_VECTOR(info);
    if (!(info & EVENT_VALID))
        return NULL;
    if (type == 1 || (info & 0x7FFFF000))
        return check_field(VMCS_ENTRY_EVENT, "type 1 and bits 30:12 are reserved");
    if (type == 2 && vector != VECTOR_NMI)
        return check_field(VMCS_ENTRY_EVENT, "an NMI has vector 2");
    if (type == 3 && vector > 31)
        return check_field(VMCS_ENTRY_EVENT, "an exception has a vector up to 31");
    if (!(info & EVENT_HAS_ERROR) != !wants_error_code(vector, type))
        return check_field(VMCS_ENTRY_EVENT,
                           "error code only, and always, with exceptions that push one, CR0.PE=1");
    if ((info & EVENT_HAS_ERROR) && (vmcs_read(VMCS_ENTRY_EVENT_ERROR) & 0xFFFF8000))
        return check_field(VMCS_ENTRY_EVENT_ERROR, "bits 31:15 must be 0");
    uint64_t len = vmcs_read(VMCS_ENTRY_INSN_LEN);
    if (type >= 4 && type <= 6 && (len < 1 || len > 15))
        return check_field(VMCS_ENTRY_INSN_LEN, "must be 1 to 15 for a software event");
    return NULL;
}

const char *check_controls(void)
{
    static const char *(*const checks[])(void) = {
        check_allowed, check_dependences, check_addresses, check_msr_areas, check_entry_event,
    };
    for (unsigned i = 0; i < COUNT(checks); i++) {
        const char *why = checks[i]();
        if (why)
            return why;
    }
    return NULL;
}

/* ---- Host state ---- */

static const char *check_host_registers(void)
{
    uint64_t cr0 = vmcs_read(VMCS_H_CR0), cr4 = vmcs_read(VMCS_H_CR4);
    if ((caps.cr0_fixed0 & ~cr0) || (cr0 & ~caps.cr0_fixed1))
        return check_field(VMCS_H_CR0, "bits fixed in VMX operation differ");
    if ((caps.cr4_fixed0 & ~cr4) || (cr4 & ~caps.cr4_fixed1))
        return check_field(VMCS_H_CR4, "bits fixed in VMX operation differ");
    if (!(cr4 & CR4_PAE))
        return check_field(VMCS_H_CR4, "PAE must be 1 for a 64-bit host");
    if (vmcs_read(VMCS_H_CR3) >> cpu_maddr_bits())
        return check_field(VMCS_H_CR3, "must be a machine address");
    if (!msr_is_pat(vmcs_read(VMCS_H_PAT)))
        return check_field(VMCS_H_PAT, "each byte must be a memory type");
    uint64_t efer = vmcs_read(VMCS_H_EFER);
    if (!(efer & EFER_LMA) || !(efer & EFER_LME))
        return check_field(VMCS_H_EFER, "LMA and LME must be 1 for a 64-bit host");
    if (!(vmcs_read(VMCS_EXIT_CTLS) & EXIT_HOST_64BIT))
        return check_field(VMCS_EXIT_CTLS, "the host address-space size must be 64 bits");
    return NULL;
}

static const char *check_host_selectors(void)
{
    static const enum vmcs_field selectors[] = {
        VMCS_H_ES_SEL, VMCS_H_CS_SEL, VMCS_H_SS_SEL, VMCS_H_DS_SEL,
        VMCS_H_FS_SEL, VMCS_H_GS_SEL, VMCS_H_TR_SEL,
    };
    for (unsigned i = 0; i < COUNT(selectors); i++)
        if (vmcs_read(selectors[i]) & 7)
            return check_field(selectors[i], "RPL and TI must be 0");
    if (vmcs_read(VMCS_H_CS_SEL) == 0)
        return check_field(VMCS_H_CS_SEL, "must not be null");
    if (vmcs_read(VMCS_H_TR_SEL) == 0)
        return check_field(VMCS_H_TR_SEL, "must not be null");
    return NULL;
}

const char *check_host(void)
{
    static const enum vmcs_field addresses[] = {
        VMCS_H_SYSENTER_ESP, VMCS_H_SYSENTER_EIP, VMCS_H_FS_BASE,   VMCS_H_GS_BASE,
        VMCS_H_TR_BASE,      VMCS_H_GDTR_BASE,    VMCS_H_IDTR_BASE, VMCS_H_RIP,
    };
    const char *why = check_host_registers();
    if (!why)
        why = check_host_selectors();
    return why ? why : check_all_canonical(addresses, COUNT(addresses));
}
