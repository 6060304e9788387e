/* links: arch/x86/moment.c arch/x86/tsc.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Moments by both clocks: never early, never wrapped, whatever a guest asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "devices/device.h"
#include "arch/x86/moment.h"

#define ZERO 123456789UL

static struct moment m;

static int setup(void **state)
{
    (void)state;
    tsc_set_rate(2999999999);
    moment_init(&m);
    return 0;
}

static void test_begins_as_never(void **state)
{
    (void)state;
    assert_int_equal(m.ns, TIME_NEVER);
    assert_int_equal(m.tsc, TIME_NEVER);
}

/* At that TSC the domain's clock has got there; one tick before it has not. */
static void test_first_tick_that_is_not_early(void **state)
{
    static const uint64_t moments[] = { 1, 2, 3, 999, 1000000007, 86400000000001UL };

    (void)state;
    for (unsigned i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        moment_set(&m, ZERO, moments[i]);
        assert_int_equal(m.ns, moments[i]);
        assert_true(tsc_to_ns(m.tsc - ZERO) >= moments[i]);
        assert_true(tsc_to_ns(m.tsc - ZERO - 1) < moments[i]);
    }
    moment_set(&m, ZERO, 0);
    assert_int_equal(m.tsc, ZERO);
}

static void test_beyond_the_clock_is_never(void **state)
{
    static const uint64_t moments[] = { TIME_NEVER, TIME_NEVER - 1, UINT64_MAX / 3,
                                        UINT64_MAX / 3 - 10 };

    (void)state;
    tsc_set_rate(3000000000);
    for (unsigned i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        moment_set(&m, ZERO, 5);
        moment_set(&m, ZERO, moments[i]);
        assert_int_equal(m.ns, moments[i]);
        assert_int_equal(m.tsc, TIME_NEVER);
    }
}

/* The clock of a domain that comes from another boot may have read 0 before the machine's did. */
static void test_clock_that_is_ahead(void **state)
{
    const uint64_t hour = 3600000000000, ticks = tsc_from_ns(hour), zero = 1000 - ticks;

    (void)state;
    moment_set(&m, zero, hour + 500000);
    assert_int_equal(m.ns, hour + 500000);
    assert_int_equal(m.tsc, 1000 + tsc_from_ns(hour + 500000) - ticks);
    moment_set(&m, zero, hour - 500000); /* it has passed */
    assert_true(m.tsc <= rdtsc());
    moment_set(&m, zero, 0);
    assert_true(m.tsc <= rdtsc());
    moment_set(&m, zero, TIME_NEVER - 1);
    assert_true(m.tsc > INT64_MAX);
    moment_set(&m, zero, TIME_NEVER);
    assert_int_equal(m.tsc, TIME_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_begins_as_never, setup),
        cmocka_unit_test_setup(test_first_tick_that_is_not_early, setup),
        cmocka_unit_test_setup(test_beyond_the_clock_is_never, setup),
        cmocka_unit_test_setup(test_clock_that_is_ahead, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
