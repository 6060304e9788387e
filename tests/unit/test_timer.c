/* links: sched/timer.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Timers: their order, their pCPU, and what they may do to each other while they fire.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define TIMERS 50

static struct timer a, b, c;
static struct timer *fired[1000];
static unsigned fired_count;

#define WAKE_TICKS 700

static struct sched_unit *woken;

void sched_wake(struct sched_unit *u)
{
    woken = u;
    fake_tsc += WAKE_TICKS;
}

static void note(struct timer *t)
{
    assert_false(t->armed);
    fired[fired_count++] = t;
}

static void again(struct timer *t)
{
    note(t);
    timer_set(t, t->deadline);
}

static void cancel_c(struct timer *t)
{
    note(t);
    timer_cancel(&c);
}

static int setup(void **state)
{
    (void)state;
    fake_cpu_id = 0;
    fired_count = 0;
    timer_start();
    timer_init(&a, note);
    timer_init(&b, note);
    timer_init(&c, note);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    timer_cancel(&a);
    timer_cancel(&b);
    timer_cancel(&c);
    assert_true(timer_next() == TIME_NEVER);
    return 0;
}

static void test_order(void **state)
{
    (void)state;
    assert_true(timer_next() == TIME_NEVER);
    timer_set(&a, 300);
    timer_set(&b, 100);
    timer_set(&c, 200);
    assert_int_equal(timer_next(), 100);
    timer_run(99);
    assert_int_equal(fired_count, 0);
    timer_run(200);
    assert_int_equal(fired_count, 2);
    assert_ptr_equal(fired[0], &b);
    assert_ptr_equal(fired[1], &c);
    assert_int_equal(timer_next(), 300);
    timer_run(UINT64_MAX - 1);
    assert_ptr_equal(fired[2], &a);
}

static void test_equal_deadlines_in_order_of_setting(void **state)
{
    (void)state;
    timer_set(&c, 5);
    timer_set(&a, 5);
    timer_set(&b, 5);
    timer_run(5);
    assert_ptr_equal(fired[0], &c);
    assert_ptr_equal(fired[1], &a);
    assert_ptr_equal(fired[2], &b);
}

static void test_set_again_moves(void **state)
{
    (void)state;
    timer_set(&a, 100);
    timer_set(&b, 200);
    timer_set(&a, 300);
    assert_int_equal(timer_next(), 200);
    timer_set(&a, TIME_NEVER);
    assert_false(a.armed);
    timer_run(1000);
    assert_int_equal(fired_count, 1);
}

/* Not for the time of others that fire beside it. */
static void test_who_is_woken_pays(void **state)
{
    static struct sched_unit u, v;
    struct timer first, second;

    (void)state;
    timer_init_wake(&first, &u);
    timer_init_wake(&second, &v);
    fake_tsc = 1000;
    timer_set(&a, 10);
    timer_set(&first, 20);
    timer_set(&second, 30);
    timer_run(fake_tsc);
    assert_int_equal(fired_count, 1);
    assert_ptr_equal(woken, &v);
    assert_int_equal(u.owed, WAKE_TICKS);
    assert_int_equal(v.owed, WAKE_TICKS);
}

static void test_cancel(void **state)
{
    (void)state;
    timer_cancel(&a); /* never set */
    timer_set(&a, 100);
    assert_true(a.armed);
    timer_cancel(&a);
    timer_cancel(&a);
    assert_false(a.armed);
    timer_run(100);
    assert_int_equal(fired_count, 0);
}

static void test_rearming_in_the_past_waits_for_the_next_look(void **state)
{
    (void)state;
    timer_init(&a, again);
    timer_set(&a, 10);
    timer_run(50);
    assert_int_equal(fired_count, 1);
    timer_run(51);
    assert_int_equal(fired_count, 2);
    assert_int_equal(timer_next(), 52);
}

/* Not even one that is never up to date. */
static void test_nobody_is_kept_from_his_turn(void **state)
{
    (void)state;
    timer_init(&a, again);
    timer_set(&a, 10);
    timer_set(&b, 20);
    timer_set(&c, 30);
    timer_run(50);
    assert_int_equal(fired_count, 3);
    assert_ptr_equal(fired[1], &b);
    assert_ptr_equal(fired[2], &c);
}

static void test_cancelling_one_that_is_due(void **state)
{
    (void)state;
    timer_init(&a, cancel_c);
    timer_set(&a, 10);
    timer_set(&c, 20);
    timer_run(50);
    assert_int_equal(fired_count, 1);
}

static void test_each_pcpu_its_own(void **state)
{
    (void)state;
    timer_set(&a, 100);
    fake_cpu_id = 1;
    timer_set(&b, 50);
    assert_int_equal(timer_next(), 50);
    timer_set(&a, 60); /* comes over */
    timer_run(100);
    assert_int_equal(fired_count, 2);
    timer_set(&c, 70);
    fake_cpu_id = 0;
    assert_true(timer_next() == TIME_NEVER);
    timer_cancel(&c); /* from afar */
    fake_cpu_id = 1;
    assert_true(timer_next() == TIME_NEVER);
}

static void test_many(void **state)
{
    struct timer many[TIMERS];
    unsigned armed = 0;

    (void)state;
    for (unsigned i = 0; i < TIMERS; i++)
        timer_init(&many[i], note);
    for (unsigned i = 0; i < 10 * TIMERS; i++)
        timer_set(&many[rand() % TIMERS], (uint64_t)(rand() % 1000));
    for (unsigned i = 0; i < TIMERS; i++)
        armed += many[i].armed;
    for (uint64_t now = 0; now < 1000; now++) {
        timer_run(now);
        assert_true(timer_next() > now);
    }
    assert_int_equal(fired_count, armed);
    for (unsigned i = 1; i < fired_count; i++)
        assert_true(fired[i - 1]->deadline <= fired[i]->deadline);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_deadlines_in_order_of_setting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_again_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_woken_pays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rearming_in_the_past_waits_for_the_next_look, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_nobody_is_kept_from_his_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelling_one_that_is_due, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_pcpu_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
