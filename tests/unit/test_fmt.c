/* links: lib/fmt.c */
/*
 * lib/fmt.c against the C library's snprintf().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/fmt.h"

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[256], theirs[256];                                                               \
        size_t n = fmt_sn(ours, sizeof(ours), __VA_ARGS__);                                        \
        assert_int_equal(n, snprintf(theirs, sizeof(theirs), __VA_ARGS__));                        \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

static void test_plain(void **state)
{
    (void)state;
    SAME("text");
    SAME("100%%");
    SAME("%d %i %u %x %X", -1, 42, 42u, 0xbeefu, 0xbeefu);
    SAME("%s|%10s|%-10s|%.3s|%10.3s|%-10.3s|%.0s", "alpha", "alpha", "alpha", "alpha", "alpha",
         "alpha", "alpha");
    SAME("%.*s|%*d|%*d", 2, "alpha", 7, 3, -7, 3);
    SAME("%c%c|%5c|%-5c|", 'a', 'b', 'c', 'd');
    SAME("%p", (void *)0x1234abcd);
}

static void test_extremes(void **state)
{
    (void)state;
    SAME("%d %d", INT32_MIN, INT32_MAX);
    SAME("%ld %ld %lu", INT64_MIN, INT64_MAX, UINT64_MAX);
    SAME("%lld %llx %zu %zx", INT64_MIN, UINT64_MAX, SIZE_MAX, SIZE_MAX);
    SAME("%hhd %hhu %hd %hu %hhx", 0x1ff, 0x1ff, 0x1ffff, 0x1ffff, -1);
    SAME("%020ld|%-20ld|%20ld|%05d|%1d", INT64_MIN, INT64_MIN, INT64_MIN, -7, -12345);
    SAME("%016lx|%-16lx|%8x|%08X", 0xabcUL, 0xabcUL, 0xabc, 0xabc);
}

static void test_random(void **state)
{
    static const char *const length[] = { "hh", "h", "", "l", "ll", "z" };
    static const char conversion[] = "diuxX";

    (void)state;
    srand(1);
    for (int round = 0; round < 200000; round++) {
        char format[32], width[8] = "";
        uint64_t value = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        unsigned l = (unsigned)rand() % 6;

        value >>= rand() % 64;
        if (rand() % 2)
            value = -value;
        if (rand() % 2)
            snprintf(width, sizeof(width), "%d", rand() % 30 + 1);
        snprintf(format, sizeof(format), "<%%%s%s%s%s%c>", rand() % 3 ? "" : "-",
                 rand() % 3 ? "" : "0", width, length[l], conversion[rand() % 5]);
        if (l < 3)
            SAME(format, (int)value);
        else
            SAME(format, value);
    }
}

static void test_cut(void **state)
{
    char buf[8];

    (void)state;
    memset(buf, 'x', sizeof(buf));
    assert_int_equal(fmt_sn(buf, 4, "%s", "alphabet"), 8);
    assert_memory_equal(buf, "alp\0xxxx", 8);
    assert_int_equal(fmt_sn(buf, 1, "%d", 12345), 5);
    assert_memory_equal(buf, "\0lp\0xxxx", 8);
    memset(buf, 'x', sizeof(buf));
    assert_int_equal(fmt_sn(buf, 0, "%d", 12345), 5);
    assert_memory_equal(buf, "xxxxxxxx", 8);
    assert_int_equal(fmt_sn(NULL, 0, "%d", 12345), 5);
    assert_int_equal(fmt_sn(buf, 8, "%s", "1234567"), 7);
    assert_string_equal(buf, "1234567");
}

/* What snprintf leaves undefined. */
static void test_malformed(void **state)
{
    char buf[64];
    const char *volatile nothing = NULL;

    (void)state;
    fmt_sn(buf, sizeof(buf), "%s", nothing);
    assert_string_equal(buf, "(null)");
    fmt_sn(buf, sizeof(buf), "%y|%");
    assert_string_equal(buf, "%y|%");
    fmt_sn(buf, sizeof(buf), "a%-08.3l");
    assert_string_equal(buf, "a%-08.3l");
    fmt_sn(buf, sizeof(buf), "%5n");
    assert_string_equal(buf, "%5n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),     cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_random),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
