/* clang-format off */
/* links: sched/sched.c sched/core.c sched/balance.c sched/unit.c sched/queue.c sched/watch.c sched/policy.c sched/group.c sched/timer.c arch/x86/tsc.c lib/lockdep.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * The scheduler on a pretended clock of 1 GHz: each unit runs for as long as the test says, or
 * until its deadline, and the test looks at who ran when, who was kicked and who had to leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/symbol.h"
#include "arch/x86/tsc.h"
#include "lib/lockdep.h"
#include "lib/log.h"
#include "sched/queue.h"
#include "sched/sched.h"
#include "sched/timer.h"
#include "tests/fakes/log.h"
#include "tests/fakes/panic.h"

#define SLICE   10000000
#define GRANULE 1000000
#define BOTH    3
#define START   1000

struct runner {
    struct sched_unit unit;
    struct sched_group group;
    uint64_t for_ticks; /* how long it wants to run in each turn */
    bool stays;         /* what its run() answers */
    unsigned turns;
    uint64_t deadline;               /* the last one */
    void (*within)(struct runner *); /* called at the end of each run */
};

static struct runner a, b, c;
static struct runner *last;
static unsigned kicks, kicked;
static uint64_t lapic_deadline;
static struct timer timer;
static unsigned timer_fired;
static struct runner *left; /* the last whose registers left */
static unsigned leaves;

void irq_kick(unsigned cpu)
{
    kicks++;
    kicked = cpu;
}

void lapic_timer_set(uint64_t deadline)
{
    lapic_deadline = deadline;
}

uint64_t smp_locate(unsigned cpu)
{
    return 0x1000 + cpu;
}

bool symbol_find(uint64_t address, char name[SYMBOL_NAME], uint64_t *offset)
{
    *offset = address - 0x1000;
    strcpy(name, "somewhere");
    return true;
}

static bool run(struct sched_unit *u, uint64_t deadline)
{
    struct runner *r = (struct runner *)u;
    uint64_t end = fake_tsc + r->for_ticks;

    assert_int_equal(u->state, SCHED_RUNNING);
    last = r;
    r->turns++;
    r->deadline = deadline;
    fake_tsc = end < deadline ? end : deadline > fake_tsc ? deadline : fake_tsc;
    if (r->within)
        r->within(r);
    return r->stays;
}

static void fire(struct timer *t)
{
    (void)t;
    timer_fired++;
}

static void leave(struct sched_unit *u)
{
    assert_int_equal(lockdep_held(), 0);
    assert_true(u->loaded && u->state != SCHED_RUNNING && u->pcpu == fake_cpu_id);
    left = (struct runner *)u;
    leaves++;
}

static void make(struct runner *r, uint64_t affinity)
{
    *r = (struct runner){ .for_ticks = 100, .stays = true };
    sched_group_init(&r->group, SCHED_DEFAULT_WEIGHT, 0);
    sched_unit_init(&r->unit, &r->group, affinity, run, leave);
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
    if (!sched_joined())
        sched_start();
    for (fake_cpu_id = 0; fake_cpu_id < 2; fake_cpu_id++) {
        sched_join();
        /* The clock goes back with each test. */
        sched_queues[fake_cpu_id].next_look = sched_queues[fake_cpu_id].vacated = 0;
    }
    fake_cpu_id = 0;
    fake_tsc = START;
    kicks = 0;
    leaves = 0;
    timer_fired = 0;
    lapic_deadline = 0;
    fake_halts = 0;
    last = NULL;
    sched_use_tick(false);
    timer_init(&timer, fire);
    make(&a, 1);
    make(&b, 1);
    make(&c, 2);
    return 0;
}

/* Each is removed by its own pCPU. */
static int teardown(void **state)
{
    struct runner *all[] = { &a, &b, &c };

    (void)state;
    timer_cancel(&timer);
    for (unsigned i = 0; i < 3; i++) {
        fake_cpu_id = all[i]->unit.pcpu;
        assert_int_equal(sched_unit_remove(&all[i]->unit), 0);
        assert_false(all[i]->unit.loaded);
        assert_int_equal(all[i]->group.active, 0);
    }
    return 0;
}

static void test_idle(void **state)
{
    (void)state;
    sched_turn();
    assert_int_equal(fake_halts, 1);
    assert_true(lapic_deadline == UINT64_MAX);
    timer_set(&timer, START + 500);
    sched_turn();
    assert_int_equal(lapic_deadline, START + 500);
    fake_tsc = START + 500;
    sched_turn();
    assert_int_equal(timer_fired, 1);
}

static void test_alone(void **state)
{
    (void)state;
    sched_wake(&a.unit);
    for (unsigned i = 0; i < 5; i++) {
        a.for_ticks = 3 * SLICE;
        sched_turn();
        assert_true(a.deadline == UINT64_MAX); /* no tick */
    }
    assert_int_equal(a.turns, 5);
    assert_int_equal(a.unit.stats.ran, 15 * SLICE);
    assert_int_equal(a.unit.stats.switches, 1);
    assert_int_equal(leaves, 0);
    assert_int_equal(fake_halts, 0);
    assert_int_equal(kicks, 0);
    assert_int_equal(lapic_deadline, 0);
}

static void test_two_take_turns(void **state)
{
    (void)state;
    a.for_ticks = b.for_ticks = 5 * SLICE;
    sched_wake(&a.unit);
    sched_wake(&b.unit);
    for (unsigned i = 0; i < 6; i++) {
        uint64_t before = fake_tsc;
        sched_turn();
        assert_ptr_equal(last, i % 2 ? &b : &a);
        assert_int_equal(fake_tsc - before, SLICE);
    }
    assert_int_equal(a.unit.stats.ran, b.unit.stats.ran);
    assert_int_equal(leaves, 5);
}

/* A lightweight group that is alone for months takes a queue's clock half round. To whoever comes
 * then, that clock is not the one that is ahead. */
/* What its timers took from others is as if it had run. */
static void test_owed_is_paid(void **state)
{
    (void)state;
    a.for_ticks = b.for_ticks = SLICE;
    a.unit.owed = 2 * SLICE;
    sched_wake(&a.unit);
    sched_wake(&b.unit);
    for (unsigned i = 0; i < 8; i++)
        sched_turn();
    assert_int_equal(a.turns, 3);
    assert_int_equal(b.turns, 5);
    assert_int_equal(sched_unit_ran(&a.unit), 5 * SLICE);
}

static void test_clock_goes_round(void **state)
{
    static const uint64_t by[] = { 1UL << 63, 1UL << 62, 3UL << 62 };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        sched_queues[0].floor += by[i];
        make(&b, 1);
        a.for_ticks = b.for_ticks = 5 * SLICE;
        a.stays = true;
        sched_wake(&a.unit);
        sched_wake(&b.unit);
        for (unsigned n = 0; n < 8; n++)
            sched_turn();
        assert_int_equal(b.turns, 4);
        a.stays = b.stays = false;
        while (a.unit.state != SCHED_BLOCKED || b.unit.state != SCHED_BLOCKED)
            sched_turn();
        assert_int_equal(sched_unit_remove(&b.unit), 0);
    }
    make(&b, 1);
}

static void test_interrupts_do_not_cost_the_slice(void **state)
{
    (void)state;
    a.for_ticks = b.for_ticks = SLICE;
    sched_wake(&a.unit);
    sched_wake(&b.unit);
    sched_turn();
    sched_turn(); /* both are under way: neither has just woken */
    a.for_ticks = SLICE / 4;
    for (unsigned i = 0; i < 4; i++) {
        sched_turn();
        assert_ptr_equal(last, &a);
    }
    sched_turn();
    assert_ptr_equal(last, &b);
}

static void test_blocks(void **state)
{
    (void)state;
    a.stays = false;
    sched_wake(&a.unit);
    sched_wake(&a.unit); /* twice is once */
    sched_turn();
    assert_int_equal(a.unit.state, SCHED_BLOCKED);
    sched_turn();
    assert_int_equal(fake_halts, 1);
    assert_int_equal(a.turns, 1);
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(a.turns, 2);
}

static void wake_itself(struct runner *r)
{
    sched_wake(&r->unit);
}

static void test_wake_while_running(void **state)
{
    (void)state;
    a.stays = false;
    a.within = wake_itself;
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(a.unit.state, SCHED_RUNNABLE);
    a.within = NULL;
    sched_turn();
    assert_int_equal(a.turns, 2);
    assert_int_equal(a.unit.state, SCHED_BLOCKED); /* the wake counted once */
}

static void is_woken_from_elsewhere(struct runner *r)
{
    fake_cpu_id = 1;
    sched_wake(&r->unit);
    fake_cpu_id = 0;
    assert_true(sched_goes_on());
    assert_true(sched_deadline_changed());
    assert_true(sched_deadline() == UINT64_MAX); /* from here on it knows */
}

/* Who goes on after an interrupt has seen what he was woken for. */
static void test_goes_on_awake(void **state)
{
    (void)state;
    sched_turn();
    a.stays = false;
    a.within = is_woken_from_elsewhere;
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(a.unit.state, SCHED_BLOCKED);
}

static void may_go_on_until(struct runner *r)
{
    assert_true(sched_goes_on());
    timer_set(&timer, fake_tsc + 1);
    assert_true(sched_goes_on());
    fake_tsc++;
    assert_false(sched_goes_on()); /* the timer is due */
    timer_cancel(&timer);
    assert_true(sched_goes_on());
    fake_tsc = sched_queues[0].next_look;
    assert_false(sched_goes_on()); /* the others are to be looked at */
    fake_tsc--;
    assert_true(sched_goes_on());
    sched_wake(&b.unit);
    assert_false(sched_goes_on()); /* there is somebody else */
    assert_int_equal(sched_unit_remove(&b.unit), 0);
    assert_true(sched_goes_on());
    assert_int_equal(sched_unit_remove(&r->unit), -EBUSY);
    assert_false(sched_goes_on());
}

static void test_goes_on(void **state)
{
    (void)state;
    sched_turn();
    a.within = may_go_on_until;
    sched_wake(&a.unit);
    sched_turn();
    make(&b, 1);
}

static void wake_b(struct runner *r)
{
    (void)r;
    assert_true(sched_deadline() == UINT64_MAX);
    assert_false(sched_deadline_changed());
    sched_wake(&b.unit);
    assert_true(sched_deadline_changed());
    assert_true(sched_deadline() <= fake_tsc);
    assert_false(sched_deadline_changed());
}

/* One who was alone, and so was promised all the time there is, makes room at once. */
static void test_newcomer(void **state)
{
    (void)state;
    a.for_ticks = 2 * SLICE;
    a.within = wake_b;
    sched_wake(&a.unit);
    sched_turn();
    sched_turn();
    assert_ptr_equal(last, &b);
}

static void set_timer(struct runner *r)
{
    (void)r;
    timer_set(&timer, START + 250);
    assert_int_equal(sched_deadline(), START + 250);
}

static void test_timer_bounds_the_run(void **state)
{
    (void)state;
    a.within = set_timer;
    sched_wake(&a.unit);
    sched_turn();
    assert_true(a.deadline == UINT64_MAX);
    a.within = NULL;
    a.for_ticks = 1000;
    sched_turn();
    assert_int_equal(a.deadline, START + 250);
    assert_int_equal(timer_fired, 0);
    sched_turn();
    assert_int_equal(timer_fired, 1);
    assert_true(a.deadline == UINT64_MAX);
}

static void test_tick(void **state)
{
    (void)state;
    sched_use_tick(true);
    timer_set(&timer, START + 250);
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(lapic_deadline, START + 250);
}

static void test_other_pcpu(void **state)
{
    (void)state;
    sched_wake(&c.unit);
    assert_int_equal(kicks, 1);
    assert_int_equal(kicked, 1);
    sched_wake(&c.unit); /* it waits already: no need to tell */
    assert_int_equal(kicks, 1);
    sched_turn();
    assert_int_equal(c.turns, 0);
    fake_cpu_id = 1;
    sched_turn();
    assert_int_equal(c.turns, 1);
}

static void wake_from_afar(struct runner *r)
{
    fake_cpu_id = 0;
    sched_wake(&r->unit);
    fake_cpu_id = 1;
}

static void test_running_on_another_pcpu_is_kicked(void **state)
{
    (void)state;
    sched_wake(&c.unit);
    fake_cpu_id = 1;
    c.within = wake_from_afar;
    c.stays = false;
    sched_turn();
    assert_int_equal(kicks, 2);
    assert_int_equal(c.unit.state, SCHED_RUNNABLE);
}

/* Registers stay while a unit is blocked and nobody else runs; they leave just before that. */
static void test_registers_stay(void **state)
{
    (void)state;
    a.stays = false;
    sched_wake(&a.unit);
    sched_turn();
    sched_turn();
    assert_true(a.unit.loaded);
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(a.unit.stats.switches, 1);
    assert_int_equal(leaves, 0);
    sched_wake(&b.unit);
    sched_turn();
    assert_int_equal(leaves, 1);
    assert_ptr_equal(left, &a);
    assert_false(a.unit.loaded);
    sched_clear_pcpu();
    assert_ptr_equal(left, &b);
}

static void wait_within(struct runner *r)
{
    (void)r;
    sched_wake(&b.unit);
}

/* The bound on a wake: a hog that has just begun keeps its granule, no more. */
static void test_wake_cuts_the_slice(void **state)
{
    (void)state;
    a.for_ticks = 1000;
    a.within = wait_within;
    sched_wake(&a.unit);
    sched_turn();
    a.within = NULL;
    a.for_ticks = 2 * SLICE;
    sched_turn();
    if (last == &a) {
        assert_true(a.deadline <= START + GRANULE);
        sched_turn();
    }
    assert_ptr_equal(last, &b);
}

static void yield(struct runner *r)
{
    sched_unit_yield(&r->unit);
    assert_true(sched_deadline_changed());
    assert_true(sched_deadline() <= fake_tsc);
}

static void test_yield(void **state)
{
    (void)state;
    sched_wake(&a.unit);
    sched_wake(&b.unit);
    sched_turn();
    assert_ptr_equal(last, &a);
    a.within = yield;
    sched_turn();
    a.within = NULL;
    sched_turn();
    assert_ptr_equal(last, &b);
}

static unsigned taken; /* locks */

void bound_taken(struct spinlock *lock)
{
    (void)lock;
    taken++;
}

/* Who spins may ask for many that do not wait: each costs others nothing. */
static void yield_to_b(struct runner *r)
{
    (void)r;
    assert_true(sched_yield_to(&b.unit));
    taken = 0;
    assert_false(sched_yield_to(&c.unit)); /* blocked */
    assert_false(sched_yield_to(&a.unit)); /* runs */
    assert_int_equal(taken, 0);
}

static void test_yield_to(void **state)
{
    (void)state;
    a.within = yield_to_b;
    sched_wake(&a.unit);
    sched_wake(&b.unit);
    sched_turn();
    sched_turn();
    assert_ptr_equal(last, &b);
    assert_true(b.deadline > fake_tsc);
}

static void remove_itself(struct runner *r)
{
    assert_int_equal(sched_unit_remove(&r->unit), -EBUSY);
}

static void test_remove_running(void **state)
{
    (void)state;
    a.within = remove_itself;
    sched_wake(&a.unit);
    sched_turn();
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(a.turns, 1);
    assert_ptr_equal(left, &a);
    assert_int_equal(sched_unit_remove(&a.unit), 0);
}

/* Loaded on another pCPU: that one is told, and it is gone after its next turn. */
static void test_remove_from_afar(void **state)
{
    (void)state;
    c.stays = false;
    sched_wake(&c.unit);
    fake_cpu_id = 1;
    sched_turn();
    fake_cpu_id = 0;
    kicks = 0;
    assert_int_equal(sched_unit_remove(&c.unit), -EBUSY);
    assert_int_equal(kicks, 1);
    assert_int_equal(kicked, 1);
    fake_cpu_id = 1;
    sched_turn();
    assert_ptr_equal(left, &c);
    fake_cpu_id = 0;
    assert_int_equal(sched_unit_remove(&c.unit), 0);
}

/* An idle pCPU takes what waits behind another unit, but never what is loaded there. */
static void test_idle_takes_work(void **state)
{
    (void)state;
    a.within = wait_within;
    sched_wake(&a.unit);
    sched_turn();
    assert_int_equal(b.unit.state, SCHED_RUNNABLE);
    assert_int_equal(sched_set_affinity(&b.unit, BOTH), 0);
    a.within = NULL;
    a.for_ticks = 10;
    fake_cpu_id = 1;
    sched_turn(); /* pCPU 0 is about to pick b itself */
    assert_int_equal(b.turns, 0);
    fake_cpu_id = 0;
    sched_turn();
    assert_int_equal(a.unit.stats.migrations, 0);
    assert_int_equal(b.turns + a.turns, 2);
}

static void go_again(struct runner *r, uint64_t likes)
{
    fake_cpu_id = r->unit.pcpu;
    assert_int_equal(sched_unit_remove(&r->unit), 0);
    fake_cpu_id = 0;
    make(r, BOTH);
    sched_set_likes(&r->unit, likes);
    sched_wake(&r->unit);
}

/* Where it likes to be it goes, but not to wait there while another pCPU is idle. */
static void test_likes(void **state)
{
    (void)state;
    queue_set_idle(0, false); /* as earlier tests may have left it */
    queue_set_idle(1, false);
    go_again(&c, 2);
    assert_int_equal(c.unit.pcpu, 1);
    go_again(&c, 1);
    assert_int_equal(c.unit.pcpu, 0);
    go_again(&c, 4); /* there is no such pCPU */
    assert_int_equal(c.unit.pcpu, 0);
    sched_wake(&a.unit);
    go_again(&c, 1);
    assert_int_equal(c.unit.pcpu, 1);
    assert_int_equal(sched_unit_remove(&b.unit), 0);
    make(&b, 2);
    fake_cpu_id = 1;
    sched_wake(&b.unit);
    go_again(&c, 1);
    assert_int_equal(c.unit.pcpu, 0); /* both are busy */
    go_again(&c, 2);
    assert_int_equal(c.unit.pcpu, 1);
}

static void test_cap(void **state)
{
    (void)state;
    sched_group_set_cap(&a.group, 10);
    a.for_ticks = SLICE;
    sched_wake(&a.unit);
    sched_turn();
    assert_true(a.deadline <= START + 3000000);
    sched_turn();
    assert_int_equal(a.turns, 1);
    assert_int_equal(fake_halts, 1);
    assert_true(lapic_deadline > fake_tsc && lapic_deadline <= START + 30000000);
    fake_tsc = lapic_deadline;
    sched_turn();
    assert_int_equal(a.turns, 2);
}

/* A cap counts from when it is given: what was run before was free. */
static void cap_now(struct runner *r)
{
    fake_tsc += 60ul * SLICE;
    sched_group_set_cap(&r->group, 10);
    assert_int_equal(r->group.used, 0);
}

static void test_cap_from_now_on(void **state)
{
    (void)state;
    a.for_ticks = 1;
    a.within = cap_now;
    sched_wake(&a.unit);
    sched_turn();
    assert_true(sched_unit_ran(&a.unit) >= 60ul * SLICE);
    assert_true(a.group.used < SLICE);
    uint64_t used = a.group.used = 5;
    sched_group_set_cap(&a.group, 10); /* the same once more forgives nothing */
    assert_int_equal(a.group.used, used);
}

static void test_bad_unit(void **state)
{
    struct sched_unit u;

    (void)state;
    EXPECT_PANIC(sched_unit_init(&u, &a.group, 0, run, leave));
    EXPECT_PANIC(sched_unit_init(&u, NULL, 1, run, leave));
    EXPECT_PANIC(sched_unit_init(&u, &a.group, 1, NULL, leave));
    EXPECT_PANIC(sched_unit_init(&u, &a.group, 1, run, NULL));
    assert_int_equal(sched_set_affinity(&a.unit, 0), -EINVAL);
    assert_int_equal(sched_set_affinity(&a.unit, 4), -EINVAL);
}

/* What the operator changes is seen by who runs elsewhere, even if the kick has come and gone. */
static void moves_away(struct runner *r)
{
    unsigned here = fake_cpu_id;

    fake_cpu_id = 1 - here;
    assert_int_equal(sched_set_affinity(&r->unit, 1u << (1 - here)), 0);
    sched_group_set_cap(&r->group, 50);
    fake_cpu_id = here;
    assert_true(sched_deadline_changed());
    assert_int_equal(sched_deadline(), 0);
}

static void test_changes_from_afar(void **state)
{
    (void)state;
    make(&a, BOTH);
    sched_wake(&a.unit);
    unsigned home = a.unit.pcpu;
    fake_cpu_id = home;
    a.within = moves_away;
    sched_turn();
    a.within = NULL;
    sched_turn();
    assert_int_equal(a.unit.pcpu, 1 - home);
    fake_cpu_id = 1 - home;
    sched_turn();
    assert_int_equal(a.turns, 2);
}
/* ---- Watching ---- */

#define SECOND 1000000000

/* The other pCPU's turns, each of 1.9 s, while this one's unit does not come back. */
static void other_takes_turns(struct runner *r, unsigned n)
{
    unsigned me = fake_cpu_id;

    (void)r;
    fake_cpu_id = 0;
    a.for_ticks = 19 * (SECOND / 10);
    while (n--)
        sched_turn();
    fake_cpu_id = me;
}

static void for_long(struct runner *r)
{
    other_takes_turns(r, 6);
}

static void for_long_with_signs_of_life(struct runner *r)
{
    for (unsigned i = 0; i < 6; i++) {
        other_takes_turns(r, 2);
        cpu_is_alive();
    }
}

static void not_so_long(struct runner *r)
{
    other_takes_turns(r, 2);
}

static void test_stuck(void **state)
{
    (void)state;
    fake_log_reset();
    sched_wake(&a.unit);
    fake_cpu_id = 1;
    sched_wake(&c.unit);
    c.within = not_so_long;
    for (unsigned i = 0; i < 5; i++)
        sched_turn();
    c.within = for_long_with_signs_of_life;
    sched_turn();
    assert_false(fake_log_has("stuck"));
    c.within = for_long;
    sched_turn();
    assert_true(fake_log_has("pCPU 1 is stuck: no turn for"));
    assert_true(fake_log_has("at 0x1001 somewhere+0x1"));
    assert_int_equal(fake_log_lines[LOG_ERROR], 1); /* once */
    assert_false(fake_log_has("goes on"));
    c.within = not_so_long;
    sched_turn();
    sched_turn();
    assert_true(fake_log_has("pCPU 1 goes on"));
    assert_int_equal(fake_log_lines[LOG_ERROR], 1);
    c.within = NULL;
}

/* A pretended HLT ends at once; the pCPU is to be seen as if it lasted. */
static void turn_of(unsigned pcpu)
{
    uint64_t halts = fake_halts;

    fake_cpu_id = pcpu;
    sched_turn();
    if (fake_halts != halts)
        queue_set_idle(pcpu, true);
}

/* Nobody else is busy: an idle one is asked to look, and does so only as long as it has to. */
static void test_watcher(void **state)
{
    (void)state;
    turn_of(0);
    assert_true(lapic_deadline == UINT64_MAX);
    c.for_ticks = 19 * (SECOND / 10);
    fake_cpu_id = 1;
    sched_wake(&c.unit);
    for (unsigned i = 0; i < 4; i++)
        turn_of(1);
    assert_int_equal(kicks, 1);
    assert_int_equal(kicked, 0);
    turn_of(0);
    assert_int_equal(lapic_deadline, fake_tsc + 2 * (uint64_t)SECOND);
    fake_tsc = lapic_deadline;
    turn_of(0);
    assert_int_equal(lapic_deadline, fake_tsc + 2 * (uint64_t)SECOND);
    c.stays = false;
    turn_of(1);
    turn_of(1); /* idle now */
    fake_tsc += 3 * (uint64_t)SECOND;
    turn_of(0);
    assert_true(lapic_deadline == UINT64_MAX);
    assert_int_equal(kicks, 1);
}

/* Who works a little each second is idle in between. */
static void test_nobody_watches_the_idle(void **state)
{
    (void)state;
    turn_of(0);
    c.for_ticks = SECOND / 1000;
    c.stays = false;
    for (unsigned i = 0; i < 20; i++) {
        fake_cpu_id = 1;
        sched_wake(&c.unit);
        turn_of(1);
        turn_of(1);
        fake_tsc += SECOND;
    }
    assert_int_equal(kicks, 0);
}

static void kicks_b(struct runner *r)
{
    sched_kick(&c.unit);
    assert_true(c.unit.attention);
    assert_false(r->unit.attention); /* c waits elsewhere, */
    sched_kick(&b.unit);
    assert_true(r->unit.attention); /* and b for this pCPU */
    r->unit.attention = b.unit.attention = false;
    sched_flag_or_kick(&r->unit);
    assert_true(r->unit.attention && !r->unit.woken);
    sched_flag_or_kick(&b.unit);
    assert_true(b.unit.attention);
}

/* Who is kicked is woken and told to look, and so is who runs here. */
static void test_kick(void **state)
{
    (void)state;
    sched_wake(&a.unit);
    a.within = kicks_b;
    fake_tsc += 500;
    sched_turn();
    assert_int_equal(b.unit.state, SCHED_RUNNABLE);
    assert_int_equal(b.unit.ready, START + 500 + a.for_ticks);
    assert_null(sched_running());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owed_is_paid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_goes_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupts_do_not_cost_the_slice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_while_running, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_on_awake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kick, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newcomer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_bounds_the_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_pcpu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_running_on_another_pcpu_is_kicked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_registers_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_cuts_the_slice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yield, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yield_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove_running, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove_from_afar, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_takes_work, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stuck, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watcher, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_watches_the_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_likes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cap_from_now_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_from_afar, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
