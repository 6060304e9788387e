/*
 * The CPUID policy. See cpu/cpu_model.h. Sources: SDM volume 2, "CPUID—CPU Identification";
 * APM volume 3, appendix E.
 */
#include "cpu/cpu_model.h"
#include "arch/x86/cpu.h"
#include "arch/x86/spec.h"
#include "arch/x86/tsc.h"
#include "virt/virt.h"

#define XCR0_AVX512 (XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)
#define XCR0_SHOWN  (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

#define LEAF_MAX_BASIC    0x16u
#define LEAF_MAX_EXTENDED 0x80000008u
#define LEAF_MAX_AMD      0x80000021u /* of extended ones */

#define CPUID_7B_AVX512                                                                            \
    (CPUID_7B_AVX512F | CPUID_7B_AVX512DQ | CPUID_7B_AVX512IFMA | CPUID_7B_AVX512CD |              \
     CPUID_7B_AVX512BW | CPUID_7B_AVX512VL)
/* VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ: instructions on registers only. */
#define CPUID_7C_VECTOR 0x00005f42u
/* MOVU of SSE4A, misaligned SSE, XOP, FMA4, TBM: AMD's, on registers. */
#define CPUID_EXT1C_VECTOR (1u << 6 | 1u << 7 | 1u << 11 | 1u << 16 | 1u << 21)
#define CPUID_EXT8B_SHOWN  (CPUID_EXT8B_CLZERO | CPUID_EXT8B_ERR_PTRS | SPEC_GUEST_8B)
#define ALL                0xffffffffu

/* Bits that pass from the machine, per leaf and register. Sub-leaf 0 unless the leaf has none. */
static const struct {
    uint32_t leaf, subleaf;
    struct cpuid_regs mask;
} shown[] = {
    { 0x00, 0, { ALL, ALL, ALL, ALL } },
    { 0x01,
      0,
      { .eax = ALL,
        .ebx = 0x0000ffff, /* brand index, CLFLUSH line size */
        .ecx = CPUID_1C_SSE3 | CPUID_1C_PCLMUL | CPUID_1C_SSSE3 | CPUID_1C_FMA | CPUID_1C_CX16 |
               CPUID_1C_PCID | CPUID_1C_SSE41 | CPUID_1C_SSE42 | CPUID_1C_MOVBE | CPUID_1C_POPCNT |
               CPUID_1C_AES | CPUID_1C_XSAVE | CPUID_1C_AVX | CPUID_1C_F16C | CPUID_1C_RDRAND,
        .edx = CPUID_1D_FPU | CPUID_1D_VME | CPUID_1D_DE | CPUID_1D_PSE | CPUID_1D_TSC |
               CPUID_1D_MSR | CPUID_1D_PAE | CPUID_1D_MCE | CPUID_1D_CX8 | CPUID_1D_SEP |
               CPUID_1D_MTRR | CPUID_1D_PGE | CPUID_1D_MCA | CPUID_1D_CMOV | CPUID_1D_PAT |
               CPUID_1D_PSE36 | CPUID_1D_CLFSH | CPUID_1D_MMX | CPUID_1D_FXSR | CPUID_1D_SSE |
               CPUID_1D_SSE2 | CPUID_1D_SS } },
    { 0x02, 0, { ALL, ALL, ALL, ALL } },
    { 0x07,
      0,
      { .eax = 0,
        .ebx = CPUID_7B_FSGSBASE | CPUID_7B_TSC_ADJUST | CPUID_7B_BMI1 | CPUID_7B_AVX2 |
               CPUID_7B_FDP_EXCPTN | CPUID_7B_SMEP | CPUID_7B_BMI2 | CPUID_7B_ERMS |
               CPUID_7B_INVPCID | CPUID_7B_ZERO_FCS | CPUID_7B_AVX512 | CPUID_7B_RDSEED |
               CPUID_7B_ADX | CPUID_7B_SMAP | CPUID_7B_CLFLUSHOPT | CPUID_7B_CLWB | CPUID_7B_SHA,
        .ecx = CPUID_7C_VECTOR | CPUID_7C_UMIP | CPUID_7C_PKU | CPUID_7C_OSPKE | CPUID_7C_RDPID,
        .edx = SPEC_GUEST_7D } },
    { 0x80000000, 0, { ALL, ALL, ALL, ALL } },
    { 0x80000001,
      0,
      { .eax = ALL,
        .ecx = CPUID_EXT1C_LAHF | CPUID_EXT1C_LZCNT | CPUID_EXT1C_PREFW | CPUID_EXT1C_VECTOR |
               CPUID_EXT1C_TOPOEXT,
        .edx = CPUID_EXT1D_SYSCALL | CPUID_EXT1D_NX | CPUID_EXT1D_MMXEXT | CPUID_EXT1D_1G |
               CPUID_EXT1D_RDTSCP | CPUID_EXT1D_LM } },
    { 0x80000002, 0, { ALL, ALL, ALL, ALL } },
    { 0x80000003, 0, { ALL, ALL, ALL, ALL } },
    { 0x80000004, 0, { ALL, ALL, ALL, ALL } },
    { 0x80000005, 0, { ALL, ALL, ALL, ALL } },
    { 0x80000006, 0, { ALL, ALL, ALL, ALL } },
    { 0x80000008, 0, { .eax = 0x0000ffff, .ebx = CPUID_EXT8B_SHOWN } },
    { 0x80000019, 0, { ALL, ALL, ALL, ALL } }, /* TLB entries of 1 GiB */
    { 0x8000001A, 0, { ALL, ALL, ALL, ALL } }, /* which instructions are fast */
    { 0x80000021,
      0,
      { .eax = CPUID_EXT21A_LFENCE | CPUID_EXT21A_VERW_CLEAR | CPUID_EXT21A_NULL_BASE |
               CPUID_EXT21A_IBPB_BRTYPE | CPUID_EXT21A_SRSO_NO,
        .ecx = CPUID_EXT21C_TSA_NO } },
};

static struct cpuid_regs machine_less_hidden(uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        if (shown[i].leaf != leaf || shown[i].subleaf != subleaf)
            continue;
        struct cpuid_regs r = cpuid(leaf, subleaf);
        r.eax &= shown[i].mask.eax;
        r.ebx &= shown[i].mask.ebx;
        r.ecx &= shown[i].mask.ecx;
        r.edx &= shown[i].mask.edx;
        return r;
    }
    return (struct cpuid_regs){ 0 };
}

uint64_t cpu_model_xcr0_mask(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1C_XSAVE))
        return XCR0_X87 | XCR0_SSE;
    struct cpuid_regs r = cpuid(0xd, 0);
    return ((uint64_t)r.edx << 32 | r.eax) & XCR0_SHOWN;
}

uint64_t cpu_model_cr4_mask(void)
{
    /* CR4 bits that exist if a CPUID bit says so; all others of the first twelve always do. */
    static const struct {
        uint32_t leaf;
        uint8_t reg; /* 0 EAX .. 3 EDX */
        uint32_t bit;
        uint64_t cr4;
    } by_feature[] = {
        { 1, 2, CPUID_1C_PCID, CR4_PCIDE },        { 1, 2, CPUID_1C_XSAVE, CR4_OSXSAVE },
        { 7, 1, CPUID_7B_FSGSBASE, CR4_FSGSBASE }, { 7, 1, CPUID_7B_SMEP, CR4_SMEP },
        { 7, 1, CPUID_7B_SMAP, CR4_SMAP },         { 7, 2, CPUID_7C_UMIP, CR4_UMIP },
        { 7, 2, CPUID_7C_PKU, CR4_PKE },
    };
    uint64_t mask = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                    CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    for (unsigned i = 0; i < sizeof(by_feature) / sizeof(by_feature[0]); i++) {
        struct cpuid_regs r = machine_less_hidden(by_feature[i].leaf, 0);
        uint32_t regs[] = { r.eax, r.ebx, r.ecx, r.edx };
        if (regs[by_feature[i].reg] & by_feature[i].bit)
            mask |= by_feature[i].cr4;
    }
    return mask;
}

uint8_t cpu_model_address_bits(void)
{
    return (uint8_t)machine_less_hidden(0x80000008, 0).eax;
}

/* Leaf 0x15 holds 32 bits of Hz: a faster TSC is told as twice its half. */
static uint32_t crystal_multiple(void)
{
    return tsc_hz >> 32 ? 4 : 1;
}

uint64_t cpu_model_crystal_hz(void)
{
    return tsc_hz / crystal_multiple();
}

/* Caches as the machine has them, shared by nobody: each vCPU is a core of its own. leaf: 4 of
 * Intel's CPUs, 8000001D of AMD's. */
static struct cpuid_regs caches(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = cpuid(leaf, subleaf);

    r.eax &= 0x00003fff;
    return r;
}

/* XSAVE. The machine's XCR0 is the guest's while its vCPU is loaded, so the size of what is
 * enabled (sub-leaf 0, EBX) is right as the machine tells it. */
static struct cpuid_regs xsave_leaf(uint32_t subleaf)
{
    struct cpuid_regs r = { 0 };
    uint64_t mask = cpu_model_xcr0_mask();

    if (!(cpuid(1, 0).ecx & CPUID_1C_XSAVE))
        return r;
    if (subleaf > 1 && (subleaf > 63 || !(mask >> subleaf & 1)))
        return r;
    r = cpuid(0xd, subleaf);
    if (subleaf == 0) {
        r.eax &= (uint32_t)mask;
        r.edx &= (uint32_t)(mask >> 32);
        r.ecx = 576; /* legacy area and header, then the largest component that is shown */
        for (unsigned i = 2; i < 63; i++) {
            struct cpuid_regs part = mask >> i & 1 ? cpuid(0xd, i) : (struct cpuid_regs){ 0 };
            if (part.eax && part.ebx + part.eax > r.ecx)
                r.ecx = part.ebx + part.eax;
        }
    } else if (subleaf == 1) {
        r.eax &= CPUID_D1A_XSAVEOPT | CPUID_D1A_XSAVEC | CPUID_D1A_XGETBV1 |
                 (virt_caps.xsaves ? CPUID_D1A_XSAVES : 0);
        r.ecx = r.edx = 0; /* no supervisor state */
    }
    return r;
}

/* AMD's CPUs differ much in how many leaves they have. */
static uint32_t last_extended(void)
{
    uint32_t last = virt_caps.amd ? LEAF_MAX_AMD : LEAF_MAX_EXTENDED;
    uint32_t machines = cpuid(0x80000000, 0).eax;

    return virt_caps.amd && machines < last ? machines : last;
}

bool cpu_model_has_topoext(void)
{
    return last_extended() >= 0x8000001E && (cpuid(0x80000001, 0).ecx & CPUID_EXT1C_TOPOEXT);
}

/* Beyond their last basic leaf Intel's CPUs answer with that, and AMD's with zeros. */
static bool is_beyond(uint32_t leaf)
{
    return leaf < 0x80000000 ? leaf > LEAF_MAX_BASIC : leaf > last_extended();
}

struct cpuid_regs cpu_model_leaf(uint32_t leaf, uint32_t subleaf)
{
    if (is_beyond(leaf)) {
        if (virt_caps.amd || leaf >= 0x80000000)
            return (struct cpuid_regs){ 0 };
        leaf = LEAF_MAX_BASIC;
    }
    struct cpuid_regs r = machine_less_hidden(leaf, leaf == 7 ? subleaf : 0);
    switch (leaf) {
    case 0x0:
        r.eax = LEAF_MAX_BASIC;
        break;
    case 0x4:
        r = caches(leaf, subleaf);
        break;
    case 0x6:
        r.eax = CPUID_6A_ARAT;
        break;
    case 0xd:
        r = xsave_leaf(subleaf);
        break;
    case 0x15:
        r = (struct cpuid_regs){ 1, crystal_multiple(), (uint32_t)cpu_model_crystal_hz(), 0 };
        break;
    case 0x16: {
        uint32_t mhz = (uint32_t)((tsc_hz + 500000) / 1000000);
        r = (struct cpuid_regs){ mhz, mhz, 100, 0 };
        break;
    }
    case 0x80000000:
        r.eax = last_extended();
        break;
    case 0x80000001:
        if (!cpu_model_has_topoext())
            r.ecx &= ~CPUID_EXT1C_TOPOEXT;
        break;
    case 0x80000007:
        r.edx = CPUID_EXT7D_INVARIANT_TSC;
        break;
    case 0x8000001D:
        if (cpu_model_has_topoext())
            r = caches(leaf, subleaf);
        break;
    }
    return r;
}

struct cpuid_regs cpu_model_common(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = cpu_model_leaf(leaf, subleaf);

    if (leaf == 0x1)
        r.ecx |= CPUID_1C_X2APIC | CPUID_1C_TSC_DEADLINE | CPUID_1C_HYPERVISOR;
    if (leaf == 0x7 && subleaf == 0) {
        r.ebx |= CPUID_7B_TSC_ADJUST;
        r.ecx &= ~CPUID_7C_OSPKE;
    }
    return r;
}
