/*
 * Setting up the calling processor's protections.
 *
 * What must be there (WP, NE, machine checks by exception) is set without asking; what may be
 * there comes from a table of CPUID bit and CR4 bit. The boot CPU says what it found.
 */
#include "arch/x86/cpu.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/log.h"

#define CPUID_EXT_MAX 0x80000000u

static const struct feature {
    const char *name;
    uint32_t leaf;
    enum { EBX, ECX, EDX } reg;
    uint32_t cpuid_bit;
    uint64_t cr4_bit;
} features[] = {
    { "PGE", 1, EDX, CPUID_1D_PGE, CR4_PGE },
    { "DE", 1, EDX, CPUID_1D_DE, CR4_DE },
    { "MCE", 1, EDX, CPUID_1D_MCE, CR4_MCE },
    { "FXSR", 1, EDX, CPUID_1D_FXSR, CR4_OSFXSR | CR4_OSXMMEXCPT },
    { "XSAVE", 1, ECX, CPUID_1C_XSAVE, CR4_OSXSAVE },
    { "SMEP", 7, EBX, CPUID_7B_SMEP, CR4_SMEP },
    { "SMAP", 7, EBX, CPUID_7B_SMAP, CR4_SMAP },
    { "UMIP", 7, ECX, CPUID_7C_UMIP, CR4_UMIP },
};

/* What the compiler puts below each frame and looks at again before the return. */
uint64_t __stack_chk_guard = 0x5d1b8e7af3c24600;
_Noreturn void __stack_chk_fail(void);

_Noreturn void __stack_chk_fail(void)
{
    panic("stack smashed");
}

static bool cpu_has(uint32_t leaf, unsigned reg, uint32_t bit)
{
    struct cpuid_regs r;

    if (cpuid(leaf & CPUID_EXT_MAX, 0).eax < leaf)
        return false;
    r = cpuid(leaf, 0);
    return (reg == EBX ? r.ebx : reg == ECX ? r.ecx : r.edx) & bit;
}

uint64_t cpu_random(void)
{
    uint64_t random = 0;

    if (cpu_has(1, ECX, CPUID_1C_RDRAND))
        asm volatile("rdrand %0" : "+r"(random) : : "cc");
    return (random ^ rdtsc()) * 0x9e3779b97f4a7c15;
}

/* Not protected itself: it changes the value that its own check would compare. */
__attribute__((no_stack_protector)) void cpu_seed_canary(void)
{
    /* The lowest byte stays 0: a string that runs over its end cannot copy it. */
    __stack_chk_guard ^= cpu_random() << 8;
}

/* Sets what of the table there is; writes the names to text. */
static uint64_t cpu_optional_cr4(char *text, size_t size)
{
    uint64_t bits = 0;
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct feature *f = &features[i];

        if (!cpu_has(f->leaf, f->reg, f->cpuid_bit))
            continue;
        bits |= f->cr4_bit;
        used += fmt_sn(text + used, size - used, " %s", f->name);
        ASSERT(used < size);
    }
    return bits;
}

void cpu_init(void)
{
    bool nx = cpu_has(0x80000001, EDX, CPUID_EXT1D_NX);
    char text[96];

    if (nx)
        wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_NXE);
    write_cr0((read_cr0() & ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW)) | CR0_MP | CR0_NE | CR0_WP);
    write_cr4(CR4_PAE | cpu_optional_cr4(text, sizeof(text)));
    wrmsr(MSR_IA32_PAT, PAGING_PAT); /* no mapping yet has the type that changes */
    if (cpu_id() == 0)
        log_info("cpu: protections WP%s%s", nx ? " NX" : "", text);
}

unsigned cpu_maddr_bits(void)
{
    if (cpuid(CPUID_EXT_MAX, 0).eax < 0x80000008)
        return 36;
    return cpuid(0x80000008, 0).eax & 0xFF;
}
