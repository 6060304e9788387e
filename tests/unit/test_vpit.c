/* links: devices/vpit.c devices/vpit_channel.c tests/fakes/panic.c */
/*
 * The 8254 and port 0x61, register by register and mode by mode. Time is counted in the timer's
 * own clocks: at(n) is a moment within clock n.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vpit.h"
#include "tests/fakes/line.h"

static struct vpit pit;
static struct fake_line out0;

static uint64_t at(uint64_t clock)
{
    return clock / VPIT_HZ * 1000000000 + (clock % VPIT_HZ * 1000000000 + VPIT_HZ - 1) / VPIT_HZ;
}

static int setup(void **state)
{
    (void)state;
    vpit_init(&pit, fake_line(&out0), 0);
    return 0;
}

static uint8_t in(uint32_t offset, uint64_t clock)
{
    return reg_read(&pit.dev, offset, at(clock));
}

static void out(uint32_t offset, uint8_t value, uint64_t clock)
{
    reg_write(&pit.dev, offset, value, at(clock));
}

static void tick(uint64_t clock)
{
    pit.dev.ops->tick(&pit.dev, at(clock));
}

static uint64_t deadline(void)
{
    return pit.dev.ops->deadline(&pit.dev);
}

/* Programs a channel at `clock`; its count is loaded one later. */
static void start(unsigned n, uint8_t mode, uint16_t count, uint64_t clock)
{
    out(3, (uint8_t)(n << 6 | 0x30 | mode << 1), clock);
    out(n, (uint8_t)count, clock);
    out(n, (uint8_t)(count >> 8), clock);
}

static uint16_t count(unsigned n, uint64_t clock)
{
    out(3, (uint8_t)(n << 6), clock);
    uint8_t low = in(n, clock);
    return (uint16_t)(in(n, clock) << 8 | low);
}

static uint8_t status(unsigned n, uint64_t clock)
{
    out(3, (uint8_t)(0xe0 | 2 << n), clock);
    return in(n, clock);
}

static void test_power_on(void **state)
{
    (void)state;
    tick(1000000);
    assert_int_equal(deadline(), TIME_NEVER);
    assert_int_equal(out0.rises, 0);
    assert_int_equal(in(3, 1), 0xff);
}

static void test_mode_0(void **state)
{
    (void)state;
    start(0, 0, 1000, 10);
    assert_false(out0.level);
    assert_int_equal(status(0, 10), 0x70); /* null count: not loaded yet */
    assert_int_equal(status(0, 11), 0x30);
    assert_int_equal(count(0, 11), 1000);
    assert_int_equal(count(0, 111), 900);
    assert_int_equal(deadline(), at(1011));
    tick(1010);
    assert_false(out0.level);
    tick(1011);
    assert_true(out0.level);
    assert_int_equal(deadline(), TIME_NEVER);
    assert_int_equal(count(0, 1012), 0xffff);
    out(0, 5, 2000); /* the first byte of a new count stops it, low */
    assert_false(out0.level);
    out(0, 0, 2500);
    tick(2506);
    assert_true(out0.level);
    assert_int_equal(out0.rises, 2);
}

static void test_mode_2(void **state)
{
    (void)state;
    start(0, 2, 100, 0);
    assert_int_equal(out0.rises, 1); /* the control word lifts OUT */
    assert_int_equal(count(0, 1), 100);
    assert_int_equal(count(0, 100), 1);
    assert_int_equal(status(0, 100), 0x34); /* low for the one clock */
    assert_int_equal(count(0, 101), 100);
    assert_int_equal(status(0, 101), 0xb4);
    assert_int_equal(out0.rises, 2);
    assert_int_equal(deadline(), at(201));
    tick(201);
    assert_int_equal(out0.rises, 3);
}

static void test_late_ticks_coalesce_without_drift(void **state)
{
    (void)state;
    start(0, 2, 100, 0);
    tick(1050); /* ten edges late */
    assert_int_equal(out0.rises, 2);
    assert_int_equal(deadline(), at(1101));
    for (unsigned i = 0; i < 100000; i++)
        pit.dev.ops->tick(&pit.dev, deadline());
    assert_int_equal(out0.rises, 100002);
    assert_int_equal(deadline(), at(1101 + 100000 * 100));
}

static void test_mode_2_new_count_waits(void **state)
{
    (void)state;
    start(0, 2, 100, 0);
    out(0, 50, 30);
    out(0, 0, 30);
    assert_int_equal(count(0, 31), 70);
    assert_int_equal(status(0, 31) & 0x40, 0x40);
    assert_int_equal(deadline(), at(101));
    tick(101);
    assert_int_equal(out0.rises, 2);
    assert_int_equal(count(0, 101), 50);
    assert_int_equal(deadline(), at(151));
}

static void test_mode_3(void **state)
{
    (void)state;
    start(0, 3, 5, 0);
    static const uint8_t counts[] = { 4, 2, 0, 4, 2 };
    for (unsigned i = 0; i < 15; i++) {
        assert_int_equal(count(0, 1 + i), counts[i % 5]);
        assert_int_equal(status(0, 1 + i) >> 7, i % 5 < 3);
        assert_int_equal(out0.level, i % 5 < 3);
    }
    start(0, 3, 0, 100);
    assert_int_equal(count(0, 101), 0);
    assert_int_equal(count(0, 102), 0xfffe);
    assert_int_equal(deadline(), at(101 + 65536));
}

static void test_mode_3_new_count_at_half(void **state)
{
    (void)state;
    start(0, 3, 100, 0);
    out(0, 20, 30);
    out(0, 0, 30);
    assert_int_equal(status(0, 50) >> 7, 1);
    assert_int_equal(status(0, 51) >> 7, 0); /* half of the old one, then of the new one */
    assert_int_equal(status(0, 60) >> 7, 0);
    assert_int_equal(status(0, 61) >> 7, 1);
    assert_int_equal(deadline(), at(81));
}

static void test_mode_4(void **state)
{
    (void)state;
    start(0, 4, 10, 0);
    unsigned before = out0.rises;
    assert_int_equal(deadline(), at(12));
    assert_int_equal(status(0, 10) >> 7, 1);
    assert_int_equal(status(0, 11) >> 7, 0);
    assert_int_equal(status(0, 12) >> 7, 1);
    assert_int_equal(out0.rises, before + 1);
    assert_int_equal(deadline(), TIME_NEVER);
    start(0, 4, 10, 100);
    tick(200); /* the whole strobe has been slept through */
    assert_int_equal(out0.rises, before + 2);
}

static void test_gate_triggers_modes_1_and_5(void **state)
{
    (void)state;
    start(2, 1, 10, 0);
    assert_int_equal(in(4, 5) & 0x20, 0x20);
    out(4, 1, 10);
    assert_int_equal(in(4, 11) & 0x20, 0);
    assert_int_equal(in(4, 20) & 0x20, 0);
    assert_int_equal(in(4, 21) & 0x20, 0x20);
    out(4, 0, 30);
    out(4, 1, 31); /* once more */
    assert_int_equal(in(4, 32) & 0x20, 0);
    start(2, 5, 10, 50);
    assert_int_equal(in(4, 70) & 0x20, 0x20);
    out(4, 0, 80);
    out(4, 1, 80);
    assert_int_equal(in(4, 90) & 0x20, 0x20);
    assert_int_equal(in(4, 91) & 0x20, 0);
    assert_int_equal(in(4, 92) & 0x20, 0x20);
}

static void test_gate_stops(void **state)
{
    (void)state;
    out(4, 1, 0);
    start(2, 0, 1000, 0);
    out(4, 0, 101);
    assert_int_equal(count(2, 500), 900);
    out(4, 1, 600);
    assert_int_equal(count(2, 610), 890);
    assert_int_equal(in(4, 1499) & 0x20, 0);
    assert_int_equal(in(4, 1500) & 0x20, 0x20);

    start(2, 2, 100, 2000);
    out(4, 0, 2050); /* periodic modes begin anew */
    assert_int_equal(status(2, 2300) >> 7, 1);
    out(4, 1, 2400);
    assert_int_equal(count(2, 2401), 100);
    out(4, 0, 2410);
    start(2, 3, 100, 2420); /* written under a low gate: waits for it */
    assert_int_equal(status(2, 2500) & 0x40, 0x40);
    out(4, 1, 2600);
    assert_int_equal(count(2, 2601), 100);
}

static void test_linux_calibration(void **state)
{
    (void)state;
    out(4, (in(4, 0) & ~2) | 1, 0); /* gate on, speaker off, as Linux does */
    start(2, 0, 59659, 1);
    assert_int_equal(in(4, 59660) & 0x20, 0);
    assert_int_equal(in(4, 59661) & 0x20, 0x20);
}

static void test_port_61(void **state)
{
    (void)state;
    out(4, 0xff, 0);
    assert_int_equal(in(4, 0) & 0x0f, 0x0f);
    assert_int_equal(in(4, 0) & 0xc0, 0);
    assert_int_equal(in(4, 17) & 0x10, 0);
    assert_int_equal(in(4, 18) & 0x10, 0x10);
    assert_int_equal(in(4, 36) & 0x10, 0);
}

static void test_bcd(void **state)
{
    (void)state;
    out(3, 0x31, 0);
    out(0, 0x34, 0);
    out(0, 0x12, 0);
    assert_int_equal(count(0, 1), 0x1234);
    assert_int_equal(count(0, 36), 0x1199);
    assert_int_equal(count(0, 1236), 0x9999);
    out(3, 0x31, 2000);
    out(0, 0, 2000);
    out(0, 0, 2000);
    tick(12000);
    assert_false(out0.level);
    tick(12001);
    assert_true(out0.level); /* 0 is 10,000 */
}

static void test_single_byte_accesses(void **state)
{
    (void)state;
    out(3, 0x10, 0); /* low byte only */
    out(0, 200, 0);
    assert_int_equal(in(0, 1), 200);
    assert_int_equal(in(0, 2), 199);
    out(3, 0x20, 10); /* high byte only */
    out(0, 2, 10);
    assert_int_equal(in(0, 11), 2);
    assert_int_equal(in(0, 12), 1);
    out(3, 0x00, 12);
    assert_int_equal(in(0, 400), 1); /* latched */
    assert_int_equal(in(0, 400), 0);
    out(3, 0x30, 500); /* both, live, in turn */
    out(0, 0x34, 500);
    out(0, 0x12, 500);
    assert_int_equal(in(0, 501), 0x34);
    assert_int_equal(in(0, 501), 0x12);
    assert_int_equal(in(0, 501), 0x34);
}

static void test_latches(void **state)
{
    (void)state;
    start(0, 0, 1000, 0);
    start(1, 2, 500, 0);
    out(3, 0x00, 101);
    out(3, 0x00, 301); /* the first latch stays */
    assert_int_equal(in(0, 401), 900 & 0xff);
    assert_int_equal(in(0, 401), 900 >> 8);
    out(3, 0xc0 | 0x06, 401); /* read-back: status and count of channels 0 and 1 */
    out(3, 0xc0 | 0x06, 601);
    assert_int_equal(in(0, 700), 0x30); /* status first */
    assert_int_equal(in(0, 700), 600 & 0xff);
    assert_int_equal(in(0, 700), 600 >> 8);
    assert_int_equal(in(1, 700), 0xb4);
    assert_int_equal(in(1, 700), 100);
    assert_int_equal(in(1, 700), 0);
}

static void test_mode_aliases_and_foreign_accesses(void **state)
{
    (void)state;
    start(0, 6, 100, 0);
    assert_int_equal(status(0, 1), 0xb4);
    start(0, 7, 100, 0);
    assert_int_equal(status(0, 1), 0xb6);
    assert_int_equal(pit.dev.ops->read(&pit.dev, 5, 1, at(1)), UINT32_MAX);
    assert_int_equal(status(0, 1), 0xb6);
}

static void test_any_bytes(void **state)
{
    uint32_t seed = 7;
    uint64_t now = 0;

    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned pick = seed >> 28;
        now += seed >> 8 & 0x3ffff;
        if (pick & 1)
            reg_write(&pit.dev, (pick >> 1) % 5, (uint8_t)(seed >> 16), now);
        else if (pick & 2)
            reg_read(&pit.dev, (pick >> 2) % 5, now);
        else
            pit.dev.ops->tick(&pit.dev, now);
        assert_true(deadline() > now); /* what is due has been done */
    }
}

/* Two of them get the same accesses; one is told of the time before each read, the other never. */
static void test_reads_lose_nothing(void **state)
{
    static struct vpit told;
    static struct fake_line told_out0;
    uint32_t seed = 11;
    uint64_t now = 0;

    (void)state;
    vpit_init(&told, fake_line(&told_out0), 0);
    for (unsigned i = 0; i < 400000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned pick = seed >> 27, offset = (pick >> 2) % 5;
        now += seed >> 8 & (i & 0x400 ? 0xfff : 0xfffff); /* often many reads in one period */
        if (pick & 3) {
            told.dev.ops->tick(&told.dev, now);
            assert_int_equal(reg_read(&pit.dev, offset, now), reg_read(&told.dev, offset, now));
        } else {
            reg_write(&pit.dev, offset, (uint8_t)(seed >> 16), now);
            reg_write(&told.dev, offset, (uint8_t)(seed >> 16), now);
            assert_int_equal(out0.level, told_out0.level);
        }
        assert_int_equal(out0.rises, told_out0.rises);
        assert_int_equal(deadline(), told.dev.ops->deadline(&told.dev));
    }
    assert_true(told_out0.rises > 1000);
}

/* Registers that are said to be steady: reading one never brings the deadline nearer. */
static void test_steady(void **state)
{
    uint32_t seed = 3;
    uint64_t now = 0;

    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned offset = (seed >> 29) % 5;
        uint64_t before = deadline();
        now += seed >> 8 & 0x1ffff;
        if (seed >> 25 & 3) {
            reg_read(&pit.dev, offset, now);
            assert_true(!(pit.dev.ops->steady >> offset & 1) || deadline() >= before);
        } else {
            reg_write(&pit.dev, offset, (uint8_t)(seed >> 16), now);
        }
    }
    assert_true(pit.dev.ops->steady & 1);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_power_on),
        T(test_mode_0),
        T(test_mode_2),
        T(test_late_ticks_coalesce_without_drift),
        T(test_mode_2_new_count_waits),
        T(test_mode_3),
        T(test_mode_3_new_count_at_half),
        T(test_mode_4),
        T(test_gate_triggers_modes_1_and_5),
        T(test_gate_stops),
        T(test_linux_calibration),
        T(test_port_61),
        T(test_bcd),
        T(test_single_byte_accesses),
        T(test_latches),
        T(test_mode_aliases_and_foreign_accesses),
        T(test_any_bytes),
        T(test_reads_lose_nothing),
        T(test_steady),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
