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
#include "devices/vpit.h"
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

/* What a CPU takes of the answer. */
static uint32_t rd(uint32_t offset, unsigned size, uint64_t now)
{
    uint32_t value = v.dev.ops->read(&v.dev, offset, size, now);

    return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

static void wr(uint32_t offset, unsigned size, uint32_t value)
{
    v.dev.ops->write(&v.dev, offset, size, size == 4 ? value : value | ~0u << 8 * size, 0);
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

/* A tick is never late, and not early by a nanosecond. */
static void check_scaled(uint64_t ns, uint64_t hz, uint64_t scale)
{
    unsigned __int128 now = (unsigned __int128)ns * hz / NS_PER_SEC;
    unsigned __int128 next = ((unsigned __int128)ns + 1) * hz / NS_PER_SEC;
    uint64_t t = clock_scaled(ns, scale);

    assert_true(t >= now && t <= next);
    assert_true(clock_scaled(clock_ns(t, hz), scale) >= t);
}

static void check_scale(uint64_t hz, uint64_t scale)
{
    uint64_t seed = 1;

    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        check_scaled(seed >> (2 + i % 50), hz, scale);
        uint64_t ns = clock_ns((seed >> (4 + i % 50)) * hz / NS_PER_SEC, hz); /* a tick begins */
        check_scaled(ns, hz, scale);
        check_scaled(ns ? ns - 1 : 0, hz, scale);
    }
    check_scaled((1UL << 62) - 1, hz, scale);
    assert_int_equal(clock_scaled(0, scale), 0);
}

static void test_scaled_clocks(void **state)
{
    (void)state;
    check_scale(VPM_TIMER_HZ, CLOCK_SCALE(VPM_TIMER_HZ));
    check_scale(VPIT_HZ, CLOCK_SCALE(VPIT_HZ));
    check_scale(1000000, CLOCK_SCALE(1000000));
    check_scale(3906249, CLOCK_SCALE(3906249)); /* the most that fits */
}

static void test_timer_event(void **state)
{
    uint64_t due;

    (void)state;
    start(false);
    assert_true(v.dev.ops->deadline(&v.dev) == TIME_NEVER);
    wr(VPM_SMI_COMMAND, 1, VPM_ACPI_ENABLE);
    wr(VPM_ENABLE, 2, VPM_TMR);
    due = v.dev.ops->deadline(&v.dev);
    assert_int_equal(due, clock_ns(1 << 23, VPM_TIMER_HZ));
    v.dev.ops->tick(&v.dev, due - 1);
    assert_false(sci);
    v.dev.ops->tick(&v.dev, due);
    assert_true(sci);
    assert_int_equal(rd(VPM_STATUS, 2, due), VPM_TMR);
    assert_true(v.dev.ops->deadline(&v.dev) == TIME_NEVER); /* until cleared */
    v.dev.ops->write(&v.dev, VPM_STATUS, 2, VPM_TMR, due);
    assert_false(sci);
    assert_int_equal(v.dev.ops->deadline(&v.dev), clock_ns(2 << 23, VPM_TIMER_HZ));
}

/* Reading moves the deadline away at most, whatever has become due meanwhile. */
static void test_steady(void **state)
{
    uint64_t half = clock_ns(1 << 23, VPM_TIMER_HZ);

    (void)state;
    start(false);
    wr(VPM_ENABLE, 2, VPM_TMR);
    for (uint64_t now = 0; now < 5 * half; now += half / 3) {
        for (uint32_t offset = 0; offset < VPM_BLOCK_SIZE; offset += 2) {
            uint64_t before = v.dev.ops->deadline(&v.dev);
            rd(offset, 2, now);
            assert_true(v.dev.ops->steady >> offset & 1);
            assert_true(v.dev.ops->deadline(&v.dev) >= before);
        }
        v.dev.ops->tick(&v.dev, now);
        v.dev.ops->write(&v.dev, VPM_STATUS, 2, VPM_TMR, now);
    }
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
        cmocka_unit_test_setup(test_scaled_clocks, setup),
        cmocka_unit_test_setup(test_timer_event, setup),
        cmocka_unit_test_setup(test_steady, setup),
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
