/* links: arch/x86/tsc.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Conversions against the host's 128-bit division, and the calibration against pretended clocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "tests/fakes/log.h"
#include "tests/fakes/panic.h"

#define G        1000000000UL
#define YEARS100 (36525UL * 86400 * G)
#define CASES    20000

static const uint64_t rates[] = { 1000000,      5000000,    20000000,     49999937,   100000000,
                                  999999999,    1000000000, 1000000001,   2596232433, 3500000000,
                                  4000000000UL, 5123456789, 1000000000000 };

static uint64_t random64(void)
{
    return (uint64_t)(uint32_t)mrand48() << 32 | (uint32_t)mrand48();
}

static void check_ns(uint64_t hz, uint64_t ns)
{
    uint64_t ticks = tsc_from_ns(ns);
    unsigned __int128 exact = ((unsigned __int128)ns * hz + G - 1) / G;

    if (exact > UINT64_MAX)
        return;
    assert_true(tsc_to_ns(ticks) >= ns);
    assert_true(ticks >= exact);
    assert_true(ticks - exact <= 1 + hz / G);
}

static void check_ticks(uint64_t hz, uint64_t ticks)
{
    unsigned __int128 exact = (unsigned __int128)ticks * G / hz;

    if (exact > UINT64_MAX)
        exact = UINT64_MAX;
    assert_true(tsc_to_ns(ticks) <= exact);
    assert_true((uint64_t)exact - tsc_to_ns(ticks) <= 1);
}

static void test_conversions(void **state)
{
    (void)state;
    for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        tsc_set_rate(rates[r]);
        for (unsigned i = 0; i < CASES; i++) {
            check_ns(rates[r], (random64() >> (i % 64)) % YEARS100);
            check_ticks(rates[r], random64() >> (i % 64));
        }
        for (uint64_t n = 0; n < 100; n++) {
            check_ns(rates[r], n);
            check_ticks(rates[r], n);
        }
    }
}

/* Where the multiplication in line ends and the long one takes over, time still goes on. */
static void test_conversions_meet(void **state)
{
    (void)state;
    for (unsigned r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        tsc_set_rate(rates[r]);
        uint64_t most = UINT64_MAX >> tsc_rate.shift;
        assert_true(tsc_to_ns_quick(most) == tsc_to_ns(most));
        check_ticks(rates[r], most);
        if (!tsc_rate.shift)
            continue;
        check_ticks(rates[r], most + 1);
        assert_true(tsc_to_ns(most + 1) >= tsc_to_ns(most));
        assert_true(tsc_to_ns(most) >= (1UL << 63) - 1000); /* 292 years */
    }
}

static void test_extremes(void **state)
{
    (void)state;
    tsc_set_rate(4 * G);
    assert_true(tsc_from_ns(UINT64_MAX) == UINT64_MAX);
    assert_true(tsc_from_ns(UINT64_MAX - 1) == UINT64_MAX);
    tsc_set_rate(1000000);
    assert_true(tsc_to_ns(UINT64_MAX) == UINT64_MAX);
    assert_int_equal(tsc_to_ns(0), 0);
    assert_int_equal(tsc_from_ns(0), 0);
    assert_int_equal(tsc_from_ns(1), 1);
    EXPECT_PANIC(tsc_set_rate(999999));
}

/* ---- Calibration: ports that follow the pretended TSC ---- */

static uint64_t real_hz;
static bool pm_dead, pit_dead;
static uint64_t pit_start, port_reads, smi_at; /* smi_at: the read after which an SMI takes 1 ms */
static unsigned called, pit_low;
static uint32_t pit_count;
static uint32_t claimed_base_mhz, claimed_crystal;

static void meanwhile(void)
{
    called++;
    fake_tsc += real_hz / 100000; /* a FIFO of bytes */
}

static uint32_t clock_value(uint16_t port, unsigned size)
{
    if (port == 0x608 && size == 4 && !pm_dead)
        return (uint32_t)((unsigned __int128)fake_tsc * 3579545 / real_hz) & 0xFFFFFF;
    if (port != 0x61)
        return 0xFFFFFFFF;
    return !pit_dead && fake_tsc - pit_start >= (unsigned __int128)real_hz * pit_count / 1193182
               ? 0x20
               : 0;
}

static uint32_t clock_in(uint16_t port, unsigned size)
{
    uint32_t value;

    fake_tsc += real_hz / 1000000; /* a port access takes a microsecond */
    value = clock_value(port, size);
    if (++port_reads == smi_at)
        fake_tsc += real_hz / 1000;
    return value;
}

static void clock_out(uint16_t port, unsigned size, uint32_t value)
{
    (void)size;
    if (port != 0x42)
        return;
    pit_count = (value << 8 | pit_low) & 0xFFFF;
    pit_low = value;
    pit_start = fake_tsc;
}

static struct cpuid_regs clock_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    if (leaf == 0)
        return (struct cpuid_regs){ 0x16, 0, 0, 0 };
    if (leaf == 0x15 && claimed_crystal)
        return (struct cpuid_regs){ 2, 250, claimed_crystal, 0 };
    if (leaf == 0x16)
        return (struct cpuid_regs){ claimed_base_mhz, 0, 0, 0 };
    return (struct cpuid_regs){ 0, 0, 0, 0 };
}

static int setup_clocks(void **state)
{
    (void)state;
    fake_log_reset();
    fake_in = clock_in;
    fake_out = clock_out;
    fake_cpuid = clock_cpuid;
    fake_tsc = 12345;
    fake_tsc_step = 10;
    real_hz = 3 * G;
    port_reads = smi_at = called = 0;
    pm_dead = pit_dead = false;
    claimed_base_mhz = 0;
    claimed_crystal = 0;
    return 0;
}

static void assert_about(uint64_t hz)
{
    assert_in_range(tsc_hz, hz - hz / 2000, hz + hz / 2000);
}

static void test_pm_timer(void **state)
{
    uint64_t before = fake_tsc;

    (void)state;
    tsc_calibrate(0x608, meanwhile);
    assert_in_range(tsc_hz, real_hz - real_hz / 20000, real_hz + real_hz / 20000);
    assert_in_range(fake_tsc - before, real_hz / 50, real_hz / 49); /* 20 ms */
    assert_in_range(called, 1000, 2000);
    assert_true(fake_log_has("(PM timer)"));
}

/* Wherever the SMI comes, also between the readings of the two clocks, it spoils nothing. */
static void spoil(uint16_t pm_port)
{
    uint64_t reads;

    setup_clocks(NULL);
    tsc_calibrate(pm_port, meanwhile);
    reads = port_reads;
    for (unsigned i = 1; i <= reads; i += i < 10 || i > reads - 10 ? 1 : 37) {
        setup_clocks(NULL);
        smi_at = i;
        tsc_calibrate(pm_port, meanwhile);
        assert_about(real_hz);
    }
}

static void test_spoiled_by_an_smi(void **state)
{
    (void)state;
    spoil(0x608);
    spoil(0);
}

static void test_slow_counter(void **state)
{
    (void)state;
    real_hz = 5000000;
    tsc_calibrate(0x608, meanwhile);
    assert_about(real_hz);
}

static void test_pit_without_pm_timer(void **state)
{
    (void)state;
    tsc_calibrate(0, meanwhile);
    assert_about(real_hz);
    assert_true(fake_log_has("(PIT)"));
}

static void test_pit_when_pm_timer_is_dead(void **state)
{
    (void)state;
    pm_dead = true;
    tsc_calibrate(0x608, meanwhile);
    assert_about(real_hz);
    assert_true(fake_log_has("(PIT)"));
}

static void test_cpuid_confirmed(void **state)
{
    (void)state;
    claimed_crystal = 24000000; /* * 250 / 2 */
    tsc_calibrate(0x608, meanwhile);
    assert_int_equal(tsc_hz, 3 * G);
    assert_true(fake_log_has("confirmed"));
}

static void test_cpuid_lies(void **state)
{
    (void)state;
    real_hz = 100000000;
    claimed_base_mhz = 3500;
    tsc_calibrate(0x608, meanwhile);
    assert_about(real_hz);
}

static void test_only_cpuid(void **state)
{
    (void)state;
    pm_dead = pit_dead = true;
    claimed_base_mhz = 3500;
    tsc_calibrate(0x608, meanwhile);
    assert_int_equal(tsc_hz, 3500000000);
}

static void test_nothing(void **state)
{
    (void)state;
    pm_dead = pit_dead = true;
    tsc_calibrate(0x608, meanwhile);
    assert_int_equal(tsc_hz, G);
    assert_int_equal(fake_log_lines[1], 1);
}

static void test_delay(void **state)
{
    uint64_t before = fake_tsc;

    (void)state;
    tsc_set_rate(3 * G);
    tsc_delay_us(100);
    assert_in_range(fake_tsc - before, 300000, 300100);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_conversions_meet),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test_setup(test_pm_timer, setup_clocks),
        cmocka_unit_test_setup(test_spoiled_by_an_smi, setup_clocks),
        cmocka_unit_test_setup(test_slow_counter, setup_clocks),
        cmocka_unit_test_setup(test_pit_without_pm_timer, setup_clocks),
        cmocka_unit_test_setup(test_pit_when_pm_timer_is_dead, setup_clocks),
        cmocka_unit_test_setup(test_cpuid_confirmed, setup_clocks),
        cmocka_unit_test_setup(test_cpuid_lies, setup_clocks),
        cmocka_unit_test_setup(test_only_cpuid, setup_clocks),
        cmocka_unit_test_setup(test_nothing, setup_clocks),
        cmocka_unit_test_setup(test_delay, setup_clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
