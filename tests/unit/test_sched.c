/* links: sched/sched.c sched/timer.c arch/x86/tsc.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The scheduler on a pretended clock of 1 GHz: each unit runs for as long as the test says, or
 * until its deadline, and the test looks at who ran when.
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
#include "sched/sched.h"
#include "sched/timer.h"
#include "tests/fakes/panic.h"

#define SLICE 10000000
#define START 1000

struct runner {
    struct sched_unit unit;
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

void irq_kick(unsigned cpu)
{
    kicks++;
    kicked = cpu;
}

void lapic_timer_set(uint64_t deadline)
{
    lapic_deadline = deadline;
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

static void make(struct runner *r, unsigned pcpu)
{
    *r = (struct runner){ .for_ticks = 100, .stays = true };
    sched_unit_init(&r->unit, pcpu, run);
}

static int setup(void **state)
{
    (void)state;
    tsc_set_rate(1000000000);
    fake_cpu_id = 0;
    fake_tsc = START;
    kicks = 0;
    timer_fired = 0;
    lapic_deadline = 0;
    fake_halts = 0;
    last = NULL;
    sched_use_tick(false);
    timer_init(&timer, fire);
    make(&a, 0);
    make(&b, 0);
    make(&c, 1);
    return 0;
}

/* Lets whoever is still runnable block, on both pCPUs. */
static int teardown(void **state)
{
    (void)state;
    timer_cancel(&timer);
    a.stays = b.stays = c.stays = false;
    a.within = b.within = c.within = NULL;
    for (fake_cpu_id = 0; fake_cpu_id < 2; fake_cpu_id++) {
        uint64_t halts = fake_halts;
        for (unsigned i = 0; i < 10 && fake_halts == halts; i++)
            sched_turn();
        assert_int_equal(fake_halts, halts + 1);
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
    assert_int_equal(a.unit.ran, 15 * SLICE);
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
    assert_int_equal(a.unit.ran, b.unit.ran);
}

static void test_interrupts_do_not_cost_the_slice(void **state)
{
    (void)state;
    a.for_ticks = SLICE / 4;
    sched_wake(&a.unit);
    sched_wake(&b.unit);
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

static void wake_b(struct runner *r)
{
    (void)r;
    assert_true(sched_deadline() == UINT64_MAX);
    sched_wake(&b.unit);
    assert_true(sched_deadline() <= fake_tsc);
}

/* One who was alone for longer than a slice makes room at once. */
static void wake_b(struct runner *r)
{
    (void)r;
    sched_wake(&b.unit);
}

/* Who runs was promised all the time there is while nobody waited; one who is woken here in the
 * middle has it come out. */
static void test_wake_beside_a_running_one(void **state)
{
    (void)state;
    sched_wake(&a.unit);
    assert_int_equal(kicks, 0); /* nobody runs: the loop will look */
    a.within = wake_b;
    sched_turn();
    assert_int_equal(kicks, 1);
    assert_int_equal(kicked, 0);
}

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

static void test_bad_unit(void **state)
{
    struct sched_unit u;

    (void)state;
    EXPECT_PANIC(sched_unit_init(&u, MAX_PCPUS, run));
    EXPECT_PANIC(sched_unit_init(&u, 0, NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interrupts_do_not_cost_the_slice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_while_running, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_beside_a_running_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newcomer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_bounds_the_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_pcpu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_running_on_another_pcpu_is_kicked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_unit, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
