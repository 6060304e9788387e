/*
 * The clip of a guest's index. That nothing is guessed about it, no test can see: what it gives, it
 * can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/nospec.h"

static void test_below(void **state)
{
    (void)state;
    assert_int_equal(index_nospec(0, 1), 0);
    assert_int_equal(index_nospec(4095, 4096), 4095);
    assert_int_equal(index_nospec(1ul << 63, UINT64_MAX), 1ul << 63);
    assert_int_equal(index_nospec(UINT64_MAX - 1, UINT64_MAX), UINT64_MAX - 1);
}

static void test_beyond(void **state)
{
    (void)state;
    assert_int_equal(index_nospec(0, 0), 0);
    assert_int_equal(index_nospec(1, 1), 0);
    assert_int_equal(index_nospec(4096, 4096), 0);
    assert_int_equal(index_nospec(0x100000000, 16), 0); /* not only its lower half is compared */
    assert_int_equal(index_nospec(UINT64_MAX, 1ul << 63), 0);
    assert_int_equal(index_nospec(UINT64_MAX, UINT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
