/* links: lib/log.c lib/fmt.c tests/fakes/panic.c */
/*
 * The log: levels, sinks that come late, a ring that overflows, text that does not behave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "lib/limits.h"
#include "lib/log.h"
#include "tests/fakes/panic.h"

struct sink {
    char text[2 * LOG_RING_BYTES];
    size_t length;
};
static struct sink early, late;

static void take(struct sink *s, const char *text, size_t length)
{
    assert_true(s->length + length < sizeof(s->text));
    memcpy(s->text + s->length, text, length);
    s->length += length;
    s->text[s->length] = '\0';
}

static void take_early(const char *text, size_t length)
{
    take(&early, text, length);
}

static void take_late(const char *text, size_t length)
{
    take(&late, text, length);
}

static void clear(struct sink *s)
{
    s->length = 0;
    s->text[0] = '\0';
}

/* All that is kept, line by line. */
static size_t read_all(char *out)
{
    uint64_t at = 0;
    size_t length = 0, n;

    while ((n = log_read(&at, out + length)))
        length += n;
    assert_int_equal(at, log_end());
    return length;
}

/* One log, so one test after the other: they build on each other. */
static void test_levels(void **state)
{
    char copy[256 + LOG_LINE_BYTES];
    uint64_t at = 0;

    (void)state;
    assert_int_equal(read_all(copy), 0);
    log_info("before any sink: %d", 1);
    log_debug("hidden");
    log_add_sink(take_early);
    assert_string_equal(early.text, "caisson: before any sink: 1\n");
    log_warn("two");
    log_debug("hidden too");
    log_set_level(LOG_ERROR);
    log_info("hidden for a while");
    log_error("three");
    log_set_level(LOG_INFO);
    assert_string_equal(early.text, "caisson: before any sink: 1\ncaisson: warning: two\n"
                                    "caisson: error: three\n");
    assert_true(read_all(copy) > 0);
    assert_string_equal(copy, "caisson: before any sink: 1\ncaisson: debug: hidden\n"
                              "caisson: warning: two\ncaisson: debug: hidden too\n"
                              "caisson: hidden for a while\ncaisson: error: three\n");
    at = log_end();
    assert_int_equal(log_read(&at, copy), 0);
    log_error("four");
    assert_int_equal(log_read(&at, copy), 21); /* goes on where it was */
    assert_string_equal(copy, "caisson: error: four\n");
}

static void test_text(void **state)
{
    char long_text[2000];

    (void)state;
    clear(&early);
    log_info("a\x1b[2Jb\nc\td\x01\x7f\x9b\xc3\xa9");
    assert_string_equal(early.text, "caisson: a?[2Jb?c\td?????\n");
    clear(&early);
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    log_info("%s", long_text);
    assert_true(early.length > 400 && early.length < 600);
    assert_int_equal(early.text[early.length - 1], '\n');
    assert_int_equal(early.text[early.length - 2], 'x');
}

static int gate_says;
static const char *gate_saw;

static bool gate_shown;

static int gate(const char *text, bool shown)
{
    static char copy[LOG_LINE_BYTES];

    gate_shown = shown;
    gate_saw = strncpy(copy, text, sizeof(copy) - 1);
    return gate_says;
}

/* What it leaves out is not kept either. */
static void test_gate(void **state)
{
    uint64_t before = log_end();

    (void)state;
    clear(&early);
    log_set_gate(gate);
    log_error("some %s", "text");
    assert_string_equal(gate_saw, "some text\n");
    assert_true(gate_shown);
    assert_string_equal(early.text, "caisson: error: some text\n");
    gate_says = -1;
    before = log_end();
    log_error("left out");
    assert_int_equal(log_end(), before);
    gate_says = 3;
    clear(&early);
    log_debug("not shown");
    assert_false(gate_shown);
    log_info("again");
    assert_string_equal(early.text, "caisson: 3 lines like the next were left out\n"
                                    "caisson: again\n");
    gate_says = 0;
}

static void test_overflow(void **state)
{
    static char copy[LOG_RING_BYTES + LOG_LINE_BYTES];
    uint64_t at = 0;
    size_t length;

    (void)state;
    log_read(&at, copy);
    for (int i = 0; i < 5000; i++) {
        clear(&early);
        log_at(i % 2 ? LOG_INFO : LOG_DEBUG, "line %04d of many", i);
    }
    assert_true(log_read(&at, copy) > 0); /* the next is gone: the oldest that is whole */
    assert_memory_equal(copy, "caisson: ", 9);
    assert_non_null(strstr(copy, " of many\n"));
    length = read_all(copy);
    assert_true(length > LOG_RING_BYTES - 3000 && length < LOG_RING_BYTES);
    assert_memory_equal(copy, "caisson: ", 9); /* starts with a whole line */
    assert_string_equal(copy + length - 27, "caisson: line 4999 of many\n");
    log_add_sink(take_late);
    assert_null(strstr(late.text, "debug"));
    assert_non_null(strstr(late.text, "caisson: line 4997 of many\ncaisson: line 4999 of many\n"));
}

/* The sinks get it in front of each line; what is kept, which domains may read, is without it: also
 * the line that tells of it, and the one about lines that were left out. */
static void test_mark(void **state)
{
    static char copy[2 * LOG_RING_BYTES];
    uint64_t before = log_end();
    char line[LOG_LINE_BYTES];

    (void)state;
    assert_string_equal(log_mark(), "");
    clear(&early);
    log_set_mark(0xBEEF123);
    assert_string_equal(log_mark(), "[0beef123] ");
    assert_memory_equal(early.text, "[0beef123] caisson: what Caisson says ", 38);
    clear(&early);
    log_warn("no guest knows it");
    assert_string_equal(early.text, "[0beef123] caisson: warning: no guest knows it\n");
    gate_says = 3;
    clear(&early);
    log_info("the next");
    gate_says = 0;
    assert_string_equal(early.text, "[0beef123] caisson: 3 lines like the next were left out\n"
                                    "[0beef123] caisson: the next\n");
    read_all(copy);
    assert_non_null(strstr(copy,
                           "\ncaisson: warning: no guest knows it\n"
                           "caisson: 3 lines like the next were left out\ncaisson: the next\n"));
    assert_null(strstr(copy, "0beef123"));
    while (log_read(&before, line)) /* from any place on */
        assert_memory_equal(line, "caisson: ", 9);
}

/* In a panic all is said. */
static void test_end(void **state)
{
    (void)state;
    gate_says = -1;
    log_break_lock();
    log_info("after the lock broke");
    assert_non_null(strstr(late.text, "after the lock broke"));
    log_add_sink(take_late);
    log_add_sink(take_late);
    EXPECT_PANIC(log_add_sink(take_late));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),   cmocka_unit_test(test_text), cmocka_unit_test(test_gate),
        cmocka_unit_test(test_overflow), cmocka_unit_test(test_mark), cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
