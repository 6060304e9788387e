/* clang-format off */
/* links: sched/sched.c sched/core.c sched/balance.c sched/unit.c sched/queue.c sched/watch.c sched/policy.c sched/group.c sched/timer.c arch/x86/tsc.c lib/lockdep.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/locate.c */
/* clang-format on */
/*
 * Resting in place: a unit that is alone halts its pCPU within its own run. On a pretended clock of
 * 1 GHz; each test says what happens during the halt, and looks at what sched_halt_in_place()
 * answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

#define START 1000
#define BURST 100  /* what a unit runs before it rests, and after it */
#define NAP   5000 /* what it wants to rest */

struct napper {
    struct sched_unit unit;
    unsigned turns;
    bool rests;    /* in its run */
    bool answer;   /* of sched_halt_in_place() */
    bool had_news; /* after it */
    uint64_t ends; /* TSC at which it wants to go on */
};

static struct sched_group groups[4];
static struct napper a, b, c, d;
static unsigned kicks;
static uint64_t lapic_deadline;
static struct timer timer;

void irq_kick(unsigned cpu)
{
    assert_true(cpu != fake_cpu_id);
    kicks++;
}

void lapic_timer_set(uint64_t deadline)
{
    lapic_deadline = deadline;
}

static bool run(struct sched_unit *u, uint64_t deadline)
{
    struct napper *n = (struct napper *)u;

    (void)deadline;
    n->turns++;
    fake_tsc += BURST;
    if (!n->rests)
        return false;
    n->ends = fake_tsc + NAP;
    n->answer = sched_halt_in_place(n->ends);
    n->had_news = sched_deadline_changed();
    assert_false(queue_idle() & PCPU_BIT(fake_cpu_id));
    fake_tsc += BURST;
    return false;
}

static void leave(struct sched_unit *u)
{
    assert_int_not_equal(u->state, SCHED_RUNNING);
}

static void fire(struct timer *t)
{
    (void)t;
}

static void make(struct napper *n, struct sched_group *g, uint64_t affinity)
{
    *n = (struct napper){ .rests = true };
    sched_unit_init(&n->unit, g, affinity, run, leave);
}

static unsigned this_cpu_id(void)
{
    return fake_cpu_id;
}

static int setup(void **state)
{
    (void)state;
    tsc_set_rate(1000000000);
    lockdep_start(this_cpu_id);
    fake_tsc = START;
    if (!sched_joined())
        sched_start();
    for (fake_cpu_id = 0; fake_cpu_id < 2; fake_cpu_id++) {
        sched_join();
        queue_set_idle(fake_cpu_id, false);
        sched_queues[fake_cpu_id].next_look = UINT64_MAX;
        sched_queues[fake_cpu_id].ran = 0;
        sched_queues[fake_cpu_id].vacated = 0; /* the clock goes back with each test */
    }
    fake_cpu_id = 0;
    kicks = 0;
    fake_halts = 0;
    fake_while_halted = NULL;
    timer_init(&timer, fire);
    for (unsigned i = 0; i < 4; i++)
        sched_group_init(&groups[i], SCHED_DEFAULT_WEIGHT, 0);
    make(&a, &groups[0], 1);
    make(&b, &groups[1], 1);
    make(&c, &groups[2], 2);
    make(&d, &groups[3], 3);
    b.rests = c.rests = d.rests = false;
    return 0;
}

/* Whatever happened, all counts are what they were. */
static int teardown(void **state)
{
    struct napper *all[] = { &a, &b, &c, &d };

    (void)state;
    fake_while_halted = NULL;
    timer_cancel(&timer);
    for (unsigned i = 0; i < 4; i++) {
        fake_cpu_id = all[i]->unit.pcpu;
        assert_int_equal(sched_unit_remove(&all[i]->unit), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(groups[i].active, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sched_queues[i].count, 0);
        assert_int_equal(sched_queues[i].load, 0);
        assert_false(sched_queues[i].resting);
    }
    return 0;
}

/* a runs, rests, and meanwhile that happens. */
static void nap(void (*meanwhile)(void))
{
    fake_while_halted = meanwhile;
    sched_wake(&a.unit);
    sched_turn();
    fake_while_halted = NULL;
    assert_int_equal(a.turns, 1);
}

static void as_other_pcpu(void (*fn)(void))
{
    fake_cpu_id = 1;
    fn();
    fake_cpu_id = 0;
}

/* ---- It goes on ---- */

static void time_passes(void)
{
    assert_int_equal(lapic_deadline, a.ends);
    assert_true(queue_idle() & 1);
    assert_int_equal(groups[0].active, 0);
    assert_int_equal(lockdep_held(), 0);
    fake_tsc = a.ends;
    assert_int_equal(sched_unit_ran(&a.unit), BURST);
    assert_int_equal(sched_idled(0), fake_tsc - sched_queues[0].joined - BURST);
}

static void test_until_its_time(void **state)
{
    (void)state;
    nap(time_passes);
    assert_true(a.answer);
    assert_int_equal(fake_halts, 1);
    assert_int_equal(a.unit.stats.ran, 2 * BURST); /* and nothing for the halt */
    assert_int_equal(a.unit.stats.wakes, 2);
    assert_int_equal(a.unit.stats.waited, 0);
    assert_int_equal(a.unit.state, SCHED_BLOCKED);
    assert_true(a.unit.loaded);
}

static void wake_a(void)
{
    sched_wake(&a.unit);
}

static void woken_from_afar(void)
{
    as_other_pcpu(wake_a);
}

static void test_woken_from_afar(void **state)
{
    (void)state;
    nap(woken_from_afar);
    assert_true(a.answer);
    assert_int_equal(kicks, 1);
    assert_int_equal(a.unit.state, SCHED_BLOCKED); /* the wake has been heard */
}

static void test_woken_by_a_handler(void **state)
{
    (void)state;
    nap(wake_a);
    assert_true(a.answer);
    assert_int_equal(kicks, 0);
    assert_int_equal(a.unit.state, SCHED_BLOCKED);
}

/* A halted vCPU is no vCPU that its domain's others have to share with. */
static void share_of_the_other(void)
{
    assert_int_equal(groups[0].active, 1);
    fake_tsc += 10;
    assert_int_equal(c.unit.share, SCHED_DEFAULT_WEIGHT / 2); /* as of its last turn */
    fake_cpu_id = 1;
    sched_turn();
    assert_int_equal(c.unit.share, SCHED_DEFAULT_WEIGHT);
    fake_cpu_id = 0;
}

static bool run_on(struct sched_unit *u, uint64_t deadline)
{
    (void)u;
    (void)deadline;
    fake_tsc += BURST;
    return true;
}

static void test_does_not_share(void **state)
{
    (void)state;
    sched_unit_init(&c.unit, &groups[0], 2, run_on, leave);
    sched_wake(&a.unit);
    fake_cpu_id = 1;
    sched_wake(&c.unit);
    sched_turn();
    fake_cpu_id = 0;
    nap(share_of_the_other);
    assert_true(a.answer);
}

/* ---- It does not begin ---- */

static void never(void)
{
    fail();
}

static bool woken_first(struct sched_unit *u, uint64_t deadline)
{
    sched_wake(u);
    return run(u, deadline);
}

static void test_not_once_woken(void **state)
{
    (void)state;
    a.unit.run = woken_first;
    nap(never);
    assert_false(a.answer);
    assert_int_equal(a.unit.state, SCHED_RUNNABLE); /* to look what it was */
}

static void test_not_if_another_waits(void **state)
{
    (void)state;
    sched_wake(&a.unit);
    sched_wake(&b.unit);
    nap(never);
    assert_false(a.answer);
    sched_turn();
    assert_int_equal(b.turns, 1);
}

/* While c runs on the other pCPU, and d waits there. */
static bool meanwhile_a_naps(struct sched_unit *u, uint64_t deadline)
{
    (void)u;
    (void)deadline;
    d.unit.affinity = 2;
    sched_wake(&d.unit);
    assert_int_equal(sched_set_affinity(&d.unit, 3), 0);
    fake_cpu_id = 0;
    nap(never);
    fake_cpu_id = 1;
    return false;
}

/* What waits on a busy pCPU comes here, and it does not halt at all. */
static void test_not_if_another_waits_elsewhere(void **state)
{
    (void)state;
    fake_cpu_id = 1;
    c.unit.run = meanwhile_a_naps;
    sched_wake(&c.unit);
    sched_turn();
    assert_false(a.answer);
    assert_int_equal(d.unit.pcpu, 0);
    fake_cpu_id = 0;
    sched_turn();
    assert_int_equal(d.turns, 1);
}

/* ---- It has to leave ---- */

static void wake_b(void)
{
    sched_wake(&b.unit);
}

static void b_from_afar(void)
{
    as_other_pcpu(wake_b);
    fake_tsc += 50;
}

static void test_another_comes(void **state)
{
    (void)state;
    nap(b_from_afar);
    assert_false(a.answer);
    assert_int_equal(kicks, 1);
    assert_int_equal(a.unit.stats.ran, 2 * BURST);
    sched_turn();
    assert_int_equal(b.turns, 1);
}

static void test_a_handler_wakes_another(void **state)
{
    (void)state;
    nap(wake_b);
    assert_false(a.answer);
    sched_turn();
    assert_int_equal(b.turns, 1);
}

static void timer_due(void)
{
    assert_int_equal(lapic_deadline, START + 3000);
    fake_tsc = START + 3000;
}

static void test_timer_of_the_pcpu(void **state)
{
    (void)state;
    timer_set(&timer, START + 3000);
    nap(timer_due);
    assert_false(a.answer);
    sched_turn();
    assert_true(timer_next() == TIME_NEVER);
}

static void timer_is_set(void)
{
    timer_set(&timer, fake_tsc);
}

static void test_a_handler_sets_a_timer(void **state)
{
    (void)state;
    nap(timer_is_set);
    assert_false(a.answer);
}

static void asked_to_watch(void)
{
    sched_queues[0].next_look = 0;
}

static void test_asked_to_watch(void **state)
{
    (void)state;
    nap(asked_to_watch);
    assert_false(a.answer);
}

/* Another of its group runs meanwhile, until nothing is left of their cap. */
static void cap_is_used_up(void)
{
    fake_while_halted = NULL;
    fake_cpu_id = 1;
    for (unsigned i = 0; i < 4; i++)
        sched_turn();
    fake_cpu_id = 0;
}

static bool run_for_long(struct sched_unit *u, uint64_t deadline)
{
    (void)u;
    fake_tsc = deadline < fake_tsc + 1000000 ? deadline : fake_tsc + 1000000;
    return true;
}

static void test_cap_is_used_up(void **state)
{
    (void)state;
    sched_group_set_cap(&groups[0], 10); /* 3 ms of 30 */
    kicks = 0;
    sched_unit_init(&c.unit, &groups[0], 2, run_for_long, leave);
    fake_cpu_id = 1;
    sched_wake(&c.unit);
    fake_cpu_id = 0;
    nap(cap_is_used_up);
    assert_false(a.answer);
}

/* What is left of it bounds how long it goes on: it is told to ask. */
static void test_cap_is_asked_for(void **state)
{
    (void)state;
    sched_group_set_cap(&groups[0], 10);
    nap(time_passes);
    assert_true(a.answer);
    assert_true(a.had_news);
}

static void remove_a(void)
{
    assert_int_equal(sched_unit_remove(&a.unit), -EBUSY);
}

static void removed_from_afar(void)
{
    as_other_pcpu(remove_a);
}

static void test_removed(void **state)
{
    (void)state;
    nap(removed_from_afar);
    assert_false(a.answer);
    sched_turn(); /* it leaves */
    assert_false(a.unit.loaded);
    fake_cpu_id = 1;
    assert_int_equal(sched_unit_remove(&a.unit), 0);
}

static void move_a(void)
{
    assert_int_equal(sched_set_affinity(&a.unit, 2), 0);
}

static void moved_from_afar(void)
{
    as_other_pcpu(move_a);
}

static void test_moved(void **state)
{
    (void)state;
    nap(moved_from_afar);
    assert_false(a.answer);
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(a.unit.pcpu, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_until_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_woken_from_afar, setup, teardown),
        cmocka_unit_test_setup_teardown(test_woken_by_a_handler, setup, teardown),
        cmocka_unit_test_setup_teardown(test_does_not_share, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_once_woken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_if_another_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_if_another_waits_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_handler_wakes_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_of_the_pcpu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_handler_sets_a_timer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asked_to_watch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cap_is_used_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cap_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
