/* links: lib/string.c */
/*
 * lib/string.c: the names are the C library's, and here they are ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/string.h"

#define SIZE 200

static unsigned char a[SIZE], b[SIZE], expected[SIZE];

static void scramble(void)
{
    for (unsigned i = 0; i < SIZE; i++) {
        a[i] = (unsigned char)rand();
        b[i] = expected[i] = (unsigned char)rand();
    }
}

static void assert_same(const unsigned char *x, const unsigned char *y)
{
    for (unsigned i = 0; i < SIZE; i++)
        assert_int_equal(x[i], y[i]);
}

static void test_copy_and_set(void **state)
{
    (void)state;
    for (unsigned from = 0; from < 9; from++) {
        for (unsigned to = 0; to < 9; to++) {
            for (unsigned n = 0; n < 40; n++) {
                scramble();
                for (unsigned i = 0; i < n; i++)
                    expected[to + i] = a[from + i];
                assert_ptr_equal(memcpy(b + to, a + from, n), b + to);
                assert_same(b, expected);
                for (unsigned i = 0; i < n; i++)
                    expected[to + i] = (unsigned char)from;
                assert_ptr_equal(memset(b + to, 0x100 + (int)from, n), b + to);
                assert_same(b, expected);
            }
        }
    }
}

static void test_move(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        unsigned n = (unsigned)rand() % 60, from = (unsigned)rand() % 100,
                 to = (unsigned)rand() % 100;

        scramble();
        for (unsigned i = 0; i < n; i++)
            expected[to + i] = b[from + i];
        assert_ptr_equal(memmove(b + to, b + from, n), b + to);
        assert_same(b, expected);
    }
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void test_compare(void **state)
{
    (void)state;
    assert_int_equal(memcmp("abc", "abd", 2), 0);
    assert_int_equal(sign(memcmp("abc", "abd", 3)), -1);
    assert_int_equal(sign(memcmp("\xff", "\x01", 1)), 1);
    assert_int_equal(memcmp("a", "b", 0), 0);
    assert_int_equal(memcmp("a\0b", "a\0b", 3), 0);
    assert_int_equal(strcmp("", ""), 0);
    assert_int_equal(strcmp("abc", "abc"), 0);
    assert_int_equal(sign(strcmp("abc", "abcd")), -1);
    assert_int_equal(sign(strcmp("abcd", "abc")), 1);
    assert_int_equal(sign(strcmp("a\xff", "a\x01")), 1);
    assert_int_equal(strncmp("abcx", "abcy", 3), 0);
    assert_int_equal(sign(strncmp("abcx", "abcy", 4)), -1);
    assert_int_equal(strncmp("ab", "ab", 100), 0);
    assert_int_equal(strncmp("a", "b", 0), 0);
}

static void test_search(void **state)
{
    const char *s = "a=b=c";

    (void)state;
    assert_int_equal(strlen(""), 0);
    assert_int_equal(strlen(s), 5);
    assert_ptr_equal(strchr(s, '='), s + 1);
    assert_ptr_equal(strchr(s, 'c'), s + 4);
    assert_ptr_equal(strchr(s, '\0'), s + 5);
    assert_null(strchr(s, 'x'));
    assert_null(strchr("", 'x'));
}

static void test_str_copy(void **state)
{
    char to[6] = "xxxxx";

    (void)state;
    assert_int_equal(str_copy(to, "", sizeof(to)), 0);
    assert_memory_equal(to, "\0xxxx", 6);
    assert_int_equal(str_copy(to, "abcde", sizeof(to)), 5);
    assert_memory_equal(to, "abcde", 6);
    assert_int_equal(str_copy(to, "123456789", sizeof(to)), 9);
    assert_memory_equal(to, "12345", 6);
    assert_int_equal(str_copy(to, "zz", 1), 2);
    assert_memory_equal(to, "\0002345", 6);
    assert_int_equal(str_copy(to, "zz", 0), 2);
    assert_memory_equal(to, "\0002345", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_and_set), cmocka_unit_test(test_move),
        cmocka_unit_test(test_compare),      cmocka_unit_test(test_search),
        cmocka_unit_test(test_str_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
