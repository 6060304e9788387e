/* links: arch/x86/mtrr.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Memory types from pretended MTRRs: precedence, overlaps, and answers over mixed pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/mtrr.h"
#include "tests/fakes/log.h"

#define UC 0
#define WC 1
#define WT 4
#define WP 5
#define WB 6

#define MIB        (1UL << 20)
#define GIB        (1UL << 30)
#define MASK_OF(n) ((((1UL << 39) - 1) & ~((n)-1)) | 1u << 11)
#define ON         (1u << 11)
#define FIXED_ON   (1u << 10)

static int setup(void **state)
{
    (void)state;
    fake_msr_count = 0;
    fake_log_reset();
    wrmsr(MSR_IA32_MTRRCAP, 0x508);
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, ON | WB);
    return 0;
}

static void set_range(unsigned n, uint64_t start, uint64_t size, uint8_t type)
{
    wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * n, start | type);
    wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n, MASK_OF(size));
}

static void test_switched_off(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, WB);
    set_range(0, 0, GIB, WB);
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(0), GIB), UC);
}

static void test_default(void **state)
{
    (void)state;
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(0), 512 * GIB), WB);
}

static void test_range_borders(void **state)
{
    (void)state;
    set_range(0, 3 * GIB, GIB, UC);
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(3 * GIB - 4096), 4096), WB);
    assert_int_equal(mtrr_type(maddr(3 * GIB), 4096), UC);
    assert_int_equal(mtrr_type(maddr(4 * GIB - 4096), 4096), UC);
    assert_int_equal(mtrr_type(maddr(4 * GIB), 4096), WB);
    assert_int_equal(mtrr_type(maddr(3 * GIB - 1), 2), UC);
    assert_int_equal(mtrr_type(maddr(2 * GIB), GIB), WB);
    assert_int_equal(mtrr_type(maddr(2 * GIB), 4 * GIB), UC);
}

static void test_invalid_range_is_none(void **state)
{
    (void)state;
    set_range(0, 0, GIB, UC);
    wrmsr(MSR_IA32_MTRR_PHYSMASK0, MASK_OF(GIB) & ~(1UL << 11));
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(0), 4096), WB);
}

static void test_overlaps(void **state)
{
    static const struct {
        uint8_t a, b, answer;
    } rules[] = {
        { UC, WB, UC }, { WB, UC, UC }, { WT, WB, WT }, { WB, WT, WT }, { WB, WB, WB },
        { WC, WC, WC }, { WC, WB, UC }, { WP, WT, UC }, { UC, WC, UC },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        set_range(0, 0, 2 * GIB, rules[i].a);
        set_range(1, GIB, GIB, rules[i].b);
        mtrr_read();
        assert_int_equal(mtrr_type(maddr(0), GIB), rules[i].a);
        assert_int_equal(mtrr_type(maddr(GIB), GIB), rules[i].answer);
    }
}

/* The default type does not take part in overlaps, only in mixed answers. */
static void test_default_gives_way(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, ON | UC);
    set_range(0, 0, GIB, WB);
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(0), GIB), WB);
    assert_int_equal(mtrr_type(maddr(0), GIB + 1), UC);
}

static void test_fixed(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, ON | FIXED_ON | WB);
    wrmsr(MSR_IA32_MTRR_FIX64K, 0x0606060606060606);
    wrmsr(MSR_IA32_MTRR_FIX16K_80000, 0x0406060606060606);
    wrmsr(MSR_IA32_MTRR_FIX16K_A0000, 0);
    wrmsr(MSR_IA32_MTRR_FIX4K_F8000, 0x0500000000000000);
    set_range(0, 0, GIB, WT);
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(0), 0x9C000), WB);
    assert_int_equal(mtrr_type(maddr(0x9C000), 0x4000), WT);
    assert_int_equal(mtrr_type(maddr(0x98000), 0x8000), WT);
    assert_int_equal(mtrr_type(maddr(0xA0000), 4096), UC);
    assert_int_equal(mtrr_type(maddr(0xFF000), 4096), WP);
    assert_int_equal(mtrr_type(maddr(MIB), MIB), WT);
    assert_int_equal(mtrr_type(maddr(0), 2 * MIB), UC);
}

static void test_fixed_without_capability(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MTRRCAP, 8);
    wrmsr(MSR_IA32_MTRR_DEF_TYPE, ON | FIXED_ON | WB);
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(0xA0000), 4096), WB);
}

static void test_mask_with_holes(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MTRR_PHYSBASE0, UC);
    wrmsr(MSR_IA32_MTRR_PHYSMASK0, (MASK_OF(MIB) & ~GIB) | ON);
    mtrr_read();
    assert_true(fake_log_has("mask with holes"));
    assert_int_equal(mtrr_type(maddr(0), MIB), UC);
}

static void test_more_ranges_than_any_cpu(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MTRRCAP, 0xFF);
    mtrr_read();
    assert_int_equal(mtrr_type(maddr(0), MIB), WB);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_switched_off, setup),
        cmocka_unit_test_setup(test_default, setup),
        cmocka_unit_test_setup(test_range_borders, setup),
        cmocka_unit_test_setup(test_invalid_range_is_none, setup),
        cmocka_unit_test_setup(test_overlaps, setup),
        cmocka_unit_test_setup(test_default_gives_way, setup),
        cmocka_unit_test_setup(test_fixed, setup),
        cmocka_unit_test_setup(test_fixed_without_capability, setup),
        cmocka_unit_test_setup(test_mask_with_holes, setup),
        cmocka_unit_test_setup(test_more_ranges_than_any_cpu, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
