/* clang-format off */
/* links: sched/sched.c sched/balance.c sched/unit.c sched/queue.c sched/watch.c sched/policy.c sched/group.c sched/timer.c arch/x86/tsc.c lib/lockdep.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/locate.c */
/* clang-format on */
/*
 * The scheduler in a simulation: several pCPUs, thousands of slices, a pretended clock of 1 GHz.
 *
 * Each pCPU has a clock and a stack of its own; the one that is furthest behind takes a turn, or
 * goes on with one in which it halted. Whatever runs is interrupted after STEP, so that the clocks
 * stay that close and a kick takes effect by then. Each turn is checked: a unit runs where it may,
 * on one pCPU, with nobody else's registers loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/lockdep.h"
#include "sched/queue.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define MS    1000000UL
#define STEP  (MS / 5)
#define PCPUS 4
#define MOST  64
#define HERE  0xfUL

struct sim {
    struct sched_unit unit;
    struct sched_group own;
    struct timer alarm;
    uint64_t burst, sleep; /* runs that long, then sleeps; sleep 0: never */
    uint64_t left;         /* of this burst */
    uint64_t awake_at;     /* until when it sleeps */
    bool blocks;           /* never rests in place */
    uint64_t woken_at, worst_latency;
    int loaded_on;
    unsigned leaves;
};

static struct sim sims[MOST];
static unsigned sim_count, pcpus;
static uint64_t clocks[PCPUS], idle_ticks[PCPUS], idle_with_work;
static bool ran_unit;
static struct sim *on[PCPUS]; /* whose registers each pCPU holds */
static unsigned turns, naps;
static struct sim *napping; /* about to halt in place */
static ucontext_t sim_context, pcpu_context[PCPUS];
static char stacks[PCPUS][1 << 17];

void irq_kick(unsigned cpu)
{
    assert_true(cpu != fake_cpu_id && cpu < pcpus);
}

void lapic_timer_set(uint64_t deadline)
{
    (void)deadline;
}

static unsigned this_cpu_id(void)
{
    return fake_cpu_id;
}

static void check_place(struct sim *s)
{
    unsigned me = fake_cpu_id;

    assert_int_equal(lockdep_held(), 0);
    assert_true(s->unit.state == SCHED_RUNNING && s->unit.pcpu == me);
    assert_false(s->unit.paused);
    assert_true(s->unit.affinity >> me & 1);
    assert_true(!on[me] || on[me] == s);
    assert_true(s->loaded_on < 0 || s->loaded_on == (int)me);
    on[me] = s;
    s->loaded_on = (int)me;
}

/* A halt is no longer than STEP: an interrupt that means nothing. Meanwhile the others run. */
static void time_in_halt(void)
{
    unsigned me = fake_cpu_id;

    if (!napping)
        return;
    assert_int_equal(lockdep_held(), 0);
    assert_true(queue_idle() >> me & 1);
    uint64_t left = napping->awake_at - fake_tsc, most = left < STEP ? left : STEP;
    napping = NULL;
    fake_tsc += most;
    idle_ticks[me] += most;
    naps++;
    clocks[me] = fake_tsc;
    swapcontext(&pcpu_context[me], &sim_context);
    ran_unit = true;
}

/* Until it is time to be awake, in place if it may; else its alarm wakes it: false. */
static bool sleeps_here(struct sim *s)
{
    bool on = true;

    while (on && fake_tsc < s->awake_at) {
        napping = s;
        on = !s->blocks && sched_halt_in_place(s->awake_at);
        napping = NULL;
    }
    if (!on)
        timer_set(&s->alarm, s->awake_at);
    return on;
}

static bool sim_run(struct sched_unit *u, uint64_t deadline)
{
    struct sim *s = (struct sim *)u;
    uint64_t most = STEP;

    check_place(s);
    ran_unit = true;
    turns++;
    if (s->woken_at) {
        uint64_t latency = fake_tsc - s->woken_at;
        if (fake_tsc > s->woken_at && latency > s->worst_latency)
            s->worst_latency = latency;
        s->woken_at = 0;
    }
    if (!sleeps_here(s))
        return false;
    if (deadline <= fake_tsc)
        return true;
    if (deadline - fake_tsc < most)
        most = deadline - fake_tsc;
    if (s->sleep && s->left < most)
        most = s->left;
    fake_tsc += most;
    s->left -= s->sleep ? most : 0;
    if (!s->sleep || s->left)
        return true;
    s->left = s->burst;
    s->awake_at = fake_tsc + s->sleep;
    return sleeps_here(s);
}

static void sim_leave(struct sched_unit *u)
{
    struct sim *s = (struct sim *)u;

    assert_int_equal(lockdep_held(), 0);
    assert_int_equal(s->loaded_on, fake_cpu_id);
    assert_ptr_equal(on[fake_cpu_id], s);
    on[fake_cpu_id] = NULL;
    s->loaded_on = -1;
    s->leaves++;
}

static void wake(struct sim *s)
{
    if (s->unit.state == SCHED_BLOCKED)
        s->woken_at = fake_tsc;
    sched_wake(&s->unit);
}

static void alarm_rings(struct timer *t)
{
    wake(LIST_ENTRY(t, struct sim, alarm));
}

static struct sim *make(struct sched_group *g, uint64_t affinity)
{
    struct sim *s = &sims[sim_count++];

    *s = (struct sim){ .loaded_on = -1 };
    timer_init(&s->alarm, alarm_rings);
    sched_unit_init(&s->unit, g ? g : &s->own, affinity, sim_run, sim_leave);
    return s;
}

static struct sim *spinner(unsigned weight, unsigned cap, uint64_t affinity)
{
    struct sim *s = make(NULL, affinity);

    sched_group_init(&s->own, weight, cap);
    wake(s);
    return s;
}

static struct sim *sleeper(uint64_t burst, uint64_t sleep)
{
    struct sim *s = spinner(256, 0, HERE);

    s->burst = s->left = burst;
    s->sleep = sleep;
    return s;
}

static bool someone_waits(void)
{
    for (unsigned i = 0; i < sim_count; i++) {
        if (sims[i].unit.state == SCHED_RUNNABLE && sims[i].unit.affinity >> fake_cpu_id & 1)
            return true;
    }
    return false;
}

/* On a stack of its own, so that it may halt in the midst of a turn. */
static void pcpu_loop(void)
{
    for (unsigned me = fake_cpu_id;;) {
        ran_unit = false;
        sched_turn();
        if (!ran_unit) {
            idle_ticks[me] += STEP / 4;
            idle_with_work += someone_waits() ? STEP / 4 : 0;
            fake_tsc += STEP / 4;
        }
        clocks[me] = fake_tsc;
        swapcontext(&pcpu_context[me], &sim_context);
    }
}

/* Of the pCPU that is furthest behind: to the end of its turn, or of a halt in it. */
static void turn(void)
{
    unsigned me = 0;

    for (unsigned i = 1; i < pcpus; i++)
        me = clocks[i] < clocks[me] ? i : me;
    fake_cpu_id = me;
    fake_tsc = clocks[me];
    swapcontext(&sim_context, &pcpu_context[me]);
}

static void simulate(uint64_t ms)
{
    uint64_t end = clocks[0] + ms * MS;

    while (clocks[0] < end)
        turn();
}

static void reset_counts(void)
{
    idle_with_work = 0;
    for (unsigned i = 0; i < sim_count; i++)
        sims[i].unit.stats = (struct sched_stats){ 0 };
    memset(idle_ticks, 0, sizeof(idle_ticks));
}

/* After it has had time to settle. */
static void measure(uint64_t ms)
{
    simulate(500);
    reset_counts();
    simulate(ms);
}

static void assert_near(double value, double want, double percent)
{
    if (value < want * (1 - percent / 100) || value > want * (1 + percent / 100))
        fail_msg("%.3f is not within %.1f %% of %.3f", value, percent, want);
}

static double ran(const struct sim *s)
{
    return (double)s->unit.stats.ran;
}

static void pcpu_start(unsigned n)
{
    getcontext(&pcpu_context[n]);
    pcpu_context[n].uc_stack.ss_sp = stacks[n];
    pcpu_context[n].uc_stack.ss_size = sizeof(stacks[n]);
    makecontext(&pcpu_context[n], pcpu_loop, 0);
}

static int begin(unsigned n)
{
    pcpus = n;
    sim_count = 0;
    tsc_set_rate(1000000000);
    lockdep_start(this_cpu_id);
    for (fake_cpu_id = 0; fake_cpu_id < n; fake_cpu_id++) {
        clocks[fake_cpu_id] = clocks[0] > 1000 ? clocks[0] : 1000;
        sched_join();
        pcpu_start(fake_cpu_id);
    }
    fake_cpu_id = 0;
    fake_tsc = clocks[0];
    fake_while_halted = time_in_halt;
    return 0;
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

static int begin_four(void **state)
{
    (void)state;
    return begin(PCPUS);
}

/* Removes everyone, from a pCPU that is theirs or not. */
static int end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sim_count; i++) {
        for (unsigned n = 0; sched_unit_remove(&sims[i].unit); n++) {
            assert_true(n < 100);
            turn();
        }
        timer_cancel(&sims[i].alarm);
        assert_int_equal(sims[i].loaded_on, -1);
    }
    for (unsigned i = 0; i < PCPUS; i++) {
        assert_int_equal(sched_queues[i].count, 0);
        assert_int_equal(sched_queues[i].load, 0);
    }
    return 0;
}

/* ---- Fairness -------------------------------------------------------------------------------
 */

static void test_weights(void **state)
{
    struct sim *a = spinner(256, 0, 1), *b = spinner(512, 0, 1), *c = spinner(1024, 0, 1);

    (void)state;
    measure(10000);
    assert_near(ran(b) / ran(a), 2, 2);
    assert_near(ran(c) / ran(a), 4, 2);
}

static void test_weights_belong_to_groups(void **state)
{
    struct sched_group one, two;
    double each[2] = { 0 };

    (void)state;
    sched_group_init(&one, 256, 0);
    sched_group_init(&two, 512, 0);
    for (unsigned i = 0; i < 7; i++)
        wake(make(i < 5 ? &one : &two, 1));
    measure(20000);
    for (unsigned i = 0; i < 7; i++)
        each[i >= 5] += ran(&sims[i]);
    assert_near(each[1] / each[0], 2, 2);
    (void)end(state);
    sim_count = 0;
}

static void test_weights_on_two_pcpus(void **state)
{
    struct sched_group groups[3];
    double each[3] = { 0 };

    (void)state;
    for (unsigned g = 0; g < 3; g++) {
        sched_group_init(&groups[g], 256u << g, 0);
        wake(make(&groups[g], HERE));
        wake(make(&groups[g], HERE));
    }
    measure(20000);
    for (unsigned i = 0; i < 6; i++)
        each[i / 2] += ran(&sims[i]);
    assert_near(each[1] / each[0], 2, 2);
    assert_near(each[2] / each[0], 4, 2);
    (void)end(state);
    sim_count = 0;
}

static void test_three_share_two_pcpus(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        spinner(256, 0, HERE);
    measure(20000);
    for (unsigned i = 0; i < 3; i++)
        assert_near(ran(&sims[i]), 2.0 / 3 * 20000 * MS, 5);
    assert_int_equal(idle_ticks[0] + idle_ticks[1], 0);
}

static void test_weight_changes(void **state)
{
    struct sim *a = spinner(256, 0, 1), *b = spinner(256, 0, 1);

    (void)state;
    measure(5000);
    assert_near(ran(b) / ran(a), 1, 2);
    sched_group_set_weight(&b->own, 768);
    measure(10000);
    assert_near(ran(b) / ran(a), 3, 2);
}

/* The least of many still gets his part, and the newcomer does not push the others out. */
static void test_nobody_starves(void **state)
{
    struct sim *least = spinner(16, 0, HERE);

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        spinner(1024, 0, HERE);
    for (unsigned i = 0; i < 20; i++)
        sleeper(3 * MS, (1 + i) * MS);
    measure(5000);
    struct sim *newcomer = spinner(256, 0, HERE);
    simulate(2000);
    for (unsigned i = 1; i < sim_count - 1; i++)
        assert_true(ran(&sims[i]) > 100 * MS);
    assert_true(ran(least) > 10 * MS);
    assert_true(ran(newcomer) > 20 * MS);
}

/* A unit that is always asked for by name does not run for free. */
static void test_directed_yield_is_paid(void **state)
{
    struct sim *a = spinner(256, 0, 1), *b = spinner(256, 0, 1), *c = spinner(256, 0, 1);

    (void)state;
    simulate(100);
    reset_counts();
    for (unsigned i = 0; i < 20000; i++) {
        if (a->unit.state == SCHED_RUNNABLE)
            assert_true(sched_yield_to(&a->unit));
        turn();
    }
    assert_near(ran(a) / ran(c), 1, 5);
    assert_near(ran(b) / ran(c), 1, 5);
}

/* ---- Caps ----------------------------------------------------------------------------------
 */

static void test_cap_alone(void **state)
{
    struct sim *a = spinner(256, 50, 1);

    (void)state;
    measure(10000);
    assert_near(ran(a), 5000 * MS, 2);
    sched_group_set_cap(&a->own, 10);
    measure(10000);
    assert_near(ran(a), 1000 * MS, 2);
    sched_group_set_cap(&a->own, 0);
    measure(1000);
    assert_near(ran(a), 1000 * MS, 1);
}

static void test_cap_among_others(void **state)
{
    struct sim *a = spinner(2048, 20, 1), *b = spinner(256, 0, 1), *c = spinner(256, 0, 1);

    (void)state;
    measure(10000);
    assert_near(ran(a), 2000 * MS, 2);
    assert_near(ran(b), 4000 * MS, 2);
    assert_near(ran(c), 4000 * MS, 2);
    assert_int_equal(idle_ticks[0], 0);
}

/* It is owed hardly more than its cap, so it must not wait long for others in any period. */
static void test_cap_near_the_share(void **state)
{
    struct sim *a = spinner(256, 0, 1), *b = spinner(512, 0, 1), *c = spinner(1024, 55, 1);

    (void)state;
    measure(10000);
    assert_near(ran(c), 5500 * MS, 2);
    assert_near(ran(b), 3000 * MS, 2);
    assert_near(ran(a), 1500 * MS, 2);
}

static void test_cap_of_a_group(void **state)
{
    struct sched_group g;
    double sum = 0;

    (void)state;
    sched_group_init(&g, 256, 150);
    for (unsigned i = 0; i < 4; i++)
        wake(make(&g, HERE));
    measure(10000);
    for (unsigned i = 0; i < 4; i++)
        sum += ran(&sims[i]);
    assert_near(sum, 15000 * MS, 2);
    (void)end(state);
    sim_count = 0;
}

/* ---- Waking, moving -------------------------------------------------------------------------
 */

static void test_wake_latency(void **state)
{
    struct sim *s;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        spinner(256, 0, HERE);
    s = sleeper(MS / 10, 7 * MS);
    simulate(500);
    s->worst_latency = 0;
    simulate(10000);
    assert_true(s->unit.stats.waits > 1000);
    assert_true(s->worst_latency < 3 * MS);
}

/* Sixteen sleepers, each of whom takes what he gets: within a slice for each before him. */
static void test_wake_latency_of_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        spinner(256, 0, HERE);
    for (unsigned i = 0; i < 16; i++)
        sleeper(MS / 2, (5 + i) * MS);
    simulate(5000);
    for (unsigned i = 4; i < 20; i++)
        assert_true(sims[i].worst_latency < 20 * MS);
}

static void test_work_conserving(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++)
        sleeper((1 + i % 5) * MS, (2 + i % 7) * MS);
    measure(5000);
    assert_true(idle_with_work < 4 * 5000 * MS / 200);
    reset_counts();
    for (unsigned i = 0; i < 4; i++)
        spinner(256, 0, HERE);
    measure(2000);
    assert_true(idle_ticks[0] + idle_ticks[1] + idle_ticks[2] + idle_ticks[3] < 4 * 20 * MS);
}

static void test_spinners_spread_and_stay(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        spinner(256, 0, HERE);
    measure(3000);
    for (unsigned i = 0; i < 4; i++) {
        assert_near(ran(&sims[i]), 3000 * MS, 1);
        assert_int_equal(sims[i].unit.stats.migrations, 0);
        assert_int_equal(sims[i].unit.stats.switches, 0);
    }
}

static void test_affinity(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        spinner(256, 0, 1UL << (i % 2));
    spinner(256, 0, 0x8);
    measure(2000);
    for (unsigned i = 0; i < 6; i++)
        assert_near(ran(&sims[i]), 2000.0 / 3 * MS, 4);
    assert_near(ran(&sims[6]), 2000 * MS, 1);
    assert_near((double)idle_ticks[2], 2000 * MS, 1);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(sched_set_affinity(&sims[i].unit, 0x4), 0); /* checked by check_place() */
    assert_int_equal(sched_set_affinity(&sims[0].unit, 0x4UL << 40), -EINVAL);
    simulate(2);
    reset_counts();
    simulate(2000);
    for (unsigned i = 0; i < 6; i++)
        assert_near(ran(&sims[i]), 2000.0 / 6 * MS, 6);
}

/* A unit that blocked with its registers loaded is fetched by its own pCPU and sent on. */
static void test_affinity_of_one_that_sleeps(void **state)
{
    struct sim *s = sleeper(MS, 20 * MS);

    (void)state;
    s->blocks = true;
    simulate(5);
    assert_int_equal(s->unit.state, SCHED_BLOCKED);
    unsigned was = (unsigned)s->loaded_on, to = (was + 1) % PCPUS;
    assert_int_equal(sched_set_affinity(&s->unit, 1UL << to), 0);
    assert_int_equal(s->loaded_on, was);
    simulate(30);
    assert_true(s->loaded_on == (int)to && s->unit.stats.migrations >= 1);
}

/* ---- Pausing, removing ----------------------------------------------------------------------
 */

static void test_pause(void **state)
{
    struct sim *a = spinner(256, 0, HERE), *b = sleeper(MS, 5 * MS);

    (void)state;
    simulate(50);
    sched_pause(&a->unit);
    sched_pause(&b->unit);
    simulate(10);
    reset_counts();
    simulate(100);
    assert_int_equal(a->unit.stats.ran + b->unit.stats.ran, 0);
    sched_unpause(&a->unit);
    sched_unpause(&b->unit);
    simulate(100);
    assert_true(a->unit.stats.ran > 90 * MS);
    assert_true(b->unit.stats.ran > 10 * MS);
}

/* A paused unit that nobody woke does not wake by being unpaused. */
static void test_pause_blocked(void **state)
{
    struct sim *s = make(NULL, HERE);

    (void)state;
    sched_group_init(&s->own, 256, 0);
    assert_int_equal(sched_pause(&s->unit), 0);
    sched_unpause(&s->unit);
    assert_int_equal(s->unit.state, SCHED_BLOCKED);
    sched_pause(&s->unit);
    wake(s);
    assert_int_equal(s->unit.state, SCHED_BLOCKED);
    sched_unpause(&s->unit);
    assert_int_equal(s->unit.state, SCHED_RUNNABLE);
}

static void anything(void)
{
    struct sim *s = &sims[rand() % 40];

    switch (rand() % 12) {
    case 0:
        sched_pause(&s->unit);
        break;
    case 1:
    case 2:
        sched_unpause(&s->unit);
        break;
    case 3:
        assert_int_equal(sched_set_affinity(&s->unit, 1 + (unsigned)rand() % HERE), 0);
        break;
    case 4:
        wake(s);
        break;
    case 5:
        sched_group_set_cap(&s->own, (unsigned)rand() % 3 * 20);
        break;
    case 6:
        sched_yield_to(&s->unit);
        break;
    case 7:
        if (sched_unit_remove(&s->unit))
            break; /* later, or at the end */
        timer_cancel(&s->alarm);
        assert_int_equal(s->loaded_on, -1);
        assert_int_equal(s->own.active, 0);
        sched_unit_init(&s->unit, &s->own, HERE, sim_run, sim_leave);
        wake(s);
        break;
    default:
        break;
    }
}

/* At random moments, halts in place among them: pauses, moves, changes, removals and new ones;
 * every turn is checked. */
static void any_sleepers(unsigned longest)
{
    for (unsigned i = 0; i < 40; i++)
        sleeper((1 + (unsigned)rand() % 3000) * 1000, (1 + (unsigned)rand() % longest) * 1000);
    for (unsigned i = 0; i < 60000; i++) {
        turn();
        anything();
    }
    assert_true(turns > 10000);
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
    naps = 0;
    any_sleepers(900000);
    assert_true(naps > 10000);
}

int main(void)
{
#define TEST(name, pcpus) cmocka_unit_test_setup_teardown(test_##name, begin_##pcpus, end)
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
        TEST(pause, four),
        TEST(pause_blocked, four),
        TEST(anything_at_any_time, four),
        TEST(anything_while_most_sleep, four),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
