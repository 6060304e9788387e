/* links: devices/vpm.c */
/*
 * The ACPI fixed hardware, register by register, in every width.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/clock.h"
#include "devices/vpm.h"

static struct vpm v;
static bool sci;
static unsigned sleeps, sleep_type;

static void on_sci(void *ctx, unsigned n, bool level)
{
    assert_ptr_equal(ctx, &sci);
    assert_int_equal(n, 9);
    sci = level;
}

static void on_sleep(void *ctx, unsigned type)
{
    assert_ptr_equal(ctx, &sleeps);
    sleeps++;
    sleep_type = type;
}

static void start(bool wide)
{
    struct vpm_bus bus = {
        .ctx = &sleeps, .sleep = on_sleep, .sci = { on_sci, &sci, 9 }, .timer_32bit = wide
    };

    sci = false;
    sleeps = 0;
    vpm_init(&v, &bus);
}

static int setup(void **state)
{
    (void)state;
    start(true);
    return 0;
}

static uint32_t rd(uint32_t offset, unsigned size, uint64_t now)
{
    return v.dev.ops->read(&v.dev, offset, size, now);
}

static void wr(uint32_t offset, unsigned size, uint32_t value)
{
    v.dev.ops->write(&v.dev, offset, size, value, 0);
}

static void test_timer(void **state)
{
    (void)state;
    assert_int_equal(rd(VPM_TIMER, 4, 0), 0);
    assert_int_equal(rd(VPM_TIMER, 4, NS_PER_SEC), 3579545);
    assert_int_equal(rd(VPM_TIMER, 4, NS_PER_SEC * 3600), (3600UL * 3579545) & 0xFFFFFFFF);
    assert_int_equal(rd(VPM_TIMER + 1, 1, NS_PER_SEC), 3579545 >> 8 & 0xFF);
    assert_int_equal(rd(VPM_TIMER + 2, 2, NS_PER_SEC), 3579545 >> 16);
    wr(VPM_TIMER, 4, 0);
    assert_int_equal(rd(VPM_TIMER, 4, NS_PER_SEC), 3579545);
    start(false);
    assert_int_equal(rd(VPM_TIMER, 4, NS_PER_SEC * 5), 5 * 3579545 & 0xFFFFFF);
}

/* The reference is counted one tick at a time. */
static void test_clock_is_exact(void **state)
{
    (void)state;
    for (uint64_t tick = 1; tick < 20000; tick++) {
        uint64_t ns = clock_ns(tick, VPM_TIMER_HZ);

        assert_int_equal(clock_ticks(ns, VPM_TIMER_HZ), tick);
        assert_int_equal(clock_ticks(ns - 1, VPM_TIMER_HZ), tick - 1);
    }
    /* A hundred years of it, at 5 GHz. */
    assert_int_equal(clock_ticks(100UL * 365 * 86400 * NS_PER_SEC, 5000000000UL),
                     100UL * 365 * 86400 * 5000000000UL);
}

static void test_timer_event(void **state)
{
    uint64_t due;

    (void)state;
    start(false);
    assert_true(v.dev.ops->deadline(&v.dev) == DEVICE_NEVER);
    wr(VPM_SMI_COMMAND, 1, VPM_ACPI_ENABLE);
    wr(VPM_ENABLE, 2, VPM_TMR);
    due = v.dev.ops->deadline(&v.dev);
    assert_int_equal(due, clock_ns(1 << 23, VPM_TIMER_HZ));
    v.dev.ops->tick(&v.dev, due - 1);
    assert_false(sci);
    v.dev.ops->tick(&v.dev, due);
    assert_true(sci);
    assert_int_equal(rd(VPM_STATUS, 2, due), VPM_TMR);
    assert_true(v.dev.ops->deadline(&v.dev) == DEVICE_NEVER); /* until cleared */
    v.dev.ops->write(&v.dev, VPM_STATUS, 2, VPM_TMR, due);
    assert_false(sci);
    assert_int_equal(v.dev.ops->deadline(&v.dev), clock_ns(2 << 23, VPM_TIMER_HZ));
}

static void test_enable(void **state)
{
    (void)state;
    wr(VPM_ENABLE, 2, 0xFFFF);
    assert_int_equal(rd(VPM_ENABLE, 2, 0), VPM_TMR | VPM_GBL | VPM_PWRBTN | VPM_RTC);
    assert_int_equal(rd(VPM_STATUS, 4, 0), (VPM_TMR | VPM_GBL | VPM_PWRBTN | VPM_RTC) << 16);
    assert_int_equal(rd(VPM_ENABLE + 1, 1, 0), (VPM_PWRBTN | VPM_RTC) >> 8);
    wr(VPM_ENABLE, 1, 0); /* the low byte alone */
    assert_int_equal(rd(VPM_ENABLE, 2, 0), VPM_PWRBTN | VPM_RTC);
    wr(VPM_STATUS, 4, VPM_GBL << 16);
    assert_int_equal(rd(VPM_ENABLE, 2, 0), VPM_GBL);
}

static void test_power_button(void **state)
{
    (void)state;
    vpm_power_button(&v);
    assert_int_equal(rd(VPM_STATUS, 2, 0), VPM_PWRBTN);
    assert_false(sci); /* not enabled */
    wr(VPM_ENABLE, 2, VPM_PWRBTN);
    assert_false(sci); /* not in ACPI mode */
    wr(VPM_SMI_COMMAND, 1, VPM_ACPI_ENABLE);
    assert_true(sci);
    wr(VPM_STATUS, 2, VPM_TMR); /* clears another bit */
    assert_true(sci);
    wr(VPM_STATUS + 1, 1, VPM_PWRBTN >> 8);
    assert_false(sci);
    assert_int_equal(rd(VPM_STATUS, 2, 0), 0);
}

static void test_rtc_alarm(void **state)
{
    (void)state;
    wr(VPM_SMI_COMMAND, 1, VPM_ACPI_ENABLE);
    vpm_rtc_alarm(&v);
    assert_int_equal(rd(VPM_STATUS, 2, 0), VPM_RTC);
    assert_false(sci); /* not enabled */
    wr(VPM_ENABLE, 2, VPM_RTC);
    assert_true(sci);
    wr(VPM_STATUS, 2, VPM_RTC);
    assert_false(sci);
    vpm_rtc_alarm(&v);
    assert_true(sci);
    v.dev.ops->reset(&v.dev, 0);
    assert_false(sci);
}

static void test_acpi_mode(void **state)
{
    (void)state;
    assert_int_equal(rd(VPM_CONTROL, 2, 0), 0);
    wr(VPM_SMI_COMMAND, 1, 0x77);
    assert_int_equal(rd(VPM_CONTROL, 2, 0), 0);
    wr(VPM_SMI_COMMAND, 1, VPM_ACPI_ENABLE);
    assert_int_equal(rd(VPM_CONTROL, 2, 0), VPM_SCI_EN);
    wr(VPM_CONTROL, 2, 0); /* only the SMI command changes it */
    assert_int_equal(rd(VPM_CONTROL, 2, 0), VPM_SCI_EN);
    wr(VPM_SMI_COMMAND, 1, VPM_ACPI_DISABLE);
    assert_int_equal(rd(VPM_CONTROL, 2, 0), 0);
    assert_int_equal(rd(VPM_SMI_COMMAND, 1, 0), 0);
}

static void test_sleep(void **state)
{
    (void)state;
    wr(VPM_CONTROL, 2, 5 << 10);
    assert_int_equal(sleeps, 0);
    assert_int_equal(rd(VPM_CONTROL, 2, 0), 5 << 10);
    wr(VPM_CONTROL, 2, 5 << 10 | VPM_SLP_EN);
    assert_int_equal(sleeps, 1);
    assert_int_equal(sleep_type, VPM_SLP_TYP_S5);
    assert_int_equal(rd(VPM_CONTROL, 2, 0), 5 << 10);
    wr(VPM_CONTROL, 1, 0xFF); /* the low byte has no part in it */
    assert_int_equal(sleeps, 1);
    wr(VPM_CONTROL + 1, 1, (3 << 10 | VPM_SLP_EN) >> 8);
    assert_int_equal(sleep_type, 3);
    wr(VPM_CONTROL, 4, 0xFFFF0000);
    assert_int_equal(sleeps, 2);
}

static void test_reset(void **state)
{
    (void)state;
    wr(VPM_SMI_COMMAND, 1, VPM_ACPI_ENABLE);
    wr(VPM_ENABLE, 2, VPM_PWRBTN);
    vpm_power_button(&v);
    assert_true(sci);
    v.dev.ops->reset(&v.dev, NS_PER_SEC);
    assert_false(sci);
    assert_int_equal(rd(VPM_STATUS, 4, NS_PER_SEC), 0);
    assert_int_equal(rd(VPM_CONTROL, 2, NS_PER_SEC), 0);
    assert_int_equal(rd(VPM_TIMER, 4, NS_PER_SEC), 3579545);
}

/* All offsets and widths that a guest can reach, aligned or not. */
static void test_any_access(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < VPM_BLOCK_SIZE; offset++) {
        for (unsigned size = 1; size <= 4; size *= 2) {
            wr(offset, size, ~0u);
            rd(offset, size, 0);
        }
    }
    assert_int_equal(rd(0x10, 4, 0), ~0u);
    assert_int_equal(rd(0x10, 2, 0), 0xFFFF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_timer, setup),
        cmocka_unit_test_setup(test_clock_is_exact, setup),
        cmocka_unit_test_setup(test_timer_event, setup),
        cmocka_unit_test_setup(test_enable, setup),
        cmocka_unit_test_setup(test_power_button, setup),
        cmocka_unit_test_setup(test_rtc_alarm, setup),
        cmocka_unit_test_setup(test_acpi_mode, setup),
        cmocka_unit_test_setup(test_sleep, setup),
        cmocka_unit_test_setup(test_reset, setup),
        cmocka_unit_test_setup(test_any_access, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
