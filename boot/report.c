/*
 * The report on the machine. See boot/report.h and docs/hardware.md, "The report".
 */
#include "boot/report.h"

#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/irq.h"
#include "arch/x86/insn.h"
#include "arch/x86/inspect.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spec.h"
#include "arch/x86/topology.h"
#include "arch/x86/tsc.h"
#include "lib/log.h"
#include "pci/pci.h"
#include "sched/sched.h"
#include "virt/virt.h"

static void report_cpu(void)
{
    char text[96];

    log_info("report: cpu: %s, family %u model 0x%x stepping %u, microcode 0x%x, %u address bits",
             cpu_model.brand, cpu_model.family, cpu_model.model, cpu_model.stepping,
             cpu_model.microcode, cpu_maddr_bits());
    log_info("report: cpu: TSC %lu.%03lu MHz", tsc_hz / 1000000, tsc_hz / 1000 % 1000);
    for (uint32_t leaf = 1; leaf <= cpuid(0, 0).eax && leaf <= 7; leaf += 6) {
        struct cpuid_regs r = cpuid(leaf, 0);
        log_info("report: cpu: CPUID %u: %08x %08x %08x %08x", leaf, r.eax, r.ebx, r.ecx, r.edx);
    }
    spec_open(text, sizeof(text));
    log_info("report: cpu: weaknesses that Caisson does not guard against: %s",
             text[0]           ? text
             : cpu_model.intel ? "none known"
                               : "not looked up, not an Intel CPU");
}

/* 0: early VT-x does not have this one. */
static uint64_t vmx_msr(uint32_t msr)
{
    uint64_t value;

    return rdmsr_safe(msr, &value) ? 0 : value;
}

/* The capability MSRs are printed as they are read: SDM, appendix "VMX Capability Reporting
 * Facility". */
static void report_vmx(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1C_VMX)) {
        log_info("report: VT-x: none");
        return;
    }
    log_info("report: VT-x: EPT%s%s%s, VPID %s, preemption timer %s, TSC scaling %s",
             virt_caps.slat_2m ? " 2M" : "", virt_caps.slat_1g ? " 1G" : "",
             virt_caps.slat_ad ? " A/D" : "", virt_caps.vpid ? "yes" : "no",
             virt_caps.preemption_timer ? "yes" : "no", virt_caps.tsc_scaling ? "yes" : "no");
    for (uint32_t msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_EPT_VPID_CAP; msr += 4)
        log_info("report: VT-x: MSR 0x%x: %016lx %016lx %016lx %016lx", msr, vmx_msr(msr),
                 vmx_msr(msr + 1), vmx_msr(msr + 2), vmx_msr(msr + 3));
}

/* APM volume 3, "Function 8000_000Ah": SVM features. */
static void report_svm(void)
{
    struct cpuid_regs r = cpuid(0x8000000A, 0);

    log_info(
        "report: AMD-V: revision %u, %u ASIDs, features %08x, 2M%s pages, TSC scaling %s, AVIC %s",
        r.eax & 0xFF, r.ebx, r.edx, virt_caps.slat_1g ? " 1G" : "",
        virt_caps.tsc_scaling ? "yes" : "no", virt_caps.virtual_interrupts ? "on, untried" : "off");
    r = cpuid(0x80000008, 0);
    log_info("report: AMD-V: CPUID 80000008: %08x %08x %08x %08x", r.eax, r.ebx, r.ecx, r.edx);
}

static void report_memory(const struct boot_info *boot)
{
    static const char *const kinds[] = { [MEM_USABLE] = "usable",
                                         [MEM_RESERVED] = "reserved",
                                         [MEM_ACPI] = "ACPI tables",
                                         [MEM_NVS] = "ACPI NVS",
                                         [MEM_BAD] = "bad" };

    for (unsigned i = 0; i < boot->region_count; i++) {
        const struct mem_region *r = &boot->regions[i];
        log_info("report: memory: 0x%012lx to 0x%012lx %s", r->start.v, r->start.v + r->size,
                 kinds[r->kind]);
    }
}

static void report_screen(const struct boot_framebuffer *fb)
{
    if (fb->bpp)
        log_info("report: screen: %ux%u, %u bits a pixel, %u bytes a line, at 0x%lx", fb->width,
                 fb->height, fb->bpp, fb->pitch, fb->start.v);
    else
        log_info("report: screen: no framebuffer");
}

/* Beside what spec= says: on a core's other thread somebody may look on. */
static void report_smt(bool on)
{
    log_info("report: speculation: smt %s", topology_cores() == cpu_count
                                                ? "not needed, one thread a core"
                                            : on ? "on, all threads run guests"
                                                 : "off, one thread of each core runs guests");
}

static void report_sched(void)
{
    if (sched_cores())
        log_info("report: scheduling: %u core(s) run one domain at a time", sched_cores());
    else
        log_info("report: scheduling: each pCPU for itself");
}

/* All of a device on one line: large machines have hundreds. */
static void report_pci(void)
{
    char line[400];

    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
        pci_describe(d, "; ", line, sizeof(line));
        log_info("report: pci: %s", line);
    }
}

void report(const struct boot_info *boot, bool smt)
{
    log_info("report: begins; %s by %s", boot->efi ? "UEFI" : "BIOS", boot->loader_name);
    report_cpu();
    spec_report();
    report_smt(smt);
    inspect_report();
    topology_report();
    report_sched();
    if (cpu_model.amd && (cpuid(0x80000001, 0).ecx & CPUID_EXT1C_SVM))
        report_svm();
    else
        report_vmx();
    acpi_report();
    report_pci();
    report_screen(&boot->framebuffer);
    report_memory(boot);
    log_info("report: ends");
}
