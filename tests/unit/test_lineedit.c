/* links: monitor/lineedit.c lib/string.c tests/fakes/panic.c */
/*
 * The line editor: what is in the line, and what a terminal that knows only printable characters,
 * backspace, carriage return and newline shows after each byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "monitor/lineedit.h"

static struct lineedit e;

/* The terminal's current line and cursor. */
static struct {
    char text[LINEEDIT_BYTES + 80];
    unsigned cursor, lines;
} term;

static void put(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '\b') {
            assert_true(term.cursor > 0);
            term.cursor--;
        } else if (c == '\r') {
            term.cursor = 0;
        } else if (c == '\n') {
            memset(term.text, ' ', sizeof(term.text));
            term.lines++;
        } else {
            assert_in_range(c, ' ', '~');
            assert_true(term.cursor < sizeof(term.text));
            term.text[term.cursor++] = c;
        }
    }
}

static int new_line(void **state)
{
    (void)state;
    lineedit_init(&e, put);
    memset(&term, 0, sizeof(term));
    memset(term.text, ' ', sizeof(term.text));
    return 0;
}

/* The terminal shows the line and nothing else, with the cursor where it belongs. */
static void terminal_agrees(void)
{
    assert_int_equal(strlen(e.text), e.length);
    assert_memory_equal(term.text, e.text, e.length);
    for (unsigned i = e.length; i < sizeof(term.text); i++)
        assert_int_equal(term.text[i], ' ');
    assert_int_equal(term.cursor, e.cursor);
}

static enum lineedit_event type(const char *bytes)
{
    enum lineedit_event last = LINEEDIT_NONE;

    for (; *bytes; bytes++) {
        last = lineedit_feed(&e, (uint8_t)*bytes);
        if (last == LINEEDIT_NONE)
            terminal_agrees();
    }
    return last;
}

static void is(const char *bytes, const char *text, unsigned cursor)
{
    new_line(NULL);
    type(bytes);
    assert_string_equal(e.text, text);
    assert_int_equal(e.cursor, cursor);
}

static void edits(void **state)
{
    (void)state;
    is("abc", "abc", 3);
    is("abc\x7f", "ab", 2);
    is("abc\b\b\b\b", "", 0);
    is("abc\x01x", "xabc", 1);
    is("abc\x01\x05x", "abcx", 4);
    is("abc\x1b[D\x1b[Dx", "axbc", 2);
    is("abc\x1b[D\x1b[D\x1b[Cx", "abxc", 3);
    is("abc\x02\x02\x06x", "abxc", 3);
    is("abc\x1b[Hx\x1b[Fy", "xabcy", 5);
    is("abc\x1bOHx", "xabc", 1);
    is("abc\x1b[1~\x1b[3~", "bc", 0);
    is("abc\x01\x04", "bc", 0);
    is("abcdef\x02\x02\x02\x0b", "abc", 3);
    is("abcdef\x02\x02\x02\x15", "def", 0);
    is("one two  \x17", "one ", 4);
    is("one\x17\x17", "", 0);
    is("abc\x01\x7f\x1b[D", "abc", 0);
    is("abc\x05\x1b[C\x1b[3~", "abc", 3);
}

static void ignores_what_it_does_not_know(void **state)
{
    (void)state;
    is("a\x1b[5~b", "ab", 2);
    is("a\x1b[1;5Cb", "ab", 2);
    is("a\x1bxb", "ab", 2);
    is("a\x0c\x1d\xff\x80"
       "b",
       "ab", 2);
    is("a\x1b[99999999999999999999qb", "ab", 2);
}

static void says_when_it_is_done(void **state)
{
    (void)state;
    assert_int_equal(type("list\x02\r"), LINEEDIT_DONE);
    assert_string_equal(e.text, "list");
    assert_int_equal(term.cursor, 0);
    assert_int_equal(term.lines, 1);
    lineedit_begin(&e);
    assert_int_equal(type("x\x03"), LINEEDIT_CANCEL);
    assert_string_equal(e.text, "");
    assert_int_equal(type("x\t"), LINEEDIT_COMPLETE);
    lineedit_insert(&e, "yz");
    assert_string_equal(e.text, "xyz");
    terminal_agrees();
}

static void enter(const char *text)
{
    type(text);
    assert_int_equal(type("\r"), LINEEDIT_DONE);
    lineedit_begin(&e);
}

static void remembers(void **state)
{
    (void)state;
    enter("one");
    enter("two long");
    enter("two long");
    enter("");
    type("draft\x1b[A");
    assert_string_equal(e.text, "two long");
    type("\x1b[A");
    assert_string_equal(e.text, "one");
    type("\x1b[A");
    assert_string_equal(e.text, "one");
    type("\x0e\x0e");
    assert_string_equal(e.text, "draft");
    type("\x1b[B");
    assert_string_equal(e.text, "draft");
}

static void forgets_the_oldest(void **state)
{
    char text[1001];

    (void)state;
    memset(text, 'x', 1000);
    text[1000] = '\0';
    for (int i = 0; i < 7; i++) {
        text[0] = (char)('a' + i);
        enter(text);
    }
    for (int i = 0; i < 9; i++)
        type("\x10");
    assert_int_equal(e.text[0], 'a' + 7 - LINEEDIT_PAST / 1001);
    assert_int_equal(e.length, 1000);
    for (int i = 0; i < 3; i++)
        type("\x0e");
    assert_int_equal(e.text[0], 'g');
}

static void long_lines_fit(void **state)
{
    static char text[2301];

    (void)state;
    memset(text, 'k', 2300);
    type(text);
    assert_int_equal(type("\r"), LINEEDIT_DONE);
    assert_string_equal(e.text, text);
}

/* A line is carried out whole or not at all. */
static void longer_lines_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < LINEEDIT_BYTES - 1; i++)
        type("x");
    assert_int_equal(type("\r"), LINEEDIT_DONE);
    lineedit_begin(&e);
    for (int i = 0; i < LINEEDIT_BYTES; i++)
        type("y");
    assert_int_equal(e.length, LINEEDIT_BYTES - 1);
    assert_int_equal(type("\r"), LINEEDIT_TOO_LONG);
    lineedit_begin(&e);
    type("\x10");
    assert_int_equal(e.text[0], 'x'); /* it is not remembered */
    type("zz\x7f\x7f");
    assert_int_equal(type("\r"), LINEEDIT_DONE); /* what was seen to be cut is no surprise */
}

/* Whatever comes, the terminal shows the line. */
static void survives_noise(void **state)
{
    static const char keys[] = "ab \x1b[ADCBH~13\x01\x05\x0b\x15\x17\x7f\x02\x06\x10\x0e\xff";
    unsigned seed = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        char key[2] = { 0 };

        seed = seed * 1103515245 + 12345;
        key[0] = keys[(seed >> 16) % (sizeof(keys) - 1)];
        if ((seed >> 8) % 50 == 0)
            enter("");
        else
            type(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(edits, new_line),
        cmocka_unit_test_setup(ignores_what_it_does_not_know, new_line),
        cmocka_unit_test_setup(says_when_it_is_done, new_line),
        cmocka_unit_test_setup(remembers, new_line),
        cmocka_unit_test_setup(forgets_the_oldest, new_line),
        cmocka_unit_test_setup(long_lines_fit, new_line),
        cmocka_unit_test_setup(longer_lines_are_refused, new_line),
        cmocka_unit_test_setup(survives_noise, new_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
