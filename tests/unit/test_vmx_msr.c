/* links: vmx/msr.c virt/msr.c virt/registers.c vmx/vmcs.c lib/fmt.c lib/string.c tests/fakes/panic.c tests/fakes/spec.c */
/*
 * vmx/msr.c: which accesses exit, where values live, which values are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "tests/fakes/spec.h"
#include "virt/msr.h"
#include "vmx/msr.h"
#include "vmx/vmcs.h"
#include "virt/registers.h"
#include "virt/virt.h"

static struct virt_vcpu v;
static uint64_t efer_asked;
static bool rdtscp;

int virt_set_efer(struct virt_vcpu *vcpu, uint64_t value)
{
    (void)vcpu;
    efer_asked = value;
    return value == 0xBAD ? -EINVAL : 0;
}

void virt_set_tsc_offset(struct virt_vcpu *vcpu, uint64_t offset)
{
    (void)vcpu;
    vmcs_write(VMCS_TSC_OFFSET, offset);
}

uint64_t virt_dr7(const struct virt_vcpu *vcpu)
{
    (void)vcpu;
    return DR7_FIXED;
}

void virt_set_segment(struct virt_vcpu *vcpu, enum seg s, const struct segment *in)
{
    (void)vcpu, (void)s, (void)in;
}

static struct cpuid_regs some_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    return (struct cpuid_regs){ .edx = leaf == 0x80000001 && rdtscp ? CPUID_EXT1D_RDTSCP : 0 };
}

static int setup(void **state)
{
    (void)state;
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    fake_cpuid = some_cpuid;
    fake_msr_count = 0;
    fake_tsc = 1000;
    rdtscp = true;
    v = (struct virt_vcpu){ .switches_calls = true, .has_tsc_aux = true };
    return 0;
}

static bool exits(const uint8_t *bitmap, uint32_t msr, bool write)
{
    uint32_t bit = (msr & 0x1FFF) + (msr >> 31) * 8192 + write * 16384;
    return bitmap[bit / 8] >> bit % 8 & 1;
}

static void test_bitmap(void **state)
{
    (void)state;
    static uint8_t bitmap[4096];
    static const struct {
        uint32_t msr;
        bool read_exits, write_exits;
    } rows[] = {
        { MSR_IA32_FS_BASE, false, false },     { MSR_IA32_KERNEL_GS_BASE, false, false },
        { MSR_IA32_LSTAR, false, true },        { MSR_IA32_SYSENTER_EIP, false, false },
        { MSR_IA32_TSC, false, true },          { MSR_IA32_PAT, false, false },
        { MSR_IA32_EFER, false, true },         { MSR_IA32_DEBUGCTL, true, true },
        { MSR_IA32_APIC_BASE, true, true },     { MSR_IA32_FEATURE_CONTROL, true, true },
        { MSR_IA32_VMX_BASIC, true, true },     { MSR_IA32_TSC_DEADLINE, true, true },
        { MSR_X2APIC_FIRST + 0xB, true, true }, { MSR_IA32_TSC_AUX, false, true },
    };
    msr_bitmap_fill(bitmap);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(exits(bitmap, rows[i].msr, false), rows[i].read_exits);
        assert_int_equal(exits(bitmap, rows[i].msr, true), rows[i].write_exits);
    }
    rdtscp = false;
    msr_bitmap_fill(bitmap);
    assert_true(exits(bitmap, MSR_IA32_TSC_AUX, false));
}

static void test_homes(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(virt_msr_write(&v, MSR_IA32_FS_BASE, 0x1234), 0);
    assert_int_equal(vmcs_read(VMCS_G_FS_BASE), 0x1234);
    assert_true(virt_msr_read(&v, MSR_IA32_FS_BASE, &value));
    assert_int_equal(value, 0x1234);

    assert_int_equal(virt_msr_write(&v, MSR_IA32_LSTAR, 0x5678), 0);
    assert_int_equal(rdmsr(MSR_IA32_LSTAR), 0x5678);
    assert_int_equal(v.soft_msr[SOFT_LSTAR], 0x5678);

    assert_int_equal(virt_msr_write(&v, MSR_IA32_TSC, 50), 0);
    assert_true(virt_msr_read(&v, MSR_IA32_TSC, &value));
    assert_int_equal(value, 50);
    assert_int_equal(virt_msr_write(&v, MSR_IA32_EFER, 0x500), 0);
    assert_int_equal(efer_asked, 0x500);
    assert_false(virt_msr_read(&v, MSR_IA32_APIC_BASE, &value));
    assert_int_equal(virt_msr_write(&v, MSR_IA32_APIC_BASE, 0), -ENOENT);
}

/* Two vCPUs take turns on a pCPU: each has what it wrote, and of what SWAPGS changes what it is by
 * then. Written is what differs; on another pCPU all of it. */
static void test_turns(void **state)
{
    static const uint32_t number[] = { MSR_IA32_STAR,  MSR_IA32_LSTAR,   MSR_IA32_CSTAR,
                                       MSR_IA32_FMASK, MSR_IA32_TSC_AUX, MSR_IA32_KERNEL_GS_BASE };
    struct virt_vcpu other = v;

    (void)state;
    registers_arrive(&v);
    registers_load(&v);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(virt_msr_write(&v, number[i], 0x100 + i), 0);
    registers_save(&v);
    registers_arrive(&other);
    registers_load(&other);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(rdmsr(number[i]), 0);
    assert_int_equal(virt_msr_write(&other, MSR_IA32_LSTAR, 0x101), 0);
    registers_save(&other);
    wrmsr(MSR_IA32_LSTAR, 0xBAD); /* seen if it is written again */
    registers_load(&v);
    assert_int_equal(rdmsr(MSR_IA32_LSTAR), 0xBAD);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(i == 1 || rdmsr(number[i]) == 0x100 + i, true);
    wrmsr(MSR_IA32_KERNEL_GS_BASE, 0x77); /* SWAPGS */
    registers_save(&v);
    registers_load(&other);
    assert_int_equal(rdmsr(MSR_IA32_KERNEL_GS_BASE), 0);
    registers_save(&other);
    registers_arrive(&v);
    registers_load(&v);
    assert_int_equal(rdmsr(MSR_IA32_LSTAR), 0x101);
    assert_int_equal(rdmsr(MSR_IA32_KERNEL_GS_BASE), 0x77);
    registers_save(&v);
    wrmsr(MSR_IA32_TSC_AUX, 5); /* which this processor has not */
    v.has_tsc_aux = v.switches_calls = false;
    registers_arrive(&v);
    registers_load(&v);
    assert_int_equal(rdmsr(MSR_IA32_TSC_AUX), 5);
}

static void test_refused_values(void **state)
{
    (void)state;
    static const struct {
        uint32_t msr;
        uint64_t value;
    } bad[] = {
        { MSR_IA32_FS_BASE, 1UL << 47 },
        { MSR_IA32_LSTAR, 1UL << 63 },
        { MSR_IA32_SYSENTER_EIP, ~0UL >> 1 },
        { MSR_IA32_TSC_AUX, 1UL << 32 },
        { MSR_IA32_PAT, 2 },
        { MSR_IA32_PAT, 8UL << 56 },
        { MSR_IA32_DEBUGCTL, 1UL << 6 },
        { MSR_IA32_XSS, 1 },
        { MSR_IA32_EFER, 0xBAD },
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(virt_msr_write(&v, bad[i].msr, bad[i].value), -EINVAL);
    }
    assert_int_equal(fake_msr_count, 0);
    assert_int_equal(virt_msr_write(&v, MSR_IA32_PAT, PAT_AFTER_RESET), 0);
    assert_int_equal(virt_msr_write(&v, MSR_IA32_LSTAR, 0xFFFF800000000000), 0);
}

/* Each byte in each place, beside two neighbours that are right. */
static void test_memory_types(void **state)
{
    (void)state;
    for (unsigned place = 0; place < 8; place++) {
        for (unsigned type = 0; type < 256; type++) {
            uint64_t value = 0x0607060706070607 & ~(0xFFUL << 8 * place);
            bool there = type < 8 && type != 2 && type != 3;
            assert_int_equal(msr_is_pat(value | (uint64_t)type << 8 * place), there);
        }
    }
}

/* Guests get the registers that the machine has, and no others. */
static void test_speculation(void **state)
{
    static uint8_t bitmap[4096];
    uint64_t value;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        bool ctrl = i & 1, flush = i & 2;
        fake_spec = (struct fake_spec){ .has_ctrl = ctrl, .has_flush = flush };
        msr_bitmap_fill(bitmap);
        assert_int_equal(exits(bitmap, MSR_IA32_SPEC_CTRL, false), !ctrl);
        assert_int_equal(exits(bitmap, MSR_IA32_SPEC_CTRL, true), !ctrl);
        assert_true(exits(bitmap, MSR_IA32_PRED_CMD, false));
        assert_int_equal(exits(bitmap, MSR_IA32_PRED_CMD, true), !ctrl);
        assert_true(exits(bitmap, MSR_IA32_FLUSH_CMD, false));
        assert_int_equal(exits(bitmap, MSR_IA32_FLUSH_CMD, true), !flush);
        assert_true(exits(bitmap, MSR_IA32_ARCH_CAPABILITIES, false));
        assert_true(exits(bitmap, MSR_IA32_ARCH_CAPABILITIES, true));
    }
    assert_false(virt_msr_read(&v, MSR_IA32_ARCH_CAPABILITIES, &value));
    fake_spec = (struct fake_spec){ .has_capabilities = true, .capabilities = 0x2B };
    assert_true(virt_msr_read(&v, MSR_IA32_ARCH_CAPABILITIES, &value));
    assert_int_equal(value, 0x2B);
    assert_int_equal(virt_msr_write(&v, MSR_IA32_ARCH_CAPABILITIES, 0x2B), -ENOENT);
    fake_spec = (struct fake_spec){ 0 };
}

/* Where no exit keeps it, IA32_SPEC_CTRL goes and comes with the vCPU, and is nobody's in between;
 * where one does, it is not touched here. */
static void test_spec_ctrl(void **state)
{
    (void)state;
    spec_switch.guest_ctrl = true;
    wrmsr(MSR_IA32_SPEC_CTRL, 5);
    registers_save(&v);
    assert_int_equal(v.spec_ctrl, 5);
    assert_int_equal(rdmsr(MSR_IA32_SPEC_CTRL), 0);
    registers_load(&v);
    assert_int_equal(rdmsr(MSR_IA32_SPEC_CTRL), 5);
    registers_reset(&v);
    assert_int_equal(rdmsr(MSR_IA32_SPEC_CTRL) | v.spec_ctrl, 0);
    spec_switch.guest_ctrl = false;
    wrmsr(MSR_IA32_SPEC_CTRL, 1);
    v.spec_ctrl = 4;
    registers_save(&v);
    registers_load(&v);
    assert_int_equal(v.spec_ctrl, 4);
    assert_int_equal(rdmsr(MSR_IA32_SPEC_CTRL), 1);
    registers_reset(&v);
    assert_int_equal(v.spec_ctrl, 0);
    assert_int_equal(rdmsr(MSR_IA32_SPEC_CTRL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bitmap, setup),
        cmocka_unit_test_setup(test_homes, setup),
        cmocka_unit_test_setup(test_turns, setup),
        cmocka_unit_test_setup(test_refused_values, setup),
        cmocka_unit_test(test_memory_types),
        cmocka_unit_test_setup(test_speculation, setup),
        cmocka_unit_test_setup(test_spec_ctrl, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
