/* links: arch/x86/bound.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The measure of how long locks are held and pCPUs are deaf: what is within the bound passes, what
 * is not panics where ticks are instructions and is said once elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/bound.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/symbol.h"
#include "tests/fakes/log.h"
#include "tests/fakes/panic.h"

#define HOLD 100000
#define SPAN 1000000

static struct spinlock outer = SPINLOCK_RANK("outer", LOCK_P2M);
static struct spinlock inner = SPINLOCK_RANK("inner", LOCK_FRAMES);

bool symbol_find(uint64_t address, char name[SYMBOL_NAME], uint64_t *offset)
{
    (void)address;
    *offset = 0;
    strcpy(name, "worker");
    return true;
}

/* Another pCPU lets go of the lock meanwhile. */
void spin_wait(const struct spinlock *lock, uint32_t ticket)
{
    fake_tsc += 10 * HOLD;
    ((struct spinlock *)lock)->serving = ticket;
}

static int setup(void **state)
{
    (void)state;
    fake_log_reset();
    fake_tsc += 12345;
    bound_start(true);
    return 0;
}

static void hold(struct spinlock *lock, uint64_t ticks)
{
    spin_lock(lock);
    fake_tsc += ticks;
    spin_unlock(lock);
}

static void test_hold(void **state)
{
    (void)state;
    hold(&outer, HOLD - 1);
    EXPECT_PANIC(hold(&outer, HOLD + 2));
    assert_non_null(strstr(fake_panic_text, "outer by worker took 10000"));
    outer.serving = outer.next;
    hold(&outer, 9 * HOLD); /* a panic ends the check */
}

/* Each hold is charged for what it does itself. */
static void test_waits_and_pauses_are_not_held(void **state)
{
    (void)state;
    spin_lock(&outer);
    inner.next++; /* another pCPU has it */
    hold(&inner, HOLD / 2);
    span_pause();
    fake_tsc += 3 * HOLD;
    span_resume();
    spin_unlock(&outer);
    spin_lock(&outer);
    hold(&inner, HOLD / 2 + 10);
    fake_tsc += HOLD / 2;
    EXPECT_PANIC(spin_unlock(&outer));
    outer.serving = outer.next;
}

static void test_span(void **state)
{
    (void)state;
    span_begin("CPUID", NULL, fake_tsc);
    fake_tsc += SPAN;
    span_end();
    fake_tsc += 5 * SPAN; /* in the guest */
    span_end();
    span_begin("VMCALL", NULL, fake_tsc - 7);
    fake_tsc += SPAN;
    EXPECT_PANIC(span_end());
    assert_non_null(strstr(fake_panic_text, "VMCALL took 1000007"));
}

static void test_a_unit_by_its_name(void **state)
{
    (void)state;
    span_begin(NULL, test_span, fake_tsc);
    fake_tsc += SPAN + 1;
    EXPECT_PANIC(span_end());
    assert_non_null(strstr(fake_panic_text, "worker took"));
}

static void test_each_pcpu_has_its_own(void **state)
{
    (void)state;
    span_begin("CPUID", NULL, fake_tsc);
    fake_cpu_id = 1;
    span_begin("HLT", NULL, fake_tsc);
    fake_tsc += 10;
    span_end();
    fake_cpu_id = 0;
    fake_tsc += SPAN;
    EXPECT_PANIC(span_end());
}

/* Where a tick is a time: once for each name, when no lock is held. */
static void test_warns_elsewhere(void **state)
{
    (void)state;
    bound_start(false);
    for (unsigned i = 0; i < 3; i++) {
        span_begin("CPUID", NULL, fake_tsc);
        hold(&inner, HOLD + 5);
        assert_int_equal(fake_log_lines[1], i ? 1 : 0);
        span_end();
        span_begin("CPUID", NULL, fake_tsc);
        assert_int_equal(fake_log_lines[1], 1);
    }
    assert_true(fake_log_has("inner worker took"));
    fake_tsc += 2 * SPAN;
    span_end();
    span_begin("CPUID", NULL, fake_tsc);
    assert_int_equal(fake_log_lines[1], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_hold, setup),
        cmocka_unit_test_setup(test_waits_and_pauses_are_not_held, setup),
        cmocka_unit_test_setup(test_span, setup),
        cmocka_unit_test_setup(test_a_unit_by_its_name, setup),
        cmocka_unit_test_setup(test_each_pcpu_has_its_own, setup),
        cmocka_unit_test_setup(test_warns_elsewhere, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
