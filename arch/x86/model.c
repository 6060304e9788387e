/*
 * Which CPU this is, and what is known to be wrong with it. See arch/x86/model.h.
 *
 * The list of errata is short: only those that touch what a hypervisor does, and that Caisson can
 * do something about. An emulator has the CPU's name but not its faults; it tells itself by having
 * no microcode. Bochs, the one that has VT-x, has a fault of its own instead (docs/bochs.md).
 *
 * Sources: SDM volume 2, CPUID; volume 3, "Determining the Signature" (of microcode); Intel's
 * specification updates, under the names given; AMD's "Revision Guide for AMD Family 10h
 * Processors".
 */
#include "arch/x86/model.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "lib/string.h"

#define BRAND_FIRST 0x80000002u
#define BRAND_LAST  0x80000004u
#define NEVER       UINT32_MAX

struct cpu_model cpu_model;
static uint32_t found; /* bits of enum erratum; boot only */

/* All of family 6. The preemption timer: AAJ124, AAK139, AAM126, AAN92, AAO95, AAP86, AAT59, AAU65,
 * AAX65, BA86. The deadline: from Haswell to Kaby Lake, with the revisions that Linux asks for. */
static const struct {
    uint8_t model, first_stepping, last_stepping, erratum;
    uint32_t mended_in; /* microcode revision */
} errata[] = {
    { 0x1A, 0, 5, ERRATUM_PREEMPTION_TIMER, NEVER },
    { 0x1E, 5, 5, ERRATUM_PREEMPTION_TIMER, NEVER },
    { 0x25, 2, 5, ERRATUM_PREEMPTION_TIMER, NEVER },
    { 0x2E, 6, 6, ERRATUM_PREEMPTION_TIMER, NEVER },
    { 0x3A, 8, 8, ERRATUM_PREEMPTION_TIMER, NEVER },
    { 0x3C, 0, 15, ERRATUM_TSC_DEADLINE, 0x22 },
    { 0x3D, 0, 15, ERRATUM_TSC_DEADLINE, 0x25 },
    { 0x3F, 2, 2, ERRATUM_TSC_DEADLINE, 0x3A },
    { 0x3F, 4, 4, ERRATUM_TSC_DEADLINE, 0x0F },
    { 0x45, 0, 15, ERRATUM_TSC_DEADLINE, 0x20 },
    { 0x46, 0, 15, ERRATUM_TSC_DEADLINE, 0x17 },
    { 0x47, 0, 15, ERRATUM_TSC_DEADLINE, 0x17 },
    { 0x4E, 0, 15, ERRATUM_TSC_DEADLINE, 0xB2 },
    { 0x4F, 0, 15, ERRATUM_TSC_DEADLINE, 0x0B000020 },
    { 0x55, 3, 3, ERRATUM_TSC_DEADLINE, 0x01000136 },
    { 0x55, 4, 4, ERRATUM_TSC_DEADLINE, 0x02000014 },
    { 0x56, 2, 2, ERRATUM_TSC_DEADLINE, 0x11 },
    { 0x56, 3, 3, ERRATUM_TSC_DEADLINE, 0x0700000E },
    { 0x56, 4, 4, ERRATUM_TSC_DEADLINE, 0x0F00000C },
    { 0x56, 5, 5, ERRATUM_TSC_DEADLINE, 0x0E000003 },
    { 0x5E, 0, 15, ERRATUM_TSC_DEADLINE, 0xB2 },
    { 0x8E, 0, 15, ERRATUM_TSC_DEADLINE, 0x52 },
    { 0x9E, 0, 15, ERRATUM_TSC_DEADLINE, 0x52 },
};

/* All of family 17h, Zen 2 (CVE-2023-20593), with the revisions that Linux asks for. */
static const struct {
    uint8_t first_model, last_model;
    uint32_t mended_in;
} zenbleed[] = {
    { 0x30, 0x3F, 0x0830107B }, { 0x40, 0x4F, NEVER },      { 0x60, 0x67, 0x0860010C },
    { 0x68, 0x6F, 0x08608107 }, { 0x70, 0x7F, 0x08701033 }, { 0x90, 0x91, NEVER },
    { 0xA0, 0xAF, 0x08A00009 },
};

static const char *const consequence[ERRATA] = {
    [ERRATUM_PREEMPTION_TIMER] =
        "the VMX preemption timer is wrong: done without; newer firmware may mend it",
    [ERRATUM_TSC_DEADLINE] =
        "the TSC deadline is unreliable: the local APIC counts instead; newer firmware may mend it",
    [ERRATUM_VIRTUAL_INTERRUPTS] =
        "this emulator delivers virtual interrupts to guests with IF=0: not used but with apicv=on",
    [ERRATUM_PAGE_TABLES] =
        "383: a guest that changes its page tables may stop the machine: no guests run here",
    [ERRATUM_ZENBLEED] =
        "Zenbleed: vector registers may leak: mended by DE_CFG; newer firmware mends it faster",
};

/* ---- Who it is ---- */

static void read_vendor(void)
{
    struct cpuid_regs r = cpuid(0, 0);

    memcpy(cpu_model.vendor, &r.ebx, 4);
    memcpy(cpu_model.vendor + 4, &r.edx, 4);
    memcpy(cpu_model.vendor + 8, &r.ecx, 4);
    cpu_model.intel = memcmp(cpu_model.vendor, "GenuineIntel", 12) == 0;
    cpu_model.amd = memcmp(cpu_model.vendor, "AuthenticAMD", 12) == 0;
}

/* Some CPUs begin theirs with blanks. */
static void read_brand(void)
{
    size_t blanks = 0, length;

    if (cpuid(0x80000000, 0).eax < BRAND_LAST)
        return;
    for (uint32_t leaf = BRAND_FIRST; leaf <= BRAND_LAST; leaf++) {
        struct cpuid_regs r = cpuid(leaf, 0);
        memcpy(cpu_model.brand + 16 * (leaf - BRAND_FIRST), &r, 16);
    }
    while (cpu_model.brand[blanks] == ' ')
        blanks++;
    length = strlen(cpu_model.brand + blanks);
    memmove(cpu_model.brand, cpu_model.brand + blanks, length + 1);
}

static void read_signature(void)
{
    uint32_t eax = cpuid(1, 0).eax;

    cpu_model.stepping = eax & 0xF;
    cpu_model.model = (eax >> 4 & 0xF) | (eax >> 12 & 0xF0);
    cpu_model.family = eax >> 8 & 0xF;
    if (cpu_model.family == 0xF)
        cpu_model.family += eax >> 20 & 0xFF;
}

/* An Intel CPU tells the revision only once CPUID has been asked. */
uint32_t model_microcode(void)
{
    uint64_t other = 0;

    if (!cpu_model.intel)
        return rdmsr_safe(MSR_IA32_BIOS_SIGN_ID, &other) ? 0 : (uint32_t)other;
    wrmsr(MSR_IA32_BIOS_SIGN_ID, 0);
    cpuid(1, 0);
    return (uint32_t)(rdmsr(MSR_IA32_BIOS_SIGN_ID) >> 32);
}

/* ---- What is wrong with it ---- */

static bool below_hypervisor(void)
{
    return cpuid(1, 0).ecx & CPUID_1C_HYPERVISOR;
}

/* A hypervisor that shows no microcode runs guests on a real CPU all the same. */
static bool is_emulator(void)
{
    return cpu_model.microcode == 0 && !below_hypervisor();
}

/* Of family 10h. "OS Visible Workarounds" tell of a later stepping that it is free of erratum 383.
 */
static bool has_383(void)
{
    uint64_t length, status;

    if (!(cpuid(0x80000001, 0).ecx & CPUID_EXT1C_OSVW) ||
        rdmsr_safe(MSR_AMD_OSVW_LENGTH, &length) || rdmsr_safe(MSR_AMD_OSVW_STATUS, &status))
        return true;
    return length <= OSVW_383 || (status >> OSVW_383 & 1);
}

static bool has_zenbleed(void)
{
    for (size_t i = 0; i < sizeof(zenbleed) / sizeof(zenbleed[0]); i++)
        if (cpu_model.model >= zenbleed[i].first_model && cpu_model.model <= zenbleed[i].last_model)
            return cpu_model.microcode < zenbleed[i].mended_in;
    return false;
}

/* A hypervisor below has the real CPU, and its errata. */
static uint32_t find_amd_errata(void)
{
    if (below_hypervisor())
        return 0;
    if (cpu_model.family == 0x10 && has_383())
        return 1u << ERRATUM_PAGE_TABLES;
    if (cpu_model.family == 0x17 && has_zenbleed())
        return 1u << ERRATUM_ZENBLEED;
    return 0;
}

static uint32_t find_errata(void)
{
    uint32_t bits = 0;

    if (cpu_model.amd)
        return find_amd_errata();
    if (!cpu_model.intel || cpu_model.family != 6)
        return 0;
    if (cpu_model.microcode == 0)
        return is_emulator() ? 1u << ERRATUM_VIRTUAL_INTERRUPTS : 0;
    for (size_t i = 0; i < sizeof(errata) / sizeof(errata[0]); i++) {
        if (errata[i].model == cpu_model.model && cpu_model.stepping >= errata[i].first_stepping &&
            cpu_model.stepping <= errata[i].last_stepping &&
            cpu_model.microcode < errata[i].mended_in)
            bits |= 1u << errata[i].erratum;
    }
    return bits;
}

bool model_has(enum erratum e)
{
    return found & 1u << e;
}

/* Families 0Fh and 11h have no such register: LFENCE waits there (AMD, "Software Techniques for
 * Managing Speculation on AMD Processors"). */
void model_mend(void)
{
    uint64_t now, want;

    if (!cpu_model.amd || below_hypervisor() || cpu_model.family < 0x10 ||
        cpu_model.family == 0x11 || rdmsr_safe(MSR_AMD_DE_CFG, &now))
        return;
    want = now | DE_CFG_LFENCE | (model_has(ERRATUM_ZENBLEED) ? DE_CFG_ZENBLEED : 0);
    if (want != now)
        wrmsr(MSR_AMD_DE_CFG, want);
}

void model_read(void)
{
    memset(&cpu_model, 0, sizeof(cpu_model));
    read_vendor();
    read_brand();
    read_signature();
    cpu_model.microcode = model_microcode();
    found = find_errata();
    log_info("cpu: %s, family %u model 0x%x stepping %u, microcode 0x%x",
             cpu_model.brand[0] ? cpu_model.brand : cpu_model.vendor, cpu_model.family,
             cpu_model.model, cpu_model.stepping, cpu_model.microcode);
    for (unsigned e = 0; e < ERRATA; e++) {
        if (model_has((enum erratum)e))
            log_warn("cpu: erratum: %s", consequence[e]);
    }
}
