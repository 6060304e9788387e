/* links: svm/caps.c tests/fakes/log.c lib/fmt.c lib/string.c tests/fakes/panic.c */
/*
 * svm/caps.c: what is refused, each in one line, and what a lesser CPU is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "svm/caps.h"
#include "tests/fakes/log.h"
#include "virt/virt.h"

struct virt_caps virt_caps;

static uint32_t svm_bit, features, asids;
static bool has_383;

bool model_has(enum erratum e)
{
    return has_383 && e == ERRATUM_PAGE_TABLES;
}

static struct cpuid_regs leaf(uint32_t n, uint32_t sub)
{
    (void)sub;
    switch (n) {
    case 0x80000000:
        return (struct cpuid_regs){ .eax = 0x8000001F };
    case 0x80000001:
        return (struct cpuid_regs){ .ecx = svm_bit, .edx = CPUID_EXT1D_1G };
    case 0x8000000A:
        return (struct cpuid_regs){ .eax = 1, .ebx = asids, .edx = features };
    }
    return (struct cpuid_regs){ 0 };
}

static int setup(void **state)
{
    (void)state;
    fake_cpuid = leaf;
    fake_msr_count = 0;
    fake_log_reset();
    svm_bit = CPUID_EXT1C_SVM;
    features = FEATURE_NESTED_PAGING | FEATURE_NEXT_RIP | FEATURE_CLEAN_BITS;
    asids = 16;
    has_383 = false;
    return 0;
}

/* One line of level error, and no more. */
static void assert_refused(int answer, const char *why)
{
    assert_int_equal(answer, -ENODEV);
    assert_int_equal(fake_log_lines[0], 1);
    assert_true(fake_log_has(why));
}

static void test_takes_it(void **state)
{
    (void)state;
    assert_int_equal(virt_probe(VIRT_APICV_AUTO), 0);
    assert_int_equal(fake_log_lines[0], 0);
    assert_true(virt_caps.amd && virt_caps.slat_1g && !virt_caps.preemption_timer);
    assert_true(svm_has(FEATURE_NEXT_RIP) && !svm_has(FEATURE_DECODE));
    assert_int_equal(caps_svm_compare(), 0);
}

static void test_none(void **state)
{
    (void)state;
    svm_bit = 0;
    assert_refused(virt_probe(VIRT_APICV_AUTO), "AMD-V: this CPU has none");
}

static void test_erratum_383(void **state)
{
    (void)state;
    has_383 = true;
    assert_refused(virt_probe(VIRT_APICV_AUTO), "(erratum 383)");
}

static void test_locked_off(void **state)
{
    (void)state;
    wrmsr(MSR_VM_CR, VM_CR_SVMDIS | VM_CR_LOCK);
    assert_refused(virt_probe(VIRT_APICV_AUTO), "AMD-V: locked off in firmware (VM_CR = 0x18)");
}

static void test_no_nested_paging(void **state)
{
    (void)state;
    features &= ~FEATURE_NESTED_PAGING;
    assert_refused(virt_probe(VIRT_APICV_AUTO), "lacks nested paging, which Caisson needs");
}

static void test_no_asid(void **state)
{
    (void)state;
    asids = 1;
    assert_refused(virt_probe(VIRT_APICV_AUTO), "has no ASID for a guest");
}

static void test_lesser_cpu(void **state)
{
    (void)state;
    assert_int_equal(virt_probe(VIRT_APICV_AUTO), 0);
    features &= ~FEATURE_NEXT_RIP;
    assert_refused(caps_svm_compare(), "lacks next RIP, which the boot CPU has");
    fake_log_reset();
    features |= FEATURE_NEXT_RIP;
    asids = 8;
    assert_refused(caps_svm_compare(), "number of ASIDs differs");
    fake_log_reset();
    asids = 64;
    features |= FEATURE_DECODE; /* more is no harm */
    assert_int_equal(caps_svm_compare(), 0);
}

/* Nobody has seen AVIC run: a CPU that has it gets it at the operator's word, and the log says so;
 * it goes by EVENTINJ, for which next RIP is wanted. */
static void test_avic(void **state)
{
    static const enum virt_apicv without[] = { VIRT_APICV_AUTO, VIRT_APICV_OFF, VIRT_APICV_TPR };

    (void)state;
    assert_int_equal(virt_probe(VIRT_APICV_ON), 0);
    assert_false(virt_caps.virtual_interrupts || fake_log_has("untried"));
    features |= FEATURE_X2AVIC; /* the one is nothing without the other */
    assert_int_equal(virt_probe(VIRT_APICV_ON), 0);
    assert_false(svm_has(FEATURE_X2AVIC) || virt_caps.x2apic);
    features |= FEATURE_AVIC;
    for (unsigned i = 0; i < 3; i++) {
        fake_log_reset();
        assert_int_equal(virt_probe(without[i]), 0);
        assert_false(svm_has(FEATURE_AVIC | FEATURE_X2AVIC));
        assert_false(virt_caps.virtual_interrupts || virt_caps.apic_access || virt_caps.x2apic);
        assert_true(fake_log_has("AVIC is untried; apicv=on uses it"));
        assert_int_equal(fake_log_lines[LOG_WARN], 0);
    }
    features &= ~FEATURE_AVIC; /* a CPU without it does as well then */
    assert_int_equal(caps_svm_compare(), 0);
    features |= FEATURE_AVIC;
    assert_int_equal(virt_probe(VIRT_APICV_ON), 0);
    assert_true(svm_has(FEATURE_AVIC) && svm_has(FEATURE_X2AVIC));
    assert_true(virt_caps.virtual_interrupts && virt_caps.apic_access && virt_caps.x2apic);
    assert_true(fake_log_has("AVIC is untried; apicv=on uses it"));
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
    features &= ~FEATURE_X2AVIC;
    assert_refused(caps_svm_compare(), "lacks x2AVIC, which the boot CPU has");
    features &= ~FEATURE_AVIC;
    fake_log_reset();
    assert_refused(caps_svm_compare(), "lacks AVIC, which the boot CPU has");
    features = (features | FEATURE_AVIC) & ~FEATURE_NEXT_RIP;
    assert_int_equal(virt_probe(VIRT_APICV_ON), 0);
    assert_false(svm_has(FEATURE_AVIC));
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_takes_it),         TEST(test_none),
        TEST(test_locked_off),       TEST(test_erratum_383),
        TEST(test_no_nested_paging), TEST(test_no_asid),
        TEST(test_lesser_cpu),       TEST(test_avic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
