/* links: monitor/monitor.c monitor/lineedit.c lib/fmt.c lib/string.c tests/fakes/panic.c */
/*
 * The monitor's keys: to the line, and while a command is under way, which may never end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "console/console.h"
#include "lib/log.h"
#include "monitor/command.h"
#include "monitor/monitor.h"
#include "sched/work.h"

#define ENDLESS UINT32_MAX

static const struct console_monitor *monitor;
static bool (*turn)(void);
static bool raised;
static char shown[16384], ran[1024];
static uint32_t pieces; /* that the command still has; ENDLESS: it never ends */
static bool waits;      /* it does not want to be called */
static unsigned ready;
static unsigned prompt; /* its width; 0: somebody else's line took its place */

/* ---- What the monitor calls ---- */

const char *log_mark(void)
{
    return "";
}

void console_print(const char *text, size_t len)
{
    assert_true(strlen(shown) + len < sizeof(shown));
    strncat(shown, text, len);
}

void console_set_prompt(unsigned width)
{
    prompt = width;
}

void console_widen_prompt(unsigned width)
{
    if (prompt)
        prompt = width;
}

void console_restore_prompt(void)
{
    if (!prompt && !monitor->is_busy())
        monitor->prompt();
}

void console_monitor_ready(void)
{
    ready++;
}

void work_init(struct work *w, bool (*fn)(void), unsigned cap)
{
    (void)w;
    (void)cap;
    turn = fn;
}

void work_raise(struct work *w)
{
    (void)w;
    raised = true;
}

/* Commands: "more", "wait", "endless", and others that are done at once. */
void command_run(const char *line)
{
    assert_int_equal(pieces, 0);
    strcat(strcat(ran, line), ";");
    waits = strcmp(line, "wait") == 0;
    pieces = strcmp(line, "more") == 0 ? 3 : waits || strcmp(line, "endless") == 0 ? ENDLESS : 0;
}

enum command_progress command_turn(void)
{
    if (waits && pieces)
        return COMMAND_WAITS;
    if (pieces && pieces != ENDLESS)
        pieces--;
    return pieces ? COMMAND_MORE : COMMAND_DONE;
}

void command_give_up(void)
{
    pieces = 0;
}

void command_complete(const char *line, unsigned cursor, struct completion *out)
{
    (void)line;
    (void)cursor;
    *out = (struct completion){ 0 };
}

void command_print_choices(const char *line, unsigned cursor)
{
    (void)line;
    (void)cursor;
}

/* ---- The world ---- */

/* Some turns; more than any command needs that ends. */
static void go_on(void)
{
    for (unsigned n = 0; raised && n < 100; n++)
        raised = turn();
}

static void type(const char *text)
{
    for (; *text; text++)
        monitor->input((uint8_t)*text);
}

static int setup(void **state)
{
    (void)state;
    if (!monitor)
        monitor = monitor_init();
    type("\3");
    go_on();
    shown[0] = ran[0] = '\0';
    ready = 0;
    return 0;
}

/* ---- Tests ---- */

static void test_one_after_the_other(void **state)
{
    (void)state;
    type("more\rone\rtw");
    assert_string_equal(ran, "more;");
    assert_true(monitor->is_busy());
    go_on();
    assert_string_equal(ran, "more;one;");
    assert_false(monitor->is_busy());
    type("o\r");
    assert_string_equal(ran, "more;one;two;");
}

/* Keys for the console's switch come through meanwhile: the monitor has room for all others. */
static void test_endless(void **state)
{
    unsigned n;

    (void)state;
    type("endless\r");
    go_on();
    assert_true(monitor->is_busy());
    type("ne");
    assert_true(monitor->has_room());
    assert_string_equal(ran, "endless;");
    type("\3");
    assert_false(monitor->is_busy());
    assert_non_null(strstr(shown, "^C\r\n"));
    assert_int_equal(ready, 1);
    go_on();
    type("next\r"); /* what was typed ahead has gone with it */
    assert_string_equal(ran, "endless;next;");
    go_on();
    type("endless\r");
    for (n = 0; monitor->has_room(); n++)
        type("x");
    assert_in_range(n, 1000, 100000);
    type("\3");
    assert_true(monitor->has_room());
    assert_false(monitor->is_busy());
}

/* What it has waited for happens after all: that is nothing to who types by then. */
static void test_given_up_and_called(void **state)
{
    (void)state;
    type("wait\r");
    go_on();
    assert_false(raised);
    assert_true(monitor->is_busy());
    type("\3");
    type("ab");
    monitor_go_on();
    go_on();
    type("c\r");
    assert_string_equal(ran, "wait;abc;");
}

/* A paste of many lines: all are carried out, none by two. */
static void test_paste(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 40; n++)
        type("more\rx\r");
    for (unsigned n = 0; n < 1000; n++)
        go_on();
    assert_false(monitor->is_busy());
    assert_int_equal(strlen(ran), 40 * strlen("more;x;"));
    go_on();
    assert_false(raised);
}

/* Somebody else's lines come in the midst of typing: what was typed is shown again before it goes
 * on, behind its prompt, and no echo stands alone. */
static void test_torn(void **state)
{
    (void)state;
    console_restore_prompt();
    type("o");
    shown[0] = '\0';
    prompt = 0;
    type("n");
    assert_string_equal(shown, "caisson> on");
    assert_int_equal(prompt, strlen("caisson> on"));
    prompt = 0;
    type("e\r");
    assert_string_equal(shown, "caisson> oncaisson> one\r\n");
    assert_string_equal(ran, "one;");
    assert_int_equal(prompt, 0);
}

/* What was typed ahead has a prompt before each line, also where the console had no time for it. */
static void test_ahead_has_prompts(void **state)
{
    (void)state;
    console_restore_prompt();
    shown[0] = '\0';
    type("more\rone\rt");
    go_on();
    assert_string_equal(shown, "more\r\ncaisson> one\r\ncaisson> t");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_one_after_the_other, setup),
                                        cmocka_unit_test_setup(test_endless, setup),
                                        cmocka_unit_test_setup(test_given_up_and_called, setup),
                                        cmocka_unit_test_setup(test_paste, setup),
                                        cmocka_unit_test_setup(test_torn, setup),
                                        cmocka_unit_test_setup(test_ahead_has_prompts, setup) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
