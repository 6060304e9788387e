/* clang-format off */
/* links: sched/sched.c sched/core.c sched/balance.c sched/unit.c sched/queue.c sched/watch.c sched/policy.c sched/group.c sched/timer.c arch/x86/tsc.c lib/lockdep.c tests/fakes/sim.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/locate.c */
/* clang-format on */
/*
 * Scheduling by core in the simulation (tests/fakes/sim.h), where each run is checked against that
 * of the core's other thread: two groups never meet, nobody waits for long, and shares are kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sched/core.h"
#include "sched/queue.h"
#include "sched/sched.h"
#include "tests/fakes/panic.h"
#include "tests/fakes/sim.h"

#define SLICE (10 * MS)

static struct sched_group groups[8];

static struct sched_group *group(unsigned n, unsigned weight, unsigned cap)
{
    sched_group_init(&groups[n], weight, cap);
    groups[n].apart = true;
    return &groups[n];
}

static struct sim *member(struct sched_group *g, uint64_t affinity)
{
    struct sim *s = sim_make(g, affinity);

    sim_wake(s);
    return s;
}

/* While the groups that it used are there. */
static void end_test(void **state)
{
    (void)sim_end(state);
    sim_count = 0;
}

static double ran_together(unsigned from, unsigned to)
{
    double sum = 0;

    for (unsigned i = from; i < to; i++)
        sum += sim_ran(&sims[i]);
    return sum;
}

/* ---- One core -------------------------------------------------------------------------------
 */

/* Each has a thread of his own, and half of the core. */
static void test_two_take_turns(void **state)
{
    struct sim *a = sim_spinner(256, 0, 1), *b = sim_spinner(256, 0, 2);

    (void)state;
    sim_measure(4000);
    sim_assert_near(sim_ran(a), 2000 * MS, 3);
    sim_assert_near(sim_ran(b), 2000 * MS, 3);
    assert_true(a->longest_absence < SLICE + 2 * MS && b->longest_absence < SLICE + 2 * MS);
    assert_int_equal(sched_cores(), 1);
}

static void test_wherever_they_are(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        sim_spinner(256, 0, 3);
    sim_measure(6000);
    for (unsigned i = 0; i < 3; i++)
        sim_assert_near(sim_ran(&sims[i]), 2000 * MS, 5);
}

static void test_weights(void **state)
{
    struct sim *a = sim_spinner(256, 0, 1), *b = sim_spinner(1024, 0, 2), *c;

    (void)state;
    sim_measure(10000);
    sim_assert_near(sim_ran(b) / sim_ran(a), 4, 5);
    sim_assert_near(sim_ran(a) + sim_ran(b), 10000 * MS, 3);
    sched_group_set_weight(&a->own, 16);
    c = sim_spinner(256, 0, 1);
    sched_group_set_weight(&b->own, 256);
    sim_measure(20000);
    sim_assert_near(sim_ran(b) / sim_ran(c), 1, 5);
    sim_assert_near(sim_ran(b) / sim_ran(a), 16, 10);
}

/* A group on both threads pays for both: at equal weights each has the same time of threads. */
static void test_group_of_two(void **state)
{
    struct sched_group *g = group(0, 256, 0);

    (void)state;
    member(g, 1);
    member(g, 2);
    struct sim *b = sim_spinner(256, 0, 2);
    sim_measure(9000);
    sim_assert_near(ran_together(0, 2), 6000 * MS, 5);
    sim_assert_near(sim_ran(b), 6000 * MS, 5);
    end_test(state);
}

/* Threads of one group, and of those that do not mind, are never idle for each other's sake. */
static void test_who_may_meet(void **state)
{
    struct sched_group *g = group(0, 256, 0);
    struct sim *a = member(g, 1), *b = member(g, 2);

    (void)state;
    sim_measure(1000);
    sim_assert_near(sim_ran(a), 1000 * MS, 1);
    sim_assert_near(sim_ran(b), 1000 * MS, 1);
    g->apart = false;
    struct sim *c = sim_spinner(256, 0, 1);
    sim_measure(3000);
    sim_assert_near(sim_ran(b), 3000 * MS, 1);
    sim_assert_near(sim_ran(a) + sim_ran(c), 3000 * MS, 1);
    g->apart = true;
    end_test(state);
}

/* Who wakes beside a hog of another group has the core within a granule or two, and is not owed the
 * time that he slept. */
static void test_sleeper(void **state)
{
    struct sim *hog = sim_spinner(256, 0, 1), *s = sim_sleeper(MS / 2, 9 * MS);

    (void)state;
    assert_int_equal(sched_set_affinity(&s->unit, 2), 0);
    sim_go_on(500);
    s->worst_latency = 0;
    sim_measure(5000);
    assert_true(s->unit.stats.waits + s->unit.stats.wakes > 300);
    assert_true(s->worst_latency < 3 * MS);
    assert_true(sim_ran(hog) > 4500 * MS);
    s->sleep = 20 * MS; /* it wants two thirds, and gets what it would on one thread */
    s->burst = 40 * MS;
    sim_measure(8000);
    double beside = sim_ran(s);
    assert_int_equal(sched_set_affinity(&s->unit, 1), 0);
    sim_measure(8000);
    sim_assert_near(beside, sim_ran(s), 8);
}

static void test_cap(void **state)
{
    struct sim *a = sim_spinner(1024, 20, 1), *b = sim_spinner(256, 0, 2);

    (void)state;
    sim_measure(10000);
    sim_assert_near(sim_ran(a), 2000 * MS, 3);
    sim_assert_near(sim_ran(b), 8000 * MS, 3);
}

/* Many on each thread: a turn comes within as many slices as there are others. */
static void test_nobody_starves(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        sim_spinner(256, 0, 1 + i % 2);
    sim_measure(10000);
    for (unsigned i = 0; i < 8; i++) {
        sim_assert_near(sim_ran(&sims[i]), 10000.0 / 8 * MS, 10);
        assert_true(sims[i].longest_absence < 10 * SLICE);
    }
}

/* Who halts does not keep the core. */
static void test_halted(void **state)
{
    struct sim *a = sim_sleeper(MS, 100 * MS), *b = sim_spinner(256, 0, 2);

    (void)state;
    assert_int_equal(sched_set_affinity(&a->unit, 1), 0);
    sim_measure(5000);
    assert_true(sim_ran(b) > 4900 * MS);
    assert_true(sim_ran(a) > 40 * MS);
}

/* ---- Several cores --------------------------------------------------------------------------
 */

/* Two groups of two, of which each core has one of each to begin with, the cores in step or not. */
static void find_cores(void **state, uint64_t late)
{
    struct sched_group *a = group(0, 256, 0), *b = group(1, 256, 0);
    struct sim *units[] = { member(a, 1), member(b, 2), NULL, NULL };

    sim_go_on(late);
    units[2] = member(a, 4);
    units[3] = member(b, 8);
    sim_go_on(100);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(sched_set_affinity(&units[i]->unit, HERE), 0);
    sim_go_on(2000);
    sim_measure(1000);
    for (unsigned i = 0; i < 4; i++)
        sim_assert_near(sim_ran(units[i]), 1000 * MS, 3);
    end_test(state);
}

static void test_groups_find_cores(void **state)
{
    for (uint64_t late = 0; late < 20; late += 3)
        find_cores(state, late);
}

/* Two cores for three: each has two thirds of one, by changing places. */
static void test_three_share_two_cores(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        sim_spinner(256, 0, HERE);
    sim_measure(6000);
    for (unsigned i = 0; i < 3; i++)
        sim_assert_near(sim_ran(&sims[i]), 4000 * MS, 10);
}

/* Pcpus 4 to 7 are one core: three of its threads make room for the fourth together. */
static void test_one_against_three(void **state)
{
    struct sched_group *g = group(0, 768, 0);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        member(g, 1UL << (4 + i));
    struct sim *one = sim_spinner(256, 0, 1 << 7);
    sim_measure(4000);
    for (unsigned i = 0; i < 3; i++) {
        sim_assert_near(sim_ran(&sims[i]), 2000 * MS, 3);
        assert_true(sims[i].longest_absence < SLICE + 3 * MS);
    }
    sim_assert_near(sim_ran(one), 2000 * MS, 3);
    assert_true(one->longest_absence < SLICE + 3 * MS);
    end_test(state);
}

/* ---- Anything -------------------------------------------------------------------------------
 */

/* Forty that run and sleep, each its own group, and four groups of three that spin. Some of the
 * first stand apart from nobody. */
static void storm(unsigned seed, unsigned longest)
{
    srand(seed);
    for (unsigned i = 0; i < 40; i++) {
        struct sim *s = sim_sleeper((1 + (unsigned)rand() % 3000) * 1000,
                                    (1 + (unsigned)rand() % longest) * 1000);
        s->own.apart = i % 7;
    }
    for (unsigned g = 0; g < 4; g++) {
        group(g, 256u << g, 0);
        for (unsigned i = 0; i < 3; i++)
            member(&groups[g], (1UL << sim_pcpus) - 1);
    }
    for (unsigned i = 0; i < 40000; i++) {
        sim_turn();
        sim_anything(40);
    }
}

/* First with more to do than there is time, where it is enough that nobody meets whom he must not;
 * then with most asleep. */
static void two_storms(unsigned seed, void **state)
{
    storm(seed, 9000);
    end_test(state);
    storm(seed, 900000);
    for (unsigned i = 40; i < 52; i++) {
        assert_true(sims[i].unit.stats.ran > 10 * MS);
        assert_true(sims[i].longest_absence < 50 * SLICE);
    }
    end_test(state);
}

static void test_storm_on_one_core(void **state)
{
    two_storms(1, state);
}

static void test_storm_on_two_cores(void **state)
{
    two_storms(2, state);
}

static void test_storm_on_eight_pcpus(void **state)
{
    two_storms(3, state);
}

static int begin(unsigned n)
{
    sim_by_core = true;
    return sim_begin(n);
}

static int begin_two(void **state)
{
    (void)state;
    return begin(2);
}

static int begin_four(void **state)
{
    (void)state;
    return begin(4);
}

static int begin_eight(void **state)
{
    (void)state;
    return begin(8);
}

int main(void)
{
#define TEST(name, pcpus) cmocka_unit_test_setup_teardown(test_##name, begin_##pcpus, sim_end)
    static const struct CMUnitTest tests[] = {
        TEST(two_take_turns, two),
        TEST(wherever_they_are, two),
        TEST(weights, two),
        TEST(group_of_two, two),
        TEST(who_may_meet, two),
        TEST(sleeper, two),
        TEST(cap, two),
        TEST(nobody_starves, two),
        TEST(halted, two),
        TEST(storm_on_one_core, two),
        TEST(groups_find_cores, four),
        TEST(three_share_two_cores, four),
        TEST(storm_on_two_cores, four),
        TEST(one_against_three, eight),
        TEST(storm_on_eight_pcpus, eight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
