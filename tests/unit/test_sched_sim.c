/* clang-format off */
/* links: sched/sched.c sched/core.c sched/balance.c sched/unit.c sched/queue.c sched/watch.c sched/policy.c sched/group.c sched/timer.c arch/x86/tsc.c lib/lockdep.c tests/fakes/sim.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/locate.c */
/* clang-format on */
/*
 * The scheduler in a simulation (tests/fakes/sim.h): shares, caps, latencies, moves, and a storm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sched/sched.h"
#include "tests/fakes/sim.h"

#define PCPUS 4

static int begin_one(void **state)
{
    (void)state;
    return sim_begin(1);
}

static int begin_two(void **state)
{
    (void)state;
    return sim_begin(2);
}

static int begin_four(void **state)
{
    (void)state;
    return sim_begin(PCPUS);
}

/* ---- Fairness -------------------------------------------------------------------------------
 */

static void test_weights(void **state)
{
    struct sim *a = sim_spinner(256, 0, 1), *b = sim_spinner(512, 0, 1),
               *c = sim_spinner(1024, 0, 1);

    (void)state;
    sim_measure(10000);
    sim_assert_near(sim_ran(b) / sim_ran(a), 2, 2);
    sim_assert_near(sim_ran(c) / sim_ran(a), 4, 2);
}

static void test_weights_belong_to_groups(void **state)
{
    struct sched_group one, two;
    double each[2] = { 0 };

    (void)state;
    sched_group_init(&one, 256, 0);
    sched_group_init(&two, 512, 0);
    for (unsigned i = 0; i < 7; i++)
        sim_wake(sim_make(i < 5 ? &one : &two, 1));
    sim_measure(20000);
    for (unsigned i = 0; i < 7; i++)
        each[i >= 5] += sim_ran(&sims[i]);
    sim_assert_near(each[1] / each[0], 2, 2);
    (void)sim_end(state);
    sim_count = 0;
}

static void test_weights_on_two_pcpus(void **state)
{
    struct sched_group groups[3];
    double each[3] = { 0 };

    (void)state;
    for (unsigned g = 0; g < 3; g++) {
        sched_group_init(&groups[g], 256u << g, 0);
        sim_wake(sim_make(&groups[g], HERE));
        sim_wake(sim_make(&groups[g], HERE));
    }
    sim_measure(20000);
    for (unsigned i = 0; i < 6; i++)
        each[i / 2] += sim_ran(&sims[i]);
    sim_assert_near(each[1] / each[0], 2, 2);
    sim_assert_near(each[2] / each[0], 4, 2);
    (void)sim_end(state);
    sim_count = 0;
}

static void test_three_share_two_pcpus(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        sim_spinner(256, 0, HERE);
    sim_measure(20000);
    for (unsigned i = 0; i < 3; i++)
        sim_assert_near(sim_ran(&sims[i]), 2.0 / 3 * 20000 * MS, 5);
    assert_int_equal(sim_idle_ticks[0] + sim_idle_ticks[1], 0);
}

static void test_weight_changes(void **state)
{
    struct sim *a = sim_spinner(256, 0, 1), *b = sim_spinner(256, 0, 1);

    (void)state;
    sim_measure(5000);
    sim_assert_near(sim_ran(b) / sim_ran(a), 1, 2);
    sched_group_set_weight(&b->own, 768);
    sim_measure(10000);
    sim_assert_near(sim_ran(b) / sim_ran(a), 3, 2);
}

/* The least of many still gets his part, and the newcomer does not push the others out. */
static void test_nobody_starves(void **state)
{
    struct sim *least = sim_spinner(16, 0, HERE);

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        sim_spinner(1024, 0, HERE);
    for (unsigned i = 0; i < 20; i++)
        sim_sleeper(3 * MS, (1 + i) * MS);
    sim_measure(5000);
    struct sim *newcomer = sim_spinner(256, 0, HERE);
    sim_go_on(2000);
    for (unsigned i = 1; i < sim_count - 1; i++)
        assert_true(sim_ran(&sims[i]) > 100 * MS);
    assert_true(sim_ran(least) > 10 * MS);
    assert_true(sim_ran(newcomer) > 20 * MS);
}

/* A unit that is always asked for by name does not run for free. */
static void test_directed_yield_is_paid(void **state)
{
    struct sim *a = sim_spinner(256, 0, 1), *b = sim_spinner(256, 0, 1),
               *c = sim_spinner(256, 0, 1);

    (void)state;
    sim_go_on(100);
    sim_reset_counts();
    for (unsigned i = 0; i < 20000; i++) {
        if (a->unit.state == SCHED_RUNNABLE)
            assert_true(sched_yield_to(&a->unit));
        sim_turn();
    }
    sim_assert_near(sim_ran(a) / sim_ran(c), 1, 5);
    sim_assert_near(sim_ran(b) / sim_ran(c), 1, 5);
}

/* ---- Caps ----------------------------------------------------------------------------------
 */

static void test_cap_alone(void **state)
{
    struct sim *a = sim_spinner(256, 50, 1);

    (void)state;
    sim_measure(10000);
    sim_assert_near(sim_ran(a), 5000 * MS, 2);
    sched_group_set_cap(&a->own, 10);
    sim_measure(10000);
    sim_assert_near(sim_ran(a), 1000 * MS, 2);
    sched_group_set_cap(&a->own, 0);
    sim_measure(1000);
    sim_assert_near(sim_ran(a), 1000 * MS, 1);
}

static void test_cap_among_others(void **state)
{
    struct sim *a = sim_spinner(2048, 20, 1), *b = sim_spinner(256, 0, 1),
               *c = sim_spinner(256, 0, 1);

    (void)state;
    sim_measure(10000);
    sim_assert_near(sim_ran(a), 2000 * MS, 2);
    sim_assert_near(sim_ran(b), 4000 * MS, 2);
    sim_assert_near(sim_ran(c), 4000 * MS, 2);
    assert_int_equal(sim_idle_ticks[0], 0);
}

/* It is owed hardly more than its cap, so it must not wait long for others in any period. */
static void test_cap_near_the_share(void **state)
{
    struct sim *a = sim_spinner(256, 0, 1), *b = sim_spinner(512, 0, 1),
               *c = sim_spinner(1024, 55, 1);

    (void)state;
    sim_measure(10000);
    sim_assert_near(sim_ran(c), 5500 * MS, 2);
    sim_assert_near(sim_ran(b), 3000 * MS, 2);
    sim_assert_near(sim_ran(a), 1500 * MS, 2);
}

static void test_cap_of_a_group(void **state)
{
    struct sched_group g;
    double sum = 0;

    (void)state;
    sched_group_init(&g, 256, 150);
    for (unsigned i = 0; i < 4; i++)
        sim_wake(sim_make(&g, HERE));
    sim_measure(10000);
    for (unsigned i = 0; i < 4; i++)
        sum += sim_ran(&sims[i]);
    sim_assert_near(sum, 15000 * MS, 2);
    (void)sim_end(state);
    sim_count = 0;
}

/* ---- Waking, moving -------------------------------------------------------------------------
 */

static void test_wake_latency(void **state)
{
    struct sim *s;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        sim_spinner(256, 0, HERE);
    s = sim_sleeper(MS / 10, 7 * MS);
    sim_go_on(500);
    s->worst_latency = 0;
    sim_go_on(10000);
    assert_true(s->unit.stats.waits > 1000);
    assert_true(s->worst_latency < 3 * MS);
}

/* Sixteen sleepers, each of whom takes what he gets: within a slice for each before him. */
static void test_wake_latency_of_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        sim_spinner(256, 0, HERE);
    for (unsigned i = 0; i < 16; i++)
        sim_sleeper(MS / 2, (5 + i) * MS);
    sim_go_on(5000);
    for (unsigned i = 4; i < 20; i++)
        assert_true(sims[i].worst_latency < 20 * MS);
}

static void test_work_conserving(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++)
        sim_sleeper((1 + i % 5) * MS, (2 + i % 7) * MS);
    sim_measure(5000);
    assert_true(sim_idle_with_work < 4 * 5000 * MS / 200);
    sim_reset_counts();
    for (unsigned i = 0; i < 4; i++)
        sim_spinner(256, 0, HERE);
    sim_measure(2000);
    assert_true(sim_idle_ticks[0] + sim_idle_ticks[1] + sim_idle_ticks[2] + sim_idle_ticks[3] <
                4 * 20 * MS);
}

static void test_spinners_spread_and_stay(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        sim_spinner(256, 0, HERE);
    sim_measure(3000);
    for (unsigned i = 0; i < 4; i++) {
        sim_assert_near(sim_ran(&sims[i]), 3000 * MS, 1);
        assert_int_equal(sims[i].unit.stats.migrations, 0);
        assert_int_equal(sims[i].unit.stats.switches, 0);
    }
}

static void test_affinity(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        sim_spinner(256, 0, 1UL << (i % 2));
    sim_spinner(256, 0, 0x8);
    sim_measure(2000);
    for (unsigned i = 0; i < 6; i++)
        sim_assert_near(sim_ran(&sims[i]), 2000.0 / 3 * MS, 4);
    sim_assert_near(sim_ran(&sims[6]), 2000 * MS, 1);
    sim_assert_near((double)sim_idle_ticks[2], 2000 * MS, 1);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(sched_set_affinity(&sims[i].unit, 0x4), 0); /* checked by check_place() */
    assert_int_equal(sched_set_affinity(&sims[0].unit, 0x4UL << 40), -EINVAL);
    sim_go_on(2);
    sim_reset_counts();
    sim_go_on(2000);
    for (unsigned i = 0; i < 6; i++)
        sim_assert_near(sim_ran(&sims[i]), 2000.0 / 6 * MS, 6);
}

/* A unit that blocked with its registers loaded is fetched by its own pCPU and sent on. */
static void test_affinity_of_one_that_sleeps(void **state)
{
    struct sim *s = sim_sleeper(MS, 20 * MS);

    (void)state;
    s->blocks = true;
    sim_go_on(5);
    assert_int_equal(s->unit.state, SCHED_BLOCKED);
    unsigned was = (unsigned)s->loaded_on, to = (was + 1) % PCPUS;
    assert_int_equal(sched_set_affinity(&s->unit, 1UL << to), 0);
    assert_int_equal(s->loaded_on, was);
    sim_go_on(30);
    assert_true(s->loaded_on == (int)to && s->unit.stats.migrations >= 1);
}

/* ---- Removing -------------------------------------------------------------------------------
 */

/* At random moments, halts in place among them: moves, changes, removals and new ones;
 * every turn is checked. */
static void any_sleepers(unsigned longest)
{
    for (unsigned i = 0; i < 40; i++)
        sim_sleeper((1 + (unsigned)rand() % 3000) * 1000, (1 + (unsigned)rand() % longest) * 1000);
    for (unsigned i = 0; i < 60000; i++) {
        sim_turn();
        sim_anything(40);
    }
    assert_true(sim_turns > 10000);
}

static void test_anything_at_any_time(void **state)
{
    (void)state;
    srand(7);
    any_sleepers(9000);
}

static void test_anything_while_most_sleep(void **state)
{
    (void)state;
    srand(8);
    sim_naps = 0;
    any_sleepers(900000);
    assert_true(sim_naps > 10000);
}

int main(void)
{
#define TEST(name, sim_pcpus)                                                                      \
    cmocka_unit_test_setup_teardown(test_##name, begin_##sim_pcpus, sim_end)
    static const struct CMUnitTest tests[] = {
        TEST(weights, one),
        TEST(weights_belong_to_groups, one),
        TEST(weight_changes, one),
        TEST(directed_yield_is_paid, one),
        TEST(cap_alone, one),
        TEST(cap_among_others, one),
        TEST(cap_near_the_share, one),
        TEST(weights_on_two_pcpus, two),
        TEST(three_share_two_pcpus, two),
        TEST(nobody_starves, four),
        TEST(cap_of_a_group, four),
        TEST(wake_latency, four),
        TEST(wake_latency_of_many, four),
        TEST(work_conserving, four),
        TEST(spinners_spread_and_stay, four),
        TEST(affinity, four),
        TEST(affinity_of_one_that_sleeps, four),
        TEST(anything_at_any_time, four),
        TEST(anything_while_most_sleep, four),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
