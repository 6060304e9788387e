/* links: lifecycle/throttle.c lib/string.c arch/x86/tsc.c tests/fakes/panic.c */
/*
 * lifecycle/throttle.c: how many lines the control domain may cause.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/log.h"
#include "lifecycle/throttle.h"

#define SECOND 1000000000ul

static log_gate_fn gate;

void log_at(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

void log_set_gate(log_gate_fn fn)
{
    gate = fn;
}

static void is_said(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(gate("domain#7: whatever\n", true), 0);
}

static void test_budget(void **state)
{
    (void)state;
    tsc_set_rate(SECOND);
    throttle_begin();
    is_said(THROTTLE_MOST);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(gate("domain#65000: too much\n", true), -1);
    for (unsigned i = 0; i < 1000; i++) /* of all others */
        assert_int_equal(gate("domain: of the menu\n", true), 0);
    assert_int_equal(gate("domain#7: in the log only\n", false), 0); /* that is another one */
    assert_int_equal(gate("debug key h: this too\n", true), 0);
    for (unsigned i = 0; i <= THROTTLE_MOST; i++)
        assert_int_equal(gate("refused: and this\n", true), i < THROTTLE_MOST ? 0 : -1);
    fake_tsc += SECOND / THROTTLE_PER_S;
    assert_int_equal(gate("domain#8: it tells how many\n", true), 5);
    assert_int_equal(gate("domain#8: the next\n", true), -1);
    fake_tsc += 2 * SECOND;
    assert_int_equal(gate("domain#8: after a while\n", true), 1);
    is_said(2 * THROTTLE_PER_S - 1);
    assert_int_equal(gate("domain#8: and again\n", true), -1);
    fake_tsc += 1000000 * SECOND;
    assert_int_equal(gate("domain#8: after a long while\n", true), 1);
    is_said(THROTTLE_MOST - 1);
    assert_int_equal(gate("domain#8: not more than at first\n", true), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
