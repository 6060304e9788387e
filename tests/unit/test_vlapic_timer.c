/* links: devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c tests/fakes/panic.c */
/*
 * The local APIC's timer: counts, dividers, modes, and the moments at which it fires.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vlapic.h"

#define HZ       1000000000UL /* one tick a nanosecond, but where a test says otherwise */
#define VECTOR   0xEC
#define ONE_SHOT 0
#define PERIODIC (1u << 17)
#define DEADLINE (2u << 17)
#define MASKED   (1u << 16)

static struct vlapic l;
static struct vlapic_page page;
static uint64_t told; /* when it is due, as its owner was told last */

static void on_moved(struct vlapic *from, uint64_t due)
{
    assert_ptr_equal(from, &l);
    told = due;
}
static const struct vlapic_bus bus = { .timer_moved = on_moved };

static void start(uint64_t hz)
{
    vlapic_init(&l, 0, hz, &bus, &page);
    l.dev.ops->write(&l.dev, 0xF0, 4, 0x1FF, 0);
    l.dev.ops->write(&l.dev, 0x3E0, 4, 0xB, 0); /* divide by 1 */
}

static int setup(void **state)
{
    (void)state;
    start(HZ);
    return 0;
}

static uint32_t rd(uint32_t offset, uint64_t now)
{
    return l.dev.ops->read(&l.dev, offset, 4, now);
}

static void wr(uint32_t offset, uint32_t value, uint64_t now)
{
    l.dev.ops->write(&l.dev, offset, 4, value, now);
}

/* Its owner has been told whenever it changed. */
static uint64_t due(void)
{
    assert_int_equal(told, l.dev.ops->deadline(&l.dev));
    return told;
}

/* Takes the timer's interrupt; true if there was one. */
static bool take(void)
{
    if (vlapic_pending(&l) != VECTOR)
        return false;
    vlapic_ack(&l, VECTOR);
    wr(0xB0, 0, 0);
    return true;
}

static bool tick_fires(uint64_t now)
{
    l.dev.ops->tick(&l.dev, now);
    return take();
}

static void test_one_shot(void **state)
{
    (void)state;
    assert_true(due() == TIME_NEVER);
    wr(0x320, ONE_SHOT | VECTOR, 0);
    wr(0x380, 1000, 5000);
    assert_int_equal(due(), 6000);
    assert_int_equal(rd(0x390, 5000), 1000);
    assert_int_equal(rd(0x390, 5999), 1);
    assert_false(tick_fires(5999));
    assert_true(tick_fires(6000));
    assert_int_equal(rd(0x390, 6000), 0);
    assert_true(due() == TIME_NEVER);
    assert_false(tick_fires(100000));
    assert_int_equal(rd(0x380, 7000), 1000);
}

static void test_stop_and_restart(void **state)
{
    (void)state;
    wr(0x320, ONE_SHOT | VECTOR, 0);
    wr(0x380, 1000, 0);
    wr(0x380, 2000, 500); /* starts over */
    assert_int_equal(due(), 2500);
    wr(0x380, 0, 600);
    assert_true(due() == TIME_NEVER);
    assert_int_equal(rd(0x390, 700), 0);
    assert_false(tick_fires(10000));
}

static void test_dividers(void **state)
{
    static const struct {
        uint8_t code, by;
    } rows[] = { { 0x0, 2 },  { 0x1, 4 },  { 0x2, 8 },   { 0x3, 16 },
                 { 0x8, 32 }, { 0x9, 64 }, { 0xA, 128 }, { 0xB, 1 } };

    (void)state;
    wr(0x320, ONE_SHOT | VECTOR, 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wr(0x3E0, rows[i].code, 0);
        wr(0x380, 10, 0);
        assert_int_equal(due(), 10 * rows[i].by);
        assert_int_equal(rd(0x390, 3 * rows[i].by), 7);
    }
}

static void test_divider_changes_while_counting(void **state)
{
    (void)state;
    wr(0x320, PERIODIC | VECTOR, 0);
    wr(0x380, 100, 0);
    wr(0x3E0, 0, 40); /* 60 to go, at half the speed */
    assert_int_equal(rd(0x390, 40), 60);
    assert_int_equal(due(), 160);
    assert_true(tick_fires(160));
    assert_int_equal(due(), 360);
    assert_int_equal(rd(0x390, 260), 50);
}

static void test_periodic(void **state)
{
    (void)state;
    wr(0x320, PERIODIC | VECTOR, 0);
    wr(0x380, 1000, 0);
    for (uint64_t n = 1; n <= 100; n++) {
        assert_int_equal(due(), n * 1000);
        assert_false(tick_fires(n * 1000 - 1));
        assert_true(tick_fires(n * 1000));
        assert_int_equal(rd(0x390, n * 1000), 1000);
        assert_int_equal(rd(0x390, n * 1000 + 1), 999);
    }
    assert_true(tick_fires(205500)); /* missed ones come as one */
    assert_false(tick_fires(205999));
    assert_int_equal(due(), 206000);
}

/* A rate that no nanosecond divides: after an hour at 100 Hz not one tick is off. */
static void test_no_drift(void **state)
{
    const uint64_t hz = 66666667;
    uint64_t n;

    (void)state;
    start(hz);
    wr(0x320, PERIODIC | VECTOR, 0);
    wr(0x380, 666667, 0);
    for (n = 1; n <= 360000; n++)
        l.dev.ops->tick(&l.dev, due());
    assert_int_equal(due(), ((unsigned __int128)n * 666667 * 1000000000 + hz - 1) / hz);
}

static void test_mode_changes_while_counting(void **state)
{
    (void)state;
    wr(0x320, PERIODIC | VECTOR, 0);
    wr(0x380, 1000, 0);
    wr(0x320, ONE_SHOT | VECTOR, 100);
    assert_int_equal(rd(0x390, 100), 900); /* goes on */
    assert_true(tick_fires(1000));
    assert_true(due() == TIME_NEVER);
    wr(0x320, PERIODIC | VECTOR, 1100);
    assert_int_equal(rd(0x390, 1200), 0); /* does not start by itself */
    wr(0x320, 3u << 17 | VECTOR, 1300);   /* reserved mode */
    wr(0x380, 10, 1300);
    assert_true(tick_fires(2000));
}

/* A masked timer counts, fires nothing, and asks for no wake-up. */
static void test_masked(void **state)
{
    (void)state;
    wr(0x320, MASKED | PERIODIC | VECTOR, 0);
    wr(0x380, 1000, 0);
    assert_true(due() == TIME_NEVER);
    assert_int_equal(rd(0x390, 5400), 600);
    wr(0x320, PERIODIC | VECTOR, 6500);
    assert_false(take()); /* the ones that were masked are gone */
    assert_int_equal(due(), 7000);
    assert_true(tick_fires(7000));
    assert_int_equal(due(), 8000);
    wr(0x0F0, 0x0FF, 7500); /* disabled by software: all entries are masked */
    assert_true(due() == TIME_NEVER);
}

static void test_deadline(void **state)
{
    (void)state;
    vlapic_set_deadline(&l, 777, 1000, 0);
    assert_int_equal(vlapic_deadline_tsc(&l, 0), 0); /* not in that mode */
    wr(0x320, DEADLINE | VECTOR, 0);
    vlapic_set_deadline(&l, 777, 1000, 0);
    assert_int_equal(vlapic_deadline_tsc(&l, 999), 777);
    assert_int_equal(due(), 1000);
    assert_int_equal(rd(0x390, 500), 0);
    wr(0x380, 50, 500); /* ignored */
    assert_int_equal(rd(0x380, 500), 0);
    assert_int_equal(due(), 1000);
    assert_true(tick_fires(1000));
    assert_int_equal(vlapic_deadline_tsc(&l, 1000), 0);
    assert_true(due() == TIME_NEVER);
}

static void test_deadline_past_and_disarm(void **state)
{
    (void)state;
    wr(0x320, DEADLINE | VECTOR, 0);
    vlapic_set_deadline(&l, 5, 10, 2000);
    assert_true(take());
    assert_int_equal(vlapic_deadline_tsc(&l, 2000), 0);
    vlapic_set_deadline(&l, 900, 9000, 2000);
    vlapic_set_deadline(&l, 0, 0, 3000);
    assert_true(due() == TIME_NEVER);
    assert_false(tick_fires(10000));
}

static void test_deadline_mode_left(void **state)
{
    (void)state;
    wr(0x320, DEADLINE | VECTOR, 0);
    vlapic_set_deadline(&l, 900, 9000, 0);
    wr(0x320, MASKED | DEADLINE | VECTOR, 10); /* masking alone disarms nothing */
    assert_int_equal(vlapic_deadline_tsc(&l, 10), 900);
    wr(0x320, ONE_SHOT | VECTOR, 20);
    wr(0x320, DEADLINE | VECTOR, 30);
    assert_int_equal(vlapic_deadline_tsc(&l, 30), 0);
    assert_false(tick_fires(10000));
    wr(0x320, ONE_SHOT | VECTOR, 10000);
    wr(0x380, 100, 10000);
    wr(0x320, DEADLINE | VECTOR, 10050); /* and a count is stopped */
    assert_false(tick_fires(20000));
    assert_int_equal(rd(0x380, 20000), 0);
}

static void test_init_stops_it(void **state)
{
    (void)state;
    wr(0x320, PERIODIC | VECTOR, 0);
    wr(0x380, 1000, 0);
    vlapic_init_signal(&l);
    assert_true(l.timer.due == TIME_NEVER);
    assert_int_equal(rd(0x380, 10), 0);
    assert_int_equal(rd(0x390, 10), 0);
}

/* The largest counts and times that can be asked for stay in 64 bits. */
static void test_extremes(void **state)
{
    (void)state;
    start(5000000000UL);
    wr(0x320, PERIODIC | VECTOR, 0);
    wr(0x3E0, 0xA, 0);
    wr(0x380, 0xFFFFFFFF, 0);
    assert_int_equal(due(), 109951162752); /* (2^32 - 1) * 128 / 5 ns, rounded up */
    assert_true(tick_fires(100UL * 365 * 86400 * 1000000000));
    assert_true(due() > 100UL * 365 * 86400 * 1000000000 && due() != TIME_NEVER);
    wr(0x3E0, 0xB, 0);
    wr(0x380, 1, 0);
    assert_int_equal(due(), 1);
}

/* ---- By its own vCPU, out of the guest ---- */

static void test_own(void **state)
{
    (void)state;
    wr(0x320, PERIODIC | VECTOR, 0);
    wr(0x380, 100, 0);
    assert_int_equal(vlapic_timer_run_own(&l, 99), 0);
    assert_int_equal(vlapic_timer_run_own(&l, 100), VECTOR);
    assert_int_equal(due(), 200);
    assert_false(vlapic_unsettled(&l)); /* it is in the IRR */
    assert_int_equal(vlapic_pending(&l), VECTOR);
    wr(0x320, PERIODIC | 0x0F, 150);
    assert_int_equal(vlapic_timer_run_own(&l, 200), 0); /* an error, which goes the common way */
    assert_int_equal(due(), 300);
}

static void test_deadline_passed_own(void **state)
{
    (void)state;
    wr(0x320, ONE_SHOT | VECTOR, 0);
    assert_int_equal(vlapic_deadline_passed_own(&l), 0);
    wr(0x320, DEADLINE | MASKED | VECTOR, 0);
    assert_int_equal(vlapic_deadline_passed_own(&l), 0);
    wr(0x320, DEADLINE | VECTOR, 0);
    vlapic_set_deadline(&l, 77, 1000, 0);
    assert_int_equal(vlapic_deadline_passed_own(&l), VECTOR);
    assert_int_equal(due(), TIME_NEVER);
    assert_int_equal(vlapic_deadline_tsc(&l, 0), 0);
    wr(0xF0, 0xFF, 0); /* disabled by software */
    assert_int_equal(vlapic_deadline_passed_own(&l), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_own, setup),
        cmocka_unit_test_setup(test_deadline_passed_own, setup),
        cmocka_unit_test_setup(test_one_shot, setup),
        cmocka_unit_test_setup(test_stop_and_restart, setup),
        cmocka_unit_test_setup(test_dividers, setup),
        cmocka_unit_test_setup(test_divider_changes_while_counting, setup),
        cmocka_unit_test_setup(test_periodic, setup),
        cmocka_unit_test_setup(test_no_drift, setup),
        cmocka_unit_test_setup(test_mode_changes_while_counting, setup),
        cmocka_unit_test_setup(test_masked, setup),
        cmocka_unit_test_setup(test_deadline, setup),
        cmocka_unit_test_setup(test_deadline_past_and_disarm, setup),
        cmocka_unit_test_setup(test_deadline_mode_left, setup),
        cmocka_unit_test_setup(test_init_stops_it, setup),
        cmocka_unit_test_setup(test_extremes, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
