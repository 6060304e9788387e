/* links: svm/enable.c tests/fakes/heap.c tests/fakes/panic.c */
/*
 * svm/enable.c: AMD-V on, and what firmware left off, on a CPU with everything and on one with
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "svm/caps.h"
#include "svm/enable.h"
#include "svm/insn.h"
#include "virt/virt.h"

struct svm_caps svm_caps;

static uint32_t ext1c;
static int refusal;

int caps_svm_there(void)
{
    return refusal;
}

int caps_svm_compare(void)
{
    return 0;
}

static struct cpuid_regs leaf(uint32_t n, uint32_t sub)
{
    (void)sub;
    return (struct cpuid_regs){ .ecx = n == 0x80000001 ? ext1c : 0 };
}

static int setup(void **state)
{
    (void)state;
    fake_cpuid = leaf;
    fake_msr_count = 0;
    refusal = 0;
    ext1c = CPUID_EXT1C_SVM | CPUID_EXT1C_IBS;
    svm_caps = (struct svm_caps){ .asids = 16, .features = FEATURE_TSC_RATIO };
    wrmsr(MSR_IA32_EFER, EFER_NXE);
    wrmsr(MSR_IA32_DEBUGCTL, 3);
    wrmsr(MSR_TSC_RATIO, 3);
    wrmsr(MSR_IBS_FETCH, 1UL << 48);
    wrmsr(MSR_IBS_OP, 1UL << 17);
    return 0;
}

static void test_everything(void **state)
{
    (void)state;
    assert_int_equal(virt_cpu_enable(), 0);
    assert_int_equal(rdmsr(MSR_IA32_EFER), EFER_NXE | EFER_SVME);
    assert_true(rdmsr(MSR_VM_HSAVE_PA) != 0);
    assert_int_equal(fake_vmsaved.v, enable_host_area().v);
    assert_int_not_equal(fake_vmsaved.v, rdmsr(MSR_VM_HSAVE_PA));
    assert_int_equal(rdmsr(MSR_IA32_DEBUGCTL), 0);
    assert_int_equal(rdmsr(MSR_TSC_RATIO), TSC_RATIO_ONE);
    assert_int_equal(rdmsr(MSR_IBS_FETCH), 0);
    assert_int_equal(rdmsr(MSR_IBS_OP), 0);
    virt_cpu_disable();
    assert_int_equal(rdmsr(MSR_IA32_EFER), EFER_NXE);
    assert_int_equal(rdmsr(MSR_VM_HSAVE_PA), 0);
}

/* Registers that the CPU has not are not written: that would be #GP. */
static void test_nothing(void **state)
{
    (void)state;
    ext1c = CPUID_EXT1C_SVM;
    svm_caps.features = 0;
    assert_int_equal(virt_cpu_enable(), 0);
    assert_int_equal(rdmsr(MSR_TSC_RATIO), 3);
    assert_int_equal(rdmsr(MSR_IBS_FETCH), 1UL << 48);
    assert_int_equal(rdmsr(MSR_IBS_OP), 1UL << 17);
    virt_cpu_disable();
}

static void test_refused(void **state)
{
    (void)state;
    refusal = -ENODEV;
    assert_int_equal(virt_cpu_enable(), -ENODEV);
    assert_int_equal(rdmsr(MSR_IA32_EFER), EFER_NXE);
    assert_int_equal(rdmsr(MSR_TSC_RATIO), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_everything, setup),
        cmocka_unit_test_setup(test_nothing, setup),
        cmocka_unit_test_setup(test_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
