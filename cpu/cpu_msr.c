/*
 * Registers of a guest's CPU that read a fixed value. See cpu/cpu_msr.h.
 *
 * Sources: SDM volume 4; APM volume 2, appendix A, "VM_CR MSR"; AMD's "Processor Programming
 * Reference", for HWCR, Patch Level and DE_CFG.
 */
#include "cpu/cpu_msr.h"

#include <stddef.h>

#include "arch/x86/irq.h"
#include "arch/x86/msr.h"
#include "lib/likely.h"
#include "cpu/cpu_mtrr.h"
#include "virt/virt.h"

#define NONE           UINT32_MAX /* the last row's; no CPU has this register */
#define ANY            UINT64_MAX
#define HWCR_TSC       (1u << 24) /* the TSC counts at the rate of P-state 0 */
#define VM_CR_WRITABLE 0x1Fu      /* locked: a write to them is ignored, to others refused */

struct row {
    uint32_t msr;
    uint32_t machines; /* all its bits that are as the machine's; none: it is as it stands here */
    uint64_t value;
    uint64_t ignored; /* bits that a write may change, without effect */
};

/* Both makers': machine checks, but no bank. */
#define ROWS_OF_BOTH                                                                               \
    { MSR_IA32_MTRRCAP, 0, CPU_MTRRCAP, 0 }, { MSR_IA32_MCG_CAP, 0, 0, 0 },                        \
        { MSR_IA32_MCG_STATUS, 0, 0, ANY }, { MSR_IA32_P5_MC_ADDR, 0, 0, ANY },                    \
    {                                                                                              \
        MSR_IA32_P5_MC_TYPE, 0, 0, ANY                                                             \
    }

static const struct row intel[] = {
    { MSR_IA32_BIOS_SIGN_ID, 0, 0, ANY }, /* microcode: written before CPUID */
    { MSR_IA32_PLATFORM_ID, 0, 0, 0 },
    { MSR_IA32_FEATURE_CONTROL, 0, FEATURE_CONTROL_LOCK, 0 },
    ROWS_OF_BOTH,
    { NONE, 0, 0, 0 },
};

/* Of microcode kernels ask what it has mended. cpu_msr_start() fills in what is as the machine's.
 */
static struct row amd[] = {
    { MSR_IA32_BIOS_SIGN_ID, UINT32_MAX, 0, ANY },
    { MSR_AMD_HWCR, 0, HWCR_TSC, ANY },
    { MSR_AMD_SYSCFG, 0, 0, 0 },
    { MSR_AMD_TOP_MEM, 0, 0, 0 },
    { MSR_AMD_TOP_MEM2, 0, 0, 0 },
    { MSR_AMD_INT_PENDING, 0, 0, ANY },
    { MSR_AMD_DE_CFG, DE_CFG_LFENCE, 0, ANY },
    { MSR_VM_CR, 0, VM_CR_LOCK | VM_CR_SVMDIS, VM_CR_WRITABLE }, /* off in firmware */
    ROWS_OF_BOTH,
    { NONE, 0, 0, 0 },
};

/* The four counters that every CPU of AMD's has had since the K7, and CPUID does not tell of: they
 * count nothing, and forget what is written. Not in the table, where all others would pass them. */
static bool is_counter(uint32_t msr)
{
    return virt_caps.amd && msr - MSR_AMD_EVNTSEL0 < 8;
}

/* Its row, or NULL. */
static inline const struct row *row_of(uint32_t msr)
{
    const struct row *r = virt_caps.amd ? amd : intel;

    do
        if (r->msr == msr)
            return r;
    while ((++r)->msr != NONE);
    return NULL;
}

cold void cpu_msr_start(void)
{
    uint64_t real;

    if (!virt_caps.amd)
        return;
    for (struct row *r = amd; r->msr != NONE; r++)
        if (r->machines)
            r->value = rdmsr_safe(r->msr, &real) ? 0 : real & r->machines;
}

struct msr_value cpu_msr_read(uint32_t msr)
{
    const struct row *r = row_of(msr);

    return r ? (struct msr_value){ r->value, true } : (struct msr_value){ 0, is_counter(msr) };
}

bool cpu_msr_takes(uint32_t msr, uint64_t value)
{
    const struct row *r = row_of(msr);

    if (!r)
        return is_counter(msr);
    return !((value ^ cpu_msr_read(msr).value) & ~r->ignored);
}

bool cpu_msr_is_probed(uint32_t msr)
{
    static const uint32_t probed[] = {
        0x034,      /* MSR_SMI_COUNT */
        0x04E,      /* MSR_PPIN_CTL */
        0x140,      /* MSR_MISC_FEATURES_ENABLES */
        0x606,      /* MSR_RAPL_POWER_UNIT */
        0x64E,      /* MSR_PPERF */
        0xC0011004, /* MSR_AMD64_CPUID_FN_1 */
        0xC0011005, /* MSR_AMD64_CPUID_FN_80000001 */
    };

    for (unsigned i = 0; i < sizeof(probed) / sizeof(probed[0]); i++)
        if (probed[i] == msr)
            return true;
    return false;
}
