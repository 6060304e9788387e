/* links: devices/vhpet.c */
/*
 * The HPET, register by register and mode by mode. Time is counted in its own ticks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vhpet.h"

#define CONFIG   0x10
#define STATUS   0x20
#define COUNTER  0xF0
#define TIMER(n) (0x100 + 0x20 * (n))
#define VALUE(n) (TIMER(n) + 8)

#define LEVEL    (1u << 1)
#define ENABLED  (1u << 2)
#define PERIODIC (1u << 3)
#define SET      (1u << 6)
#define IN_32    (1u << 8)
#define PIN(n)   ((n) << 9)

static struct vhpet hpet;
static uint32_t level;
static unsigned rises[24];
static bool replaced;

static void pin_set(void *ctx, unsigned pin, bool up)
{
    (void)ctx;
    assert_true(pin < 24);
    assert_int_not_equal(level >> pin & 1, up); /* told of changes only */
    level ^= 1u << pin;
    rises[pin] += up;
}

static void legacy_set(void *ctx, unsigned n, bool up)
{
    (void)ctx;
    (void)n;
    assert_int_equal(level & 0x101, 0); /* neither hands over what it still holds up */
    replaced = up;
}

static int setup(void **state)
{
    (void)state;
    level = 0;
    replaced = false;
    for (unsigned n = 0; n < 24; n++)
        rises[n] = 0;
    vhpet_init(&hpet, (struct line){ .set = pin_set }, (struct line){ .set = legacy_set });
    return 0;
}

static uint32_t rd(uint32_t offset, uint64_t tick)
{
    return hpet.dev.ops->read(&hpet.dev, offset, 4, tick * VHPET_TICK_NS);
}

static uint64_t rd64(uint32_t offset, uint64_t tick)
{
    return rd(offset, tick) | (uint64_t)rd(offset + 4, tick) << 32;
}

static void wr(uint32_t offset, uint32_t value, uint64_t tick)
{
    hpet.dev.ops->write(&hpet.dev, offset, 4, value, tick * VHPET_TICK_NS);
}

static void wr64(uint32_t offset, uint64_t value, uint64_t tick)
{
    wr(offset, (uint32_t)value, tick);
    wr(offset + 4, (uint32_t)(value >> 32), tick);
}

static void tick(uint64_t t)
{
    hpet.dev.ops->tick(&hpet.dev, t * VHPET_TICK_NS);
}

static uint64_t deadline(void)
{
    uint64_t ns = hpet.dev.ops->deadline(&hpet.dev);

    return ns == TIME_NEVER ? TIME_NEVER : ns / VHPET_TICK_NS;
}

static void test_capabilities(void **state)
{
    (void)state;
    uint32_t id = rd(0, 5);

    assert_int_equal(id >> 16, 0x8086);
    assert_int_equal(id >> 8 & 31, VHPET_TIMERS - 1);
    assert_int_equal(id >> 13 & 7, 5); /* counts 64 bits, replaces the legacy timers */
    assert_int_not_equal(id & 0xff, 0);
    assert_int_equal(rd(4, 5), 80000000); /* femtoseconds; at most 100,000,000 */
    wr64(0, 0, 5);
    assert_int_equal(rd(0, 5), id);
    for (unsigned n = 0; n < VHPET_TIMERS; n++) {
        assert_int_equal(rd(TIMER(n), 5), 0x30); /* periodic, 64 bits; no FSB */
        assert_int_equal(rd(TIMER(n) + 4, 5), 0x00F00000);
        assert_true(rd64(VALUE(n), 5) == UINT64_MAX);
    }
    assert_int_equal(rd(TIMER(VHPET_TIMERS), 5), 0);
    assert_int_equal(rd(0x3F8, 5), 0);
}

static void test_counter(void **state)
{
    (void)state;
    assert_int_equal(rd64(COUNTER, 1000), 0); /* it stands */
    wr64(COUNTER, 0xFFFFFFF0, 1000);
    wr(CONFIG, 1, 2000);
    assert_true(rd64(COUNTER, 2000) == 0xFFFFFFF0);
    assert_true(rd64(COUNTER, 2020) == 0x100000004);
    wr64(COUNTER, 7, 2030); /* while it runs: nothing */
    wr(CONFIG, 0, 2040);
    assert_true(rd64(COUNTER, 5000) == 0x100000018);
    wr64(COUNTER, UINT64_MAX, 5000);
    wr(CONFIG, 1, 5000);
    assert_true(rd64(COUNTER, 5001) == 0);
}

static void test_narrow_accesses(void **state)
{
    (void)state;
    wr64(COUNTER, 0x8877665544332211, 0);
    assert_int_equal(hpet.dev.ops->read(&hpet.dev, COUNTER + 3, 1, 0) & 0xff, 0x44);
    assert_int_equal(hpet.dev.ops->read(&hpet.dev, COUNTER + 6, 2, 0) & 0xffff, 0x8877);
    hpet.dev.ops->write(&hpet.dev, CONFIG, 1, 1, 0);
    hpet.dev.ops->write(&hpet.dev, CONFIG + 2, 4, 0x10000, 0);
    assert_int_equal(rd(CONFIG, 0), 0);
}

static void test_one_shot_edge(void **state)
{
    (void)state;
    wr(TIMER(1), ENABLED | PIN(20), 0);
    wr64(VALUE(1), 100, 0);
    assert_true(deadline() == TIME_NEVER); /* it stands */
    wr(CONFIG, 1, 1000);
    assert_int_equal(deadline(), 1100);
    tick(1099);
    assert_int_equal(rises[20], 0);
    tick(1100);
    assert_int_equal(rises[20], 1);
    assert_int_equal(rd(STATUS, 1100), 0); /* of levels only */
    assert_true(deadline() == TIME_NEVER); /* the counter does not come round again */
    wr64(VALUE(1), 200, 1150);
    assert_int_equal(deadline(), 1200);
    tick(1300);
    assert_int_equal(rises[20], 2);
    wr64(VALUE(1), 200, 1300); /* passed */
    assert_true(deadline() == TIME_NEVER);
}

static void test_32_bits_come_round(void **state)
{
    (void)state;
    wr(TIMER(0), ENABLED | IN_32 | PIN(21), 0);
    wr64(COUNTER, 0x5FFFFFFFF, 0);
    wr64(VALUE(0), 0xABC00000010, 0); /* its upper half does not count */
    assert_int_equal(rd(VALUE(0) + 4, 0), 0);
    wr(CONFIG, 1, 0);
    assert_int_equal(deadline(), 0x11);
    tick(0x11);
    assert_int_equal(rises[21], 1);
    assert_int_equal(deadline(), 0x100000011);
}

/* Told its first match and its period as Linux does: by two writes of the comparator. */
static void test_periodic(void **state)
{
    (void)state;
    wr(CONFIG, 3, 0);
    assert_true(replaced);
    wr(TIMER(0), ENABLED | PERIODIC | SET | IN_32, 10);
    wr(VALUE(0), 60, 10);
    assert_int_equal(rd(TIMER(0), 10) & SET, 0);
    wr(VALUE(0), 40, 20);
    assert_int_equal(rd(VALUE(0), 20), 60);
    assert_int_equal(deadline(), 60);
    tick(60);
    assert_int_equal(rises[0], 1);
    assert_int_equal(deadline(), 100);
    assert_int_equal(rd(VALUE(0), 60), 100);
    tick(225); /* four matches are one interrupt, and the period keeps its phase */
    assert_int_equal(rises[0], 2);
    assert_int_equal(deadline(), 260);
}

static void test_periodic_of_64_bits(void **state)
{
    (void)state;
    wr(TIMER(2), ENABLED | PERIODIC | SET | PIN(23), 0);
    wr64(VALUE(2), 0x200000000, 0);
    assert_int_equal(rd(TIMER(2), 0) & SET, 0);
    assert_true(rd64(VALUE(2), 0) == 0x200000000);
    wr(CONFIG, 1, 0);
    assert_true(deadline() == 0x200000000);
    tick(0x200000000);
    assert_true(deadline() == 0x400000000);
}

/* The shortest period and none: a tick makes one interrupt, and time goes on. */
static void test_tiny_periods(void **state)
{
    (void)state;
    wr(CONFIG, 1, 0);
    wr(TIMER(0), ENABLED | PERIODIC | SET | IN_32 | PIN(20), 0);
    wr(VALUE(0), 1, 0);
    tick(1000000);
    assert_int_equal(rises[20], 1);
    assert_int_equal(deadline(), 1000001);
    wr(VALUE(0), 0, 1000001);
    tick(1000002);
    assert_true(deadline() > 1000002);
    for (uint64_t t = 1; t; t <<= 7) { /* comparators and periods of all sizes */
        wr(TIMER(0), ENABLED | PERIODIC | SET | PIN(20), 2000000);
        wr64(VALUE(0), t, 2000000);
        assert_true(deadline() > 2000000);
        tick(2000001);
        assert_true(deadline() > 2000001);
    }
}

static void test_level(void **state)
{
    (void)state;
    wr(CONFIG, 1, 0);
    wr(TIMER(0), ENABLED | PERIODIC | SET | LEVEL | IN_32 | PIN(22), 0);
    wr(VALUE(0), 50, 0);
    tick(60);
    assert_int_equal(level, 1u << 22);
    assert_int_equal(rd(STATUS, 60), 1);
    assert_true(deadline() == TIME_NEVER); /* up already */
    wr(STATUS, 6, 70);
    assert_int_equal(level, 1u << 22);
    wr(STATUS, 1, 170); /* a match at 150 is the same interrupt */
    assert_int_equal(level, 0);
    assert_int_equal(rd(STATUS, 170), 0);
    assert_int_equal(deadline(), 200);
    tick(200);
    assert_int_equal(rises[22], 2);
    wr(CONFIG, 0, 210); /* it stands, and is silent */
    assert_int_equal(level, 0);
    assert_int_equal(rd(STATUS, 210), 1);
    wr(CONFIG, 1, 220);
    assert_int_equal(level, 1u << 22);
}

static void test_two_on_a_pin(void **state)
{
    (void)state;
    wr(CONFIG, 1, 0);
    for (unsigned n = 0; n < 2; n++) {
        wr(TIMER(n), ENABLED | LEVEL | PIN(20), 0);
        wr64(VALUE(n), 10, 0);
    }
    tick(10);
    assert_int_equal(rises[20], 1);
    wr(STATUS, 1, 11);
    assert_int_equal(level, 1u << 20);
    wr(STATUS, 2, 11);
    assert_int_equal(level, 0);
}

static void test_disabled_sets_status_alone(void **state)
{
    (void)state;
    wr(CONFIG, 1, 0);
    wr(TIMER(0), LEVEL | PIN(20), 0);
    wr64(VALUE(0), 10, 0);
    assert_true(deadline() == TIME_NEVER);
    assert_int_equal(rd(STATUS, 20), 1);
    assert_int_equal(level, 0);
    wr(TIMER(0), LEVEL | ENABLED | PIN(20), 21);
    assert_int_equal(level, 1u << 20);
}

/* A pin that is not offered is not taken, and nobody is due for a timer without one. */
static void test_routes(void **state)
{
    (void)state;
    wr(CONFIG, 1, 0);
    for (unsigned pin = 0; pin < 32; pin++) {
        bool allowed = pin >= 20 && pin < 24;
        wr(TIMER(2), ENABLED | PIN(pin), 0);
        wr64(VALUE(2), 100, 0);
        assert_int_equal(rd(TIMER(2), 0) >> 9 & 31, allowed ? pin : 0);
        assert_int_equal(deadline() == 100, allowed);
    }
    tick(101);
    assert_int_equal(level, 0);
}

static void test_legacy_replacement(void **state)
{
    (void)state;
    wr(CONFIG, 1, 0);
    wr(TIMER(1), ENABLED | PIN(21), 0);
    wr64(VALUE(1), 10, 0);
    tick(10);
    assert_int_equal(level, 1u << 21);
    wr(CONFIG, 3, 20);
    assert_true(replaced && vhpet_replaces_legacy(&hpet));
    assert_int_equal(level, 0);
    wr64(VALUE(1), 30, 20);
    tick(30);
    assert_int_equal(rises[8], 1);
    assert_int_equal(rises[21], 1);
    wr(CONFIG, 1, 40);
    assert_false(replaced);
    assert_int_equal(level, 0);
}

static void test_reset(void **state)
{
    (void)state;
    wr(CONFIG, 3, 0);
    wr(TIMER(0), ENABLED, 0);
    wr64(VALUE(0), 10, 0);
    tick(10);
    assert_int_equal(level, 1);
    hpet.dev.ops->reset(&hpet.dev, 0);
    assert_int_equal(level, 0);
    assert_false(replaced);
    assert_true(deadline() == TIME_NEVER);
    assert_int_equal(rd64(COUNTER, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_capabilities, setup),
        cmocka_unit_test_setup(test_counter, setup),
        cmocka_unit_test_setup(test_narrow_accesses, setup),
        cmocka_unit_test_setup(test_one_shot_edge, setup),
        cmocka_unit_test_setup(test_32_bits_come_round, setup),
        cmocka_unit_test_setup(test_periodic, setup),
        cmocka_unit_test_setup(test_periodic_of_64_bits, setup),
        cmocka_unit_test_setup(test_tiny_periods, setup),
        cmocka_unit_test_setup(test_level, setup),
        cmocka_unit_test_setup(test_two_on_a_pin, setup),
        cmocka_unit_test_setup(test_disabled_sets_status_alone, setup),
        cmocka_unit_test_setup(test_routes, setup),
        cmocka_unit_test_setup(test_legacy_replacement, setup),
        cmocka_unit_test_setup(test_reset, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
