/* links: lib/lockdep.c tests/fakes/panic.c */
/*
 * The order of locks: what is in order passes, what is not panics and names both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/lockdep.h"
#include "lib/spinlock.h"
#include "tests/fakes/panic.h"

static struct spinlock outer = SPINLOCK_RANK("outer", LOCK_P2M);
static struct spinlock inner = SPINLOCK_RANK("inner", LOCK_FRAMES);
static struct spinlock pair[2] = { SPINLOCK_RANK("pair", LOCK_SCHED_QUEUE),
                                   SPINLOCK_RANK("pair", LOCK_SCHED_QUEUE) };
static struct spinlock plain = SPINLOCK_INIT;
static unsigned cpu;

static unsigned which(void)
{
    return cpu;
}

static int setup(void **state)
{
    (void)state;
    cpu = 0;
    lockdep_start(which);
    return 0;
}

static void test_in_order(void **state)
{
    (void)state;
    spin_lock(&outer);
    spin_lock(&plain);
    spin_lock(&pair[0]);
    spin_lock(&pair[1]);
    spin_lock(&inner);
    assert_int_equal(lockdep_held(), 5);
    spin_unlock(&outer); /* in any order */
    spin_unlock(&inner);
    spin_unlock(&pair[0]);
    spin_unlock(&pair[1]);
    spin_unlock(&plain);
    assert_int_equal(lockdep_held(), 0);
}

/* What another CPU holds does not matter. */
static void test_each_cpu_its_own(void **state)
{
    (void)state;
    spin_lock(&inner);
    cpu = 1;
    spin_lock(&outer);
    spin_unlock(&outer);
    cpu = 0;
    spin_unlock(&inner);
}

/* Who only tries waits for nobody. */
static void test_tried(void **state)
{
    (void)state;
    spin_lock(&inner);
    assert_true(spin_try(&outer));
    assert_false(spin_try(&outer));
    assert_false(spin_try(&inner));
    assert_int_equal(lockdep_held(), 2);
    spin_unlock(&inner);
    spin_lock(&inner); /* in order with what was tried */
    spin_unlock(&outer);
    spin_unlock(&inner);
    assert_int_equal(lockdep_held(), 0);
}

/* The check ends with the first panic: one fault for each process. */
static const struct fault {
    struct spinlock *first, *second;
    const char *taken, *held;
} faults[] = {
    { &inner, &outer, "takes outer (rank ", ") while it holds inner" },
    { &pair[1], &pair[0], "takes pair", "" },
    { &plain, &plain, "takes unranked", "" },
    { &outer, &outer, "takes outer", "" },
};

static void test_out_of_order(void **state)
{
    const char *which_fault = getenv("LOCKDEP_FAULT");
    const struct fault *f = &faults[which_fault ? atoi(which_fault) : 0];

    (void)state;
    spin_lock(f->first);
    EXPECT_PANIC(spin_lock(f->second));
    assert_non_null(strstr(fake_panic_text, f->taken));
    assert_non_null(strstr(fake_panic_text, f->held));
    spin_unlock(f->first);
    spin_lock(&inner);
    spin_lock(&outer); /* no longer checked */
    spin_unlock(&outer);
    spin_unlock(&inner);
}

/* The other faults, each in a process of its own. */
static void test_other_faults(void **state)
{
    char command[600];

    for (unsigned i = 1; i < sizeof(faults) / sizeof(faults[0]); i++) {
        snprintf(command, sizeof(command), "LOCKDEP_FAULT=%u %s >&2", i, (char *)*state);
        assert_int_equal(system(command), 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_in_order, setup),
        cmocka_unit_test_setup(test_each_cpu_its_own, setup),
        cmocka_unit_test_setup(test_tried, setup),
        cmocka_unit_test_setup(test_out_of_order, setup),
        cmocka_unit_test_prestate(test_other_faults, argv[0]),
    };
    const struct CMUnitTest one[] = { cmocka_unit_test_setup(test_out_of_order, setup) };

    (void)argc;
    if (getenv("LOCKDEP_FAULT"))
        return cmocka_run_group_tests(one, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
