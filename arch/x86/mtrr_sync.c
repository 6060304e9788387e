/*
 * The same MTRRs on all pCPUs: memory that is write-back on one and uncached on another loses
 * writes. Firmware sets them alike; where it did not, the boot CPU's count.
 *
 * Source: SDM volume 3, "MTRR Considerations in MP Systems" and "MTRR Maintenance Programming
 * Interface". A CPU that has just started changes its own alone: the others are not concerned.
 */
#include <stdbool.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/mtrr.h"

#define CAP_FIXED    (1u << 8)
#define DEFAULT_ON   (1u << 11)
#define MAX_VARIABLE 32
#define FIXED_MSRS   11
#define MOST         (FIXED_MSRS + 2 * MAX_VARIABLE)

/* The boot CPU's; boot only. */
static struct {
    uint32_t msr;
    uint64_t value;
} kept[MOST];
static unsigned kept_count;
static uint64_t kept_default;

static void keep(uint32_t msr)
{
    kept[kept_count].msr = msr;
    kept[kept_count++].value = rdmsr(msr);
}

static bool has_mtrrs(void)
{
    return cpuid(1, 0).edx & CPUID_1D_MTRR;
}

void mtrr_keep(void)
{
    static const uint32_t fixed[FIXED_MSRS - 8] = { MSR_IA32_MTRR_FIX64K,
                                                    MSR_IA32_MTRR_FIX16K_80000,
                                                    MSR_IA32_MTRR_FIX16K_A0000 };
    uint64_t cap = has_mtrrs() ? rdmsr(MSR_IA32_MTRRCAP) : 0;
    unsigned count = (unsigned)(cap & 0xFF) < MAX_VARIABLE ? (unsigned)(cap & 0xFF) : MAX_VARIABLE;

    kept_count = 0;
    kept_default = has_mtrrs() ? rdmsr(MSR_IA32_MTRR_DEF_TYPE) : 0;
    for (unsigned i = 0; cap & CAP_FIXED && i < FIXED_MSRS; i++)
        keep(i < 3 ? fixed[i] : MSR_IA32_MTRR_FIX4K_C0000 + i - 3);
    for (unsigned i = 0; i < 2 * count; i++)
        keep(MSR_IA32_MTRR_PHYSBASE0 + i);
}

static unsigned differences(void)
{
    unsigned n = rdmsr(MSR_IA32_MTRR_DEF_TYPE) != kept_default;

    for (unsigned i = 0; i < kept_count; i++)
        n += rdmsr(kept[i].msr) != kept[i].value;
    return n;
}

/* Caches off and empty, nothing left in the TLB, MTRRs off while they change. */
static void set_all(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();

    write_cr4(cr4 & ~CR4_PGE);
    write_cr0((cr0 | CR0_CD) & ~CR0_NW);
    wbinvd();
    write_cr3(read_cr3());
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, kept_default & ~(uint64_t)DEFAULT_ON);
    for (unsigned i = 0; i < kept_count; i++)
        wrmsr(kept[i].msr, kept[i].value);
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, kept_default);
    wbinvd();
    write_cr3(read_cr3());
    write_cr0(cr0);
    write_cr4(cr4);
}

unsigned mtrr_align(void)
{
    unsigned n = has_mtrrs() ? differences() : 0;

    if (n)
        set_all();
    return n;
}
