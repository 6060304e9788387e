/*
 * Capabilities: what this CPU's VT-x can do, said in words, and whether that is enough.
 *
 * One table lists every control that Caisson switches on and whether it can live without. All
 * else follows from it: the settings, the refusal and the report.
 * Sources: SDM, appendix "VMX Capability Reporting Facility".
 */
#include "vmx/caps.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/spec.h"
#include "lib/log.h"
#include "vmx/controls.h"
#include "vmx/ept.h"
#include "virt/virt.h"

struct caps caps;

const char *const control_word_name[CTL_COUNT] = {
    "pin-based controls",
    "primary processor-based controls",
    "secondary processor-based controls",
    "VM-exit controls",
    "VM-entry controls",
};

enum need { OPTIONAL, NEEDED };

static const struct control {
    enum control_word word;
    uint32_t bit;
    enum need need;
    const char *name;
} controls[] = {
    { CTL_PIN, PIN_EXTINT_EXIT, NEEDED, "external-interrupt exiting" },
    { CTL_PIN, PIN_NMI_EXIT, NEEDED, "NMI exiting" },
    { CTL_PIN, PIN_VIRTUAL_NMI, NEEDED, "virtual NMIs" },
    { CTL_PIN, PIN_PREEMPTION, OPTIONAL, "preemption timer" },
    { CTL_PIN, PIN_POSTED, OPTIONAL, "posted interrupts" },
    { CTL_PROC, PROC_TSC_OFFSET, NEEDED, "TSC offsetting" },
    { CTL_PROC, PROC_HLT_EXIT, NEEDED, "HLT exiting" },
    { CTL_PROC, PROC_MWAIT_EXIT, NEEDED, "MWAIT exiting" },
    { CTL_PROC, PROC_MONITOR_EXIT, NEEDED, "MONITOR exiting" },
    { CTL_PROC, PROC_RDPMC_EXIT, NEEDED, "RDPMC exiting" },
    { CTL_PROC, PROC_CR8_LOAD, NEEDED, "CR8-load exiting" },
    { CTL_PROC, PROC_CR8_STORE, NEEDED, "CR8-store exiting" },
    { CTL_PROC, PROC_TPR_SHADOW, OPTIONAL, "TPR shadow" },
    { CTL_PROC, PROC_MOV_DR_EXIT, NEEDED, "MOV-DR exiting" },
    { CTL_PROC, PROC_IO_BITMAPS, NEEDED, "I/O bitmaps" },
    { CTL_PROC, PROC_MSR_BITMAPS, NEEDED, "MSR bitmaps" },
    { CTL_PROC, PROC_SECONDARY, NEEDED, "secondary controls" },
    { CTL_PROC2, PROC2_EPT, NEEDED, "EPT" },
    { CTL_PROC2, PROC2_UNRESTRICTED, NEEDED, "unrestricted guest" },
    { CTL_PROC2, PROC2_VPID, OPTIONAL, "VPID" },
    { CTL_PROC2, PROC2_RDTSCP, OPTIONAL, "RDTSCP" },
    { CTL_PROC2, PROC2_INVPCID, OPTIONAL, "INVPCID" },
    { CTL_PROC2, PROC2_PAUSE_LOOP, OPTIONAL, "PAUSE-loop exiting" },
    { CTL_PROC2, PROC2_WBINVD_EXIT, OPTIONAL, "WBINVD exiting" },
    { CTL_PROC2, PROC2_APIC_ACCESS, OPTIONAL, "virtualize APIC accesses" },
    { CTL_PROC2, PROC2_APIC_REGS, OPTIONAL, "APIC-register virtualization" },
    { CTL_PROC2, PROC2_VINTR, OPTIONAL, "virtual-interrupt delivery" },
    { CTL_PROC2, PROC2_X2APIC, OPTIONAL, "virtualize x2APIC mode" },
    { CTL_PROC2, PROC2_XSAVES, OPTIONAL, "XSAVES" },
    { CTL_PROC2, PROC2_BUS_LOCK, OPTIONAL, "bus-lock detection" },
    { CTL_EXIT, EXIT_ACK_IRQ, OPTIONAL, "acknowledge interrupt on exit" },
    { CTL_EXIT, EXIT_HOST_64BIT, NEEDED, "64-bit host" },
    { CTL_EXIT, EXIT_SAVE_DEBUG, NEEDED, "save debug controls" },
    { CTL_EXIT, EXIT_SAVE_PAT, NEEDED, "save IA32_PAT" },
    { CTL_EXIT, EXIT_LOAD_PAT, NEEDED, "load host IA32_PAT" },
    { CTL_EXIT, EXIT_SAVE_EFER, NEEDED, "save IA32_EFER" },
    { CTL_EXIT, EXIT_LOAD_EFER, NEEDED, "load host IA32_EFER" },
    { CTL_ENTRY, ENTRY_LOAD_DEBUG, NEEDED, "load debug controls" },
    { CTL_ENTRY, ENTRY_LOAD_PAT, NEEDED, "load guest IA32_PAT" },
    { CTL_ENTRY, ENTRY_LOAD_EFER, NEEDED, "load guest IA32_EFER" },
};
#define CONTROL_COUNT (sizeof(controls) / sizeof(controls[0]))

/* What IA32_VMX_EPT_VPID_CAP and IA32_VMX_BASIC must have. */
static const struct {
    uint64_t bit;
    const char *name;
} ept_needs[] = {
    { EPTCAP_WALK4, "EPT with 4 levels" },
    { EPTCAP_WB, "EPT tables in write-back memory" },
    { EPTCAP_INVEPT, "INVEPT" },
};

#define BASIC_INS_OUTS_INFO (1UL << 54)
#define BASIC_TRUE_CONTROLS (1UL << 55)
#define MISC_TIMER_SHIFT    0x1FUL

static void read_allowed(struct caps *c, enum control_word word, uint32_t msr)
{
    uint64_t v = rdmsr(msr);
    c->must_be_1[word] = (uint32_t)v;
    c->may_be_1[word] = v >> 32;
}

void caps_read(struct caps *out)
{
    *out = (struct caps){ .basic = rdmsr(MSR_IA32_VMX_BASIC), .misc = rdmsr(MSR_IA32_VMX_MISC) };
    out->revision = out->basic & 0x7FFFFFFF;
    bool exact = out->basic & BASIC_TRUE_CONTROLS;
    uint32_t shift = exact ? MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS : 0;
    read_allowed(out, CTL_PIN, MSR_IA32_VMX_PINBASED_CTLS + shift);
    read_allowed(out, CTL_PROC, MSR_IA32_VMX_PROCBASED_CTLS + shift);
    read_allowed(out, CTL_EXIT, MSR_IA32_VMX_EXIT_CTLS + shift);
    read_allowed(out, CTL_ENTRY, MSR_IA32_VMX_ENTRY_CTLS + shift);
    if (out->may_be_1[CTL_PROC] & PROC_SECONDARY)
        read_allowed(out, CTL_PROC2, MSR_IA32_VMX_PROCBASED_CTLS2);
    if (out->may_be_1[CTL_PROC2] & (PROC2_EPT | PROC2_VPID))
        out->ept_vpid = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
    out->cr0_fixed0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0);
    out->cr0_fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);
    out->cr4_fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0);
    out->cr4_fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
}

static bool has_vmx(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1C_VMX)) {
        log_error("VT-x: this CPU has none (CPUID.1:ECX.VMX is clear)");
        return false;
    }
    uint64_t fc = rdmsr(MSR_IA32_FEATURE_CONTROL);
    if ((fc & FEATURE_CONTROL_LOCK) && !(fc & FEATURE_CONTROL_VMX)) {
        log_error("VT-x: locked off in firmware (IA32_FEATURE_CONTROL = 0x%lx)", fc);
        return false;
    }
    return true;
}

static bool has_needed(const struct caps *c)
{
    for (size_t i = 0; i < CONTROL_COUNT; i++)
        if (controls[i].need == NEEDED && !(c->may_be_1[controls[i].word] & controls[i].bit)) {
            log_error("VT-x: this CPU lacks %s, which Caisson needs", controls[i].name);
            return false;
        }
    for (size_t i = 0; i < sizeof(ept_needs) / sizeof(ept_needs[0]); i++)
        if (!(c->ept_vpid & ept_needs[i].bit)) {
            log_error("VT-x: this CPU lacks %s, which Caisson needs", ept_needs[i].name);
            return false;
        }
    if (!(c->ept_vpid & (EPTCAP_INVEPT_SINGLE | EPTCAP_INVEPT_ALL)) ||
        !(c->basic & BASIC_INS_OUTS_INFO)) {
        log_error("VT-x: this CPU lacks an INVEPT scope or INS/OUTS exit information");
        return false;
    }
    return true;
}

/* VPID is of use only with a way to flush it; the preemption timer of some CPUs is broken. */
static bool can_use(const struct caps *c, const struct control *ctl)
{
    if (!(c->may_be_1[ctl->word] & ctl->bit))
        return false;
    if (ctl->word == CTL_PIN && ctl->bit == PIN_PREEMPTION)
        return !model_has(ERRATUM_PREEMPTION_TIMER);
    if (ctl->word == CTL_PROC2 && ctl->bit == PROC2_VPID)
        return (c->ept_vpid & EPTCAP_INVVPID) &&
               (c->ept_vpid & (EPTCAP_INVVPID_SINGLE | EPTCAP_INVVPID_ALL));
    return true;
}

/* Each step of APIC virtualization stands on the one before (SDM, "VM-Execution Control Fields",
 * checks); registers without delivery would be half of two things. */
static void choose_apicv(struct caps *c, enum virt_apicv most)
{
    uint32_t *proc = &c->chosen[CTL_PROC], *proc2 = &c->chosen[CTL_PROC2];

    if (most == VIRT_APICV_AUTO)
        most = model_has(ERRATUM_VIRTUAL_INTERRUPTS) ? VIRT_APICV_TPR : VIRT_APICV_ON;
    if (most == VIRT_APICV_OFF)
        *proc &= ~PROC_TPR_SHADOW | c->must_be_1[CTL_PROC];
    if (most != VIRT_APICV_ON || !(*proc & PROC_TPR_SHADOW))
        *proc2 &= ~PROC2_APIC_MODES;
    if (!(*proc2 & PROC2_VINTR) || !(*proc2 & PROC2_APIC_REGS))
        *proc2 &= ~(PROC2_VINTR | PROC2_APIC_REGS);
    if (!(*proc2 & PROC2_VINTR) || !(c->chosen[CTL_EXIT] & EXIT_ACK_IRQ))
        c->chosen[CTL_PIN] &= ~PIN_POSTED;
    if (*proc & PROC_TPR_SHADOW)
        *proc &= ~(PROC_CR8_LOAD | PROC_CR8_STORE) | c->must_be_1[CTL_PROC];
}

static void choose(struct caps *c, enum virt_apicv most)
{
    for (unsigned w = 0; w < CTL_COUNT; w++)
        c->chosen[w] = c->must_be_1[w];
    for (size_t i = 0; i < CONTROL_COUNT; i++)
        if (can_use(c, &controls[i]))
            c->chosen[controls[i].word] |= controls[i].bit;
    choose_apicv(c, most);
}

static void fill_public(const struct caps *c)
{
    virt_caps = (struct virt_caps){
        .slat = EPT_FORMAT,
        .vpid = c->chosen[CTL_PROC2] & PROC2_VPID,
        .slat_1g = c->ept_vpid & EPTCAP_1G,
        .slat_2m = c->ept_vpid & EPTCAP_2M,
        .slat_ad = c->ept_vpid & EPTCAP_AD,
        .preemption_timer = c->chosen[CTL_PIN] & PIN_PREEMPTION,
        .preemption_shift = c->misc & MISC_TIMER_SHIFT,
        .true_controls = c->basic & BASIC_TRUE_CONTROLS,
        .small_code = spec_is_on(SPEC_EPT),
        .tsc_scaling = c->may_be_1[CTL_PROC2] & PROC2_TSC_SCALING,
        .pause_loop_exiting = c->chosen[CTL_PROC2] & PROC2_PAUSE_LOOP,
        .xsaves = c->chosen[CTL_PROC2] & PROC2_XSAVES,
        .bus_locks = c->chosen[CTL_PROC2] & PROC2_BUS_LOCK,
        .tpr_shadow = c->chosen[CTL_PROC] & PROC_TPR_SHADOW,
        .apic_access = c->chosen[CTL_PROC2] & PROC2_APIC_ACCESS,
        .virtual_interrupts = c->chosen[CTL_PROC2] & PROC2_VINTR,
        .x2apic = c->chosen[CTL_PROC2] & PROC2_X2APIC,
        .posted_interrupts = c->chosen[CTL_PIN] & PIN_POSTED,
        .irq_way = 200, /* the preemption timer's exit */
    };
}

static void report(void)
{
    const struct {
        bool there;
        const char *name;
    } lines[] = {
        { virt_caps.vpid, "VPID" },
        { virt_caps.slat_2m, "2 MiB EPT pages" },
        { virt_caps.slat_1g, "1 GiB EPT pages" },
        { virt_caps.slat_ad, "EPT accessed and dirty bits" },
        { virt_caps.preemption_timer, "preemption timer" },
        { virt_caps.true_controls, "true controls" },
        { virt_caps.tsc_scaling, "TSC scaling" },
        { virt_caps.pause_loop_exiting, "PAUSE-loop exiting" },
        { virt_caps.xsaves, "XSAVES" },
        { virt_caps.bus_locks, "bus-lock detection" },
        { virt_caps.tpr_shadow, "TPR shadow" },
        { virt_caps.apic_access, "APIC-access page" },
        { virt_caps.virtual_interrupts, "virtual-interrupt delivery" },
        { virt_caps.x2apic, "x2APIC virtualization" },
        { virt_caps.posted_interrupts, "posted interrupts" },
    };
    log_info("VT-x: VMCS revision 0x%x; all that is needed is there", caps.revision);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        log_info("VT-x: %-28s %s", lines[i].name, lines[i].there ? "yes" : "no, done without");
}

int virt_probe(enum virt_apicv apicv)
{
    if (!has_vmx())
        return -ENODEV;
    caps_read(&caps);
    if (!has_needed(&caps))
        return -ENODEV;
    choose(&caps, apicv);
    fill_public(&caps);
    report();
    return 0;
}

int caps_compare(const struct caps *mine)
{
    for (unsigned w = 0; w < CTL_COUNT; w++)
        if ((caps.chosen[w] & ~mine->may_be_1[w]) || (mine->must_be_1[w] & ~caps.chosen[w])) {
            log_error("VT-x: this CPU's %s differ from the boot CPU's", control_word_name[w]);
            return -ENODEV;
        }
    if ((caps.ept_vpid & ~mine->ept_vpid) || caps.revision != mine->revision) {
        log_error("VT-x: this CPU's EPT, VPID or VMCS revision differ from the boot CPU's");
        return -ENODEV;
    }
    return 0;
}

bool caps_has_invvpid_single(void)
{
    return caps.ept_vpid & EPTCAP_INVVPID_SINGLE;
}

bool caps_has_invept_single(void)
{
    return caps.ept_vpid & EPTCAP_INVEPT_SINGLE;
}
