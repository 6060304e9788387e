/* links: arch/x86/model.c arch/x86/topology.c arch/x86/mtrr_sync.c lib/fmt.c lib/string.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * What the CPU says of itself: name, microcode, errata, topology; MTRRs alike; TSCs compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/mtrr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/topology.h"
#include "arch/x86/tsc_sync.c"
#include "tests/fakes/log.h"

/* A CPU, as the leaves that the code asks for. */
int rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = rdmsr(msr);
    return 0;
}

static struct {
    const char *vendor, *brand;
    uint32_t signature, logical; /* leaf 1: EAX, and the count in EBX */
    uint32_t leaves;             /* the highest */
    uint32_t microcode;          /* of an Intel CPU: CPUID puts it into the MSR */
    bool hypervisor, osvw;
    struct cpuid_regs levels[4], caches[4]; /* leaves 0x0B and 4 */
} cpu;

static struct cpuid_regs give_cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid_regs r = { 0 };

    if (leaf == 0) {
        r.eax = cpu.leaves;
        memcpy(&r.ebx, cpu.vendor, 4);
        memcpy(&r.edx, cpu.vendor + 4, 4);
        memcpy(&r.ecx, cpu.vendor + 8, 4);
    } else if (leaf == 1) {
        if (cpu.microcode)
            wrmsr(MSR_IA32_BIOS_SIGN_ID, (uint64_t)cpu.microcode << 32);
        r = (struct cpuid_regs){ cpu.signature, cpu.logical << 16,
                                 cpu.hypervisor ? CPUID_1C_HYPERVISOR : 0, 1u << 28 | 1u << 12 };
    } else if (leaf == 4 && sub < 4) {
        r = cpu.caches[sub];
    } else if (leaf == 0x0B && sub < 4) {
        r = cpu.levels[sub];
    } else if (leaf == 0x80000001) {
        r.ecx = cpu.osvw ? CPUID_EXT1C_OSVW : 0;
    } else if (leaf == 0x80000000) {
        r.eax = cpu.brand ? 0x80000004 : 0x80000001;
    } else if (leaf >= 0x80000002 && leaf <= 0x80000004) {
        char text[48] = { 0 };
        memcpy(text, cpu.brand, strlen(cpu.brand));
        memcpy(&r, text + 16 * (leaf - 0x80000002), 16);
    }
    return r;
}

static int setup(void **state)
{
    (void)state;
    memset(&cpu, 0, sizeof(cpu));
    cpu.vendor = "GenuineIntel";
    cpu.leaves = 0x16;
    fake_cpuid = give_cpuid;
    fake_msr_count = 0;
    fake_log_reset();
    return 0;
}

static void test_name(void **state)
{
    (void)state;
    cpu.brand = "      Intel(R) Xeon(R) CPU E3-1220 v3 @ 3.10GHz";
    cpu.signature = 0x000306C3;
    model_read();
    assert_string_equal(cpu_model.brand, "Intel(R) Xeon(R) CPU E3-1220 v3 @ 3.10GHz");
    assert_true(cpu_model.intel);
    assert_int_equal(cpu_model.family, 6);
    assert_int_equal(cpu_model.model, 0x3C);
    assert_int_equal(cpu_model.stepping, 3);
    assert_true(fake_log_has("E3-1220 v3 @ 3.10GHz, family 6 model 0x3c stepping 3"));
    cpu.vendor = "AuthenticAMD", cpu.brand = NULL, cpu.signature = 0x00A20F10;
    wrmsr(MSR_IA32_BIOS_SIGN_ID, 0xA201016);
    model_read();
    assert_false(cpu_model.intel);
    assert_int_equal(cpu_model.family, 0x19);
    assert_int_equal(cpu_model.microcode, 0xA201016);
    assert_true(fake_log_has("cpu: AuthenticAMD, family 25"));
}

static bool has(uint32_t signature, uint32_t microcode, enum erratum e)
{
    cpu.signature = signature;
    cpu.microcode = microcode;
    model_read();
    return model_has(e);
}

static void test_errata(void **state)
{
    (void)state;
    assert_true(has(0x00050654, 0x02000013, ERRATUM_TSC_DEADLINE));
    assert_true(fake_log_has("erratum: the TSC deadline is unreliable"));
    fake_log_reset();
    assert_false(has(0x00050654, 0x02000014, ERRATUM_TSC_DEADLINE));
    assert_false(has(0x00050657, 0x04000001, ERRATUM_TSC_DEADLINE)); /* a later stepping */
    assert_false(has(0x000A0671, 0x40, ERRATUM_TSC_DEADLINE));       /* a later model */
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
    assert_true(has(0x000306A8, 0x10, ERRATUM_PREEMPTION_TIMER));
    assert_false(has(0x000306A9, 0x10, ERRATUM_PREEMPTION_TIMER));
    assert_true(has(0x00020652, 0x11, ERRATUM_PREEMPTION_TIMER));
    assert_true(fake_log_has("erratum: the VMX preemption timer is wrong"));
}

/* Family 10h can be stopped by a guest unless it says itself that it cannot. */
static void test_amd_page_tables(void **state)
{
    (void)state;
    cpu.vendor = "AuthenticAMD";
    assert_true(has(0x00100F42, 0, ERRATUM_PAGE_TABLES));
    assert_true(fake_log_has("erratum: 383"));
    cpu.osvw = true;
    wrmsr(MSR_AMD_OSVW_LENGTH, 3); /* it knows nothing of it */
    wrmsr(MSR_AMD_OSVW_STATUS, 0);
    assert_true(has(0x00100F42, 0, ERRATUM_PAGE_TABLES));
    wrmsr(MSR_AMD_OSVW_LENGTH, 4);
    assert_false(has(0x00100F42, 0, ERRATUM_PAGE_TABLES));
    wrmsr(MSR_AMD_OSVW_STATUS, 1 << 3);
    assert_true(has(0x00100F42, 0, ERRATUM_PAGE_TABLES));
    cpu.hypervisor = true;
    assert_false(has(0x00100F42, 0, ERRATUM_PAGE_TABLES));
    cpu.hypervisor = false;
    assert_false(has(0x00600F20, 0, ERRATUM_PAGE_TABLES)); /* family 15h */
}

static uint64_t mended(uint32_t signature, uint32_t revision)
{
    wrmsr(MSR_IA32_BIOS_SIGN_ID, revision);
    wrmsr(MSR_AMD_DE_CFG, 1);
    has(signature, 0, ERRATUM_ZENBLEED);
    model_mend();
    return rdmsr(MSR_AMD_DE_CFG);
}

/* LFENCE waits on all that can be told so; Zen 2 is mended until microcode does it. */
static void test_amd_mended(void **state)
{
    (void)state;
    cpu.vendor = "AuthenticAMD";
    assert_int_equal(mended(0x00830F10, 0x08301055), 1 | DE_CFG_LFENCE | DE_CFG_ZENBLEED);
    assert_int_equal(mended(0x00830F10, 0x0830107b), 1 | DE_CFG_LFENCE);
    assert_int_equal(mended(0x00800F12, 0x08001137), 1 | DE_CFG_LFENCE); /* Zen 1 */
    assert_int_equal(mended(0x00A20F10, 0x0A201016), 1 | DE_CFG_LFENCE); /* Zen 3 */
    assert_int_equal(mended(0x00200F31, 0), 1);                          /* family 11h */
    cpu.hypervisor = true;
    assert_int_equal(mended(0x00830F10, 0x08301055), 1);
    cpu.hypervisor = false, cpu.vendor = "GenuineIntel";
    assert_int_equal(mended(0x00050654, 0), 1);
}

/* An emulator has the name, no microcode, and none of the faults but its own; nor has another
 * vendor's, nor a guest of somebody who does not show the microcode. */
static void test_no_errata(void **state)
{
    (void)state;
    assert_false(has(0x00050654, 0, ERRATUM_TSC_DEADLINE));
    assert_true(has(0x00050654, 0, ERRATUM_VIRTUAL_INTERRUPTS));
    assert_true(fake_log_has("this emulator delivers virtual interrupts to guests with IF=0"));
    fake_log_reset();
    assert_false(has(0x00050654, 0x02000014, ERRATUM_VIRTUAL_INTERRUPTS));
    cpu.hypervisor = true;
    assert_false(has(0x00050654, 0, ERRATUM_VIRTUAL_INTERRUPTS));
    cpu.vendor = "AuthenticAMD";
    wrmsr(MSR_IA32_BIOS_SIGN_ID, 1);
    assert_false(has(0x00050654, 0, ERRATUM_TSC_DEADLINE));
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
}

/* ---- Topology ---- */

static void online(unsigned n, const uint32_t *ids)
{
    cpu_count = n;
    for (unsigned i = 0; i < n; i++)
        percpu[i].apic_id = ids[i];
}

static void test_topology_by_levels(void **state)
{
    static const uint32_t ids[] = { 0, 1, 2, 3, 16, 17 };

    (void)state;
    cpu.levels[0] = (struct cpuid_regs){ 1, 2, 0x100, 0 };
    cpu.levels[1] = (struct cpuid_regs){ 4, 16, 0x201, 0 };
    cpu.caches[0] = (struct cpuid_regs){ 0x04004121, 0x01C0003F, 0x3F, 0 };
    topology_read();
    assert_int_equal(topology_core(3), 1);
    assert_int_equal(topology_package(15), 0);
    assert_int_equal(topology_package(16), 1);
    online(6, ids);
    topology_report();
    assert_true(fake_log_has("2 package(s), 3 core(s), 6 thread(s)"));
    assert_true(fake_log_has("L1 data, 32 KiB, 8 ways, lines of 64, for 2 thread(s)"));
}

static void test_topology_of_old_cpus(void **state)
{
    (void)state;
    cpu.leaves = 4;
    cpu.logical = 16;
    cpu.caches[0].eax = 7u << 26; /* eight cores */
    topology_read();
    assert_int_equal(topology_core(5), 2);
    assert_int_equal(topology_package(15), 0);
    assert_int_equal(topology_package(16), 1);
    cpu.leaves = 2;
    cpu.logical = 0;
    topology_read();
    assert_int_equal(topology_core(5), 5);
}

/* ---- MTRRs ---- */

static void test_mtrrs_become_alike(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MTRRCAP, 1u << 8 | 2);
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, 0xC06);
    wrmsr(MSR_IA32_MTRR_FIX4K_F8000, 0x0505050505050505);
    wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2, 0xC0000000);
    wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2, 0xFFC0000800);
    mtrr_keep();
    assert_int_equal(mtrr_align(), 0);
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, 0); /* as after INIT in an emulator */
    wrmsr(MSR_IA32_MTRR_FIX4K_F8000, 0);
    wrmsr(MSR_IA32_MTRR_PHYSMASK0, 1);
    fake_cr[0] = 0x80050033, fake_cr[4] = 0x1000A0;
    assert_int_equal(mtrr_align(), 3);
    assert_int_equal(rdmsr(MSR_IA32_MTRR_DEF_TYPE), 0xC06);
    assert_int_equal(rdmsr(MSR_IA32_MTRR_FIX4K_F8000), 0x0505050505050505);
    assert_int_equal(rdmsr(MSR_IA32_MTRR_PHYSMASK0), 0);
    assert_int_equal(fake_cr[0], 0x80050033);
    assert_int_equal(fake_cr[4], 0x1000A0);
    assert_int_equal(mtrr_align(), 0);
}

/* ---- TSCs ---- */

static void test_excess(void **state)
{
    (void)state;
    assert_int_equal(excess(1000, 1000, 1100), 0);
    assert_int_equal(excess(1000, 1099, 1100), 0);
    assert_int_equal(excess(1000, 1250, 1100), 200);
    assert_int_equal(excess(1000, 950, 1100), -100);
    assert_int_equal(excess(100, UINT64_MAX, 200), -151); /* it wrapped, or never started */
}

static void test_nobody_answers(void **state)
{
    (void)state;
    fake_tsc_step = 1;
    tsc_sync_compare(1);
    assert_true(fake_log_has("pCPU 1 did not answer"));
    assert_int_equal(tsc_sync_offset(1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_name, setup),
        cmocka_unit_test_setup(test_errata, setup),
        cmocka_unit_test_setup(test_amd_page_tables, setup),
        cmocka_unit_test_setup(test_amd_mended, setup),
        cmocka_unit_test_setup(test_no_errata, setup),
        cmocka_unit_test_setup(test_topology_by_levels, setup),
        cmocka_unit_test_setup(test_topology_of_old_cpus, setup),
        cmocka_unit_test_setup(test_mtrrs_become_alike, setup),
        cmocka_unit_test_setup(test_excess, setup),
        cmocka_unit_test_setup(test_nobody_answers, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
