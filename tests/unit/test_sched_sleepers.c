/* clang-format off */
/* links: sched/sched.c sched/core.c sched/balance.c sched/unit.c sched/queue.c sched/watch.c sched/policy.c sched/group.c sched/timer.c arch/x86/tsc.c lib/lockdep.c tests/fakes/sim.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/locate.c */
/* clang-format on */
/*
 * A domain whose vCPUs sleep and are woken again and again against neighbours that spin: whatever
 * its pattern and however many vCPUs it has, nobody else gets less than his part, or waits longer
 * than for one of them. In the simulation of tests/fakes/sim.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sched/sched.h"
#include "tests/fakes/sim.h"

#define US      1000UL
#define DOMAINS 4
#define MOST    64
#define SLICE   (10 * MS)
#define CREDIT  (5 * MS)

static struct sched_group groups[DOMAINS];
static struct sim *spinner;
static unsigned wrong;

static const struct pattern {
    const char *name;
    uint64_t burst, sleep, beat;
    bool by_chance, relay;
} patterns[] = {
    { .name = "just under the slice", .burst = SLICE - 50 * US, .sleep = 50 * US },
    { .name = "just under the granule", .burst = MS - 20 * US, .sleep = 20 * US },
    { .name = "short bursts, short sleeps", .burst = 20 * US, .sleep = 10 * US },
    { .name = "short bursts, long sleeps", .burst = 50 * US, .sleep = 3 * MS },
    { .name = "by chance", .burst = 3 * MS, .sleep = 3 * MS, .by_chance = true },
    { .name = "by chance, short", .burst = 300 * US, .sleep = 9 * MS, .by_chance = true },
    { .name = "all at once", .burst = MS, .sleep = 1, .beat = 7 * MS },
    { .name = "all at once, to the credit", .burst = CREDIT, .sleep = 1, .beat = 100 * MS },
    { .name = "one after the other", .burst = 500 * US, .sleep = 1, .relay = true },
    { .name = "one after the other, short", .burst = 20 * US, .sleep = 1, .relay = true },
    { .name = "one after the other, slices", .burst = SLICE - 1, .sleep = 1, .relay = true },
    { .name = "spinning", .burst = 0 },
};

#define PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

static int begin(unsigned pcpus)
{
    srand(1);
    wrong = 0;
    return sim_begin(pcpus);
}

static int begin_one(void **state)
{
    (void)state;
    return begin(1);
}

static int begin_two(void **state)
{
    (void)state;
    return begin(2);
}

static void make_sleeper(const struct pattern *p, unsigned domain, uint64_t affinity)
{
    struct sim *s = sim_make(&groups[domain], affinity);

    s->burst = s->left = p->burst;
    s->sleep = p->sleep;
    s->beat = p->beat;
    s->by_chance = p->by_chance;
}

/* Of each domain, all its vCPUs in a ring: one is awake at a time. */
static void join_ring(unsigned first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sims[first + i].wakes = &sims[first + (i + 1) % n];
}

static void make_domains(const struct pattern *p, unsigned domains, unsigned vcpus, uint64_t where)
{
    for (unsigned d = 0; d < domains; d++) {
        unsigned first = sim_count;

        sched_group_init(&groups[d], 256, 0);
        for (unsigned i = 0; i < vcpus; i++)
            make_sleeper(p, d, where);
        if (p->relay)
            join_ring(first, vcpus);
        for (unsigned i = 0; i < (p->relay ? 1 : vcpus); i++)
            sim_wake(&sims[first + i]);
    }
}

static void clear(void)
{
    assert_int_equal(sim_end(NULL), 0);
    sim_count = 0;
}

/* ---- One pCPU ---- */

static void check(bool good, const char *what, const struct pattern *p, unsigned domains,
                  unsigned vcpus, double value, double most)
{
    if (good && !getenv("SHOW"))
        return;
    print_message("%s %s, %u domains of %u: %s %.3f, limit %.3f\n", good ? "good" : "WRONG",
                  p->name, domains, vcpus, what, value, most);
    wrong += !good;
}

static void measure(const struct pattern *p, unsigned domains, unsigned vcpus)
{
    double fair = 1.0 / (domains + 1), most = domains * (double)(SLICE + CREDIT + MS) / MS;

    spinner = sim_spinner(256, 0, 1);
    make_domains(p, domains, vcpus, 1);
    sim_measure(4000);
    double share = sim_ran(spinner) / (4000 * MS), absence = (double)spinner->longest_absence / MS;
    check(share > fair * 0.98, "share", p, domains, vcpus, share, fair);
    check(absence < most, "absence", p, domains, vcpus, absence, most);
    if (p->relay)
        check(share < fair * 1.02, "share", p, domains, vcpus, share, fair);
    clear();
}

static void test_one_domain(void **state)
{
    static const unsigned vcpus[] = { 1, 2, 3, 8, 64 };

    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++)
        for (unsigned i = 0; i < sizeof(vcpus) / sizeof(vcpus[0]); i++)
            if (!patterns[p].relay || vcpus[i] > 1)
                measure(&patterns[p], 1, vcpus[i]);
    assert_int_equal(wrong, 0);
}

static void test_several_domains(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++) {
        measure(&patterns[p], 3, 21);
        measure(&patterns[p], 2, 8);
    }
    assert_int_equal(wrong, 0);
}

/* ---- Two pCPUs ---- */

/* Both have a spinner that stays; the domain may go where it finds most. Three domains share two
 * pCPUs; but one that has one vCPU awake at a time has its whole weight wherever that one is, and
 * may have half of each. */
static void test_wherever_they_go(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++) {
        struct sim *one = sim_spinner(256, 0, 1), *other = sim_spinner(256, 0, 2);

        make_domains(&patterns[p], 1, MOST, 3);
        sim_measure(4000);
        double a = sim_ran(one) / (4000 * MS), b = sim_ran(other) / (4000 * MS);
        check(a > 0.5 * 0.98, "share", &patterns[p], 1, MOST, a, 0.5);
        check(b > 0.5 * 0.98, "share", &patterns[p], 1, MOST, b, 0.5);
        if (!patterns[p].relay)
            check(a + b > 4.0 / 3 * 0.98, "sum of shares", &patterns[p], 1, MOST, a + b, 4.0 / 3);
        clear();
    }
    assert_int_equal(wrong, 0);
}

/* ---- Who has not used his part ---- */

/* A neighbour that seldom wants to run does so soon, whatever the crowd does. */
static void test_latency_beside_a_crowd(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PATTERNS; p++) {
        make_domains(&patterns[p], 1, MOST, 1);
        struct sim *s = sim_sleeper(MS / 10, 7 * MS);
        s->unit.affinity = 1;
        sim_go_on(500);
        s->worst_latency = 0;
        sim_go_on(4000);
        check(s->worst_latency < 3 * MS, "latency", &patterns[p], 1, MOST,
              (double)s->worst_latency / MS, 3);
        clear();
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_domain, begin_one, sim_end),
        cmocka_unit_test_setup_teardown(test_several_domains, begin_one, sim_end),
        cmocka_unit_test_setup_teardown(test_latency_beside_a_crowd, begin_one, sim_end),
        cmocka_unit_test_setup_teardown(test_wherever_they_go, begin_two, sim_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
