/*
 * Capabilities: what this CPU's AMD-V can do, said in words, and whether that is enough.
 * Sources: APM volume 2, "Determining Support for SVM", "Enabling SVM"; volume 3, appendix E.
 */
#include "svm/caps.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "svm/npt.h"
#include "virt/virt.h"

#define LEAF_SVM 0x8000000Au

struct svm_caps svm_caps;

/* What Caisson uses if it is there. Nested paging is demanded. Virtual GIF is for guests that have
 * guests of their own: ours see no SVM, and their STGI and CLGI exit and are #UD. */
static const struct {
    uint32_t bit;
    const char *name;
} optional[] = {
    { FEATURE_NEXT_RIP, "next RIP" },
    { FEATURE_DECODE, "decode assists" },
    { FEATURE_FLUSH_ASID, "flush by ASID" },
    { FEATURE_CLEAN_BITS, "VMCB clean bits" },
    { FEATURE_PAUSE_FILTER, "pause filter" },
    { FEATURE_TSC_RATIO, "TSC ratio" },
    { FEATURE_AVIC, "AVIC" },
    { FEATURE_X2AVIC, "x2AVIC" },
};
#define OPTIONAL_COUNT (sizeof(optional) / sizeof(optional[0]))

static void read_caps(struct svm_caps *out)
{
    struct cpuid_regs r = cpuid(LEAF_SVM, 0);

    *out = (struct svm_caps){ .revision = (uint8_t)r.eax, .asids = r.ebx, .features = r.edx };
}

static bool has_extended_leaf(uint32_t leaf)
{
    return cpuid(0x80000000, 0).eax >= leaf;
}

int caps_svm_there(void)
{
    if (!has_extended_leaf(LEAF_SVM) || !(cpuid(0x80000001, 0).ecx & CPUID_EXT1C_SVM)) {
        log_error("AMD-V: this CPU has none (CPUID.80000001:ECX.SVM is clear)");
        return -ENODEV;
    }
    if (model_has(ERRATUM_PAGE_TABLES)) {
        log_error("AMD-V: not used on this CPU, whose guests could stop the machine (erratum 383)");
        return -ENODEV;
    }
    uint64_t vm_cr = rdmsr(MSR_VM_CR);
    if (vm_cr & VM_CR_SVMDIS) {
        log_error("AMD-V: locked off in firmware (VM_CR = 0x%lx)", vm_cr);
        return -ENODEV;
    }
    return 0;
}

/* Only at the operator's word, as it has never run. An interrupt goes by EVENTINJ with it, for
 * which a CPU is to have next RIP (event.c). */
static void choose_avic(enum virt_apicv apicv)
{
    bool there = svm_has(FEATURE_AVIC), use = there && apicv == VIRT_APICV_ON;

    if (there)
        log_at(use ? LOG_WARN : LOG_INFO, "AMD-V: AVIC is untried; apicv=on uses it");
    if (!use || !svm_has(FEATURE_NEXT_RIP))
        svm_caps.features &= ~(FEATURE_AVIC | FEATURE_X2AVIC);
}

static void fill_public(void)
{
    static const struct slat_format format = NPT_FORMAT;

    virt_caps = (struct virt_caps){
        .vpid = true,
        .slat = format,
        .slat_1g = cpuid(0x80000001, 0).edx & CPUID_EXT1D_1G,
        .slat_2m = true,
        .slat_ad = true,
        .tsc_scaling = svm_has(FEATURE_TSC_RATIO),
        .pause_loop_exiting = svm_has(FEATURE_PAUSE_FILTER),
        .apic_access = svm_has(FEATURE_AVIC),
        .virtual_interrupts = svm_has(FEATURE_AVIC),
        .x2apic = svm_has(FEATURE_X2AVIC),
        .amd = true,
        .irq_way = 1400,
        .xsaves = true, /* IA32_XSS stays 0 in the guest as in Caisson */
    };
}

static void report(void)
{
    log_info("AMD-V: revision %u, %u ASIDs, nested paging; all that is needed is there",
             svm_caps.revision, svm_caps.asids);
    for (size_t i = 0; i < OPTIONAL_COUNT; i++)
        log_info("AMD-V: %-28s %s", optional[i].name,
                 svm_has(optional[i].bit) ? "yes" : "no, done without");
}

int virt_probe(enum virt_apicv apicv)
{
    if (caps_svm_there())
        return -ENODEV;
    read_caps(&svm_caps);
    if (!svm_has(FEATURE_NESTED_PAGING)) {
        log_error("AMD-V: this CPU lacks nested paging, which Caisson needs");
        return -ENODEV;
    }
    if (svm_caps.asids < 2) {
        log_error("AMD-V: this CPU has no ASID for a guest (%u in all)", svm_caps.asids);
        return -ENODEV;
    }
    choose_avic(apicv);
    fill_public();
    report();
    return 0;
}

int caps_svm_compare(void)
{
    struct svm_caps mine;

    read_caps(&mine);
    uint32_t lacking = svm_caps.features & ~mine.features;
    if (lacking & FEATURE_NESTED_PAGING) {
        log_error("AMD-V: this CPU lacks nested paging, which the boot CPU has");
        return -ENODEV;
    }
    for (size_t i = 0; i < OPTIONAL_COUNT; i++)
        if (lacking & optional[i].bit) {
            log_error("AMD-V: this CPU lacks %s, which the boot CPU has", optional[i].name);
            return -ENODEV;
        }
    if (mine.asids < svm_caps.asids || mine.revision != svm_caps.revision) {
        log_error("AMD-V: this CPU's revision or number of ASIDs differs from the boot CPU's");
        return -ENODEV;
    }
    return 0;
}
