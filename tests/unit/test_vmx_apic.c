/* links: vmx/apic.c vmx/msr.c virt/msr.c vmx/vmcs.c lib/fmt.c lib/string.c tests/fakes/panic.c tests/fakes/spec.c */
/*
 * vmx/apic.c: which controls go with which mode, which x2APIC MSRs exit then, and the fields.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "tests/fakes/panic.h"
#include "virt/registers.h"
#include "vmx/apic.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/msr.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"

struct caps caps;
static struct virt_vcpu v;
static uint8_t bitmap[4096];

int virt_set_efer(struct virt_vcpu *vcpu, uint64_t value)
{
    (void)vcpu;
    (void)value;
    return 0;
}

void virt_set_tsc_offset(struct virt_vcpu *vcpu, uint64_t offset)
{
    (void)vcpu;
    (void)offset;
}

void registers_put_soft(struct virt_vcpu *vcpu, enum virt_soft_msr which, uint64_t value)
{
    (void)vcpu;
    (void)which;
    (void)value;
}

static struct cpuid_regs no_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_regs){ 0 };
}

static int setup(void **state)
{
    (void)state;
    fake_cpuid = no_cpuid;
    memset(fake_vmcs, 0xAA, sizeof(fake_vmcs));
    caps = (struct caps){ 0 };
    caps.chosen[CTL_PROC] = PROC_TPR_SHADOW | PROC_SECONDARY;
    caps.chosen[CTL_PROC2] = PROC2_EPT | PROC2_APIC_MODES;
    caps.chosen[CTL_PIN] = PIN_EXTINT_EXIT | PIN_POSTED;
    v = (struct virt_vcpu){ 0 };
    *vmx_of(&v) = (struct vmx_vcpu){ .msr_bitmap = bitmap,
                                     .has_apic_access = true,
                                     .proc_ctls = caps.chosen[CTL_PROC],
                                     .proc2_ctls = PROC2_EPT };
    msr_bitmap_fill(bitmap);
    return 0;
}

static bool exits(uint32_t msr, bool write)
{
    uint32_t bit = (msr & 0x1FFF) + write * 16384;
    return bitmap[bit / 8] >> bit % 8 & 1;
}

static void test_new_vmcs(void **state)
{
    struct virt_vcpu_config config = { .apic_page = maddr(0x5000),
                                       .posted = maddr(0x5400),
                                       .apic_access = maddr(0x6000) };

    (void)state;
    apic_write(&config);
    assert_int_equal(vmcs_read(VMCS_APIC_PAGE), 0x5000);
    assert_int_equal(vmcs_read(VMCS_APIC_ACCESS), 0x6000);
    assert_int_equal(vmcs_read(VMCS_POSTED), 0x5400);
    assert_int_equal(vmcs_read(VMCS_TPR_THRESHOLD), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(vmcs_read(vmcs_nth(VMCS_EOI_EXIT0, i)), 0);
}

/* A field that the CPU lacks is not touched: that would be a panic. */
static void test_fields_of_steps_that_are_missing(void **state)
{
    struct virt_vcpu_config config = { 0 };

    (void)state;
    caps.chosen[CTL_PROC] = PROC_SECONDARY;
    caps.chosen[CTL_PROC2] = PROC2_EPT;
    caps.chosen[CTL_PIN] = PIN_EXTINT_EXIT;
    fake_vmcs_broken_field = VMCS_EOI_EXIT0;
    apic_write(&config);
    fake_vmcs_broken_field = 0;
    assert_int_equal(vmcs_read(VMCS_APIC_PAGE), 0xAAAAAAAAAAAAAAAA);
    virt_set_held_class(&v, 0);
}

static void test_modes(void **state)
{
    (void)state;
    virt_set_apic_mode(&v, VIRT_APIC_PAGE);
    assert_true(v.delivers);
    assert_int_equal(vmcs_read(VMCS_PROC_CTLS2),
                     PROC2_EPT | PROC2_APIC_ACCESS | PROC2_APIC_REGS | PROC2_VINTR);
    assert_int_equal(vmcs_read(VMCS_PIN_CTLS), PIN_EXTINT_EXIT | PIN_POSTED);
    assert_true(exits(0x80B, true));
    virt_set_apic_mode(&v, VIRT_APIC_MSRS);
    assert_int_equal(vmcs_read(VMCS_PROC_CTLS2),
                     PROC2_EPT | PROC2_X2APIC | PROC2_APIC_REGS | PROC2_VINTR);
    virt_set_apic_mode(&v, VIRT_APIC_OFF);
    assert_false(v.delivers);
    assert_int_equal(vmcs_read(VMCS_PROC_CTLS2), PROC2_EPT);
    assert_int_equal(vmcs_read(VMCS_PIN_CTLS), PIN_EXTINT_EXIT); /* posting wants delivery */
    assert_true(exits(0x80B, true));
    vmx_of(&v)->has_apic_access = false;
    virt_set_apic_mode(&v, VIRT_APIC_PAGE);
    assert_int_equal(vmcs_read(VMCS_PROC_CTLS2), PROC2_EPT | PROC2_APIC_REGS | PROC2_VINTR);
}

static void test_x2apic_msrs(void **state)
{
    static const struct {
        uint32_t msr;
        bool read_exits, write_exits;
    } rows[] = {
        { 0x800, true, true },   { 0x801, true, true }, { 0x802, false, true },
        { 0x808, false, false }, { 0x809, true, true }, { 0x80A, false, true },
        { 0x80B, true, false },  { 0x80E, true, true }, { 0x810, false, true },
        { 0x828, false, true },  { 0x829, true, true }, { 0x82F, true, true },
        { 0x830, true, true },   { 0x831, true, true }, { 0x832, false, true },
        { 0x838, false, true },  { 0x839, true, true }, { 0x83E, false, true },
        { 0x83F, true, false },  { 0x840, true, true }, { 0x8FF, true, true },
    };

    (void)state;
    virt_set_apic_mode(&v, VIRT_APIC_MSRS);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(exits(rows[i].msr, false), rows[i].read_exits);
        assert_int_equal(exits(rows[i].msr, true), rows[i].write_exits);
    }
}

/* x2APIC virtualization without delivery: the TPR alone is the guest's. */
static void test_x2apic_tpr_alone(void **state)
{
    (void)state;
    caps.chosen[CTL_PROC2] = PROC2_EPT | PROC2_X2APIC;
    virt_set_apic_mode(&v, VIRT_APIC_MSRS);
    assert_false(v.delivers);
    assert_false(exits(0x808, false));
    assert_false(exits(0x808, true));
    assert_true(exits(0x80B, true));
    assert_true(exits(0x802, false));
}

static void test_interrupts(void **state)
{
    static const uint64_t vectors[4] = { 1, 2, 3, 4 };

    (void)state;
    virt_set_apic_mode(&v, VIRT_APIC_PAGE);
    virt_set_interrupts(&v, 0x51, 0x40);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTS), 0x4051);
    virt_set_eoi_exits(&v, vectors);
    assert_int_equal(vmcs_read(VMCS_EOI_EXIT3), 4);
    virt_set_apic_mode(&v, VIRT_APIC_OFF);
    EXPECT_PANIC(virt_set_interrupts(&v, 0, 0));
}

static void test_held_class(void **state)
{
    (void)state;
    virt_set_held_class(&v, 5);
    assert_int_equal(vmcs_read(VMCS_TPR_THRESHOLD), 5);
    virt_set_held_class(&v, 0);
    assert_int_equal(vmcs_read(VMCS_TPR_THRESHOLD), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_new_vmcs, setup),
        cmocka_unit_test_setup(test_fields_of_steps_that_are_missing, setup),
        cmocka_unit_test_setup(test_modes, setup),
        cmocka_unit_test_setup(test_x2apic_msrs, setup),
        cmocka_unit_test_setup(test_x2apic_tpr_alone, setup),
        cmocka_unit_test_setup(test_interrupts, setup),
        cmocka_unit_test_setup(test_held_class, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
