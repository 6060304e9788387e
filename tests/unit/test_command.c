/* links: monitor/command.c lib/word.c lib/string.c tests/fakes/panic.c */
/*
 * Commands: parsing, counts of words, help, completion; with a table and domains of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "monitor/command.h"
#include "monitor/monitor.h"

static char printed[4096];
static const char *ran;
static unsigned turns; /* that it took after the first */
static struct command_args got;

void monitor_print(const char *fmt, ...)
{
    size_t n = strlen(printed);
    va_list args;

    va_start(args, fmt);
    vsnprintf(printed + n, sizeof(printed) - n, fmt, args);
    va_end(args);
}

static void run_list(const struct command_args *args)
{
    ran = "list";
    got = *args;
}

static unsigned pieces;

static enum command_progress log_piece(void)
{
    if (!pieces)
        return COMMAND_DONE;
    pieces--;
    return pieces % 2 ? COMMAND_WAITS : COMMAND_MORE;
}

static void run_log(const struct command_args *args)
{
    (void)args;
    ran = "log";
    command_go_on(log_piece);
}

static void run_pause(const struct command_args *args)
{
    ran = "pause";
    got = *args;
}

static void run_create(const struct command_args *args)
{
    ran = "create";
    got = *args;
}

const struct command commands[] = {
    { "help", "[COMMAND]", "this list", COMPLETES_COMMANDS, 0, 1, command_help },
    { "list", "", "domains", COMPLETES_NOTHING, 0, 0, run_list },
    { "log", "", "the log", COMPLETES_NOTHING, 0, 0, run_log },
    { "pause", "DOM", "stop it", COMPLETES_DOMAINS, 1, 1, run_pause },
    { "create", "WORDS", "make one", COMPLETES_NOTHING, 1, COMMAND_ANY, run_create },
};
const unsigned command_count = sizeof(commands) / sizeof(commands[0]);

void command_more(const struct command *c)
{
    if (c->run == run_create)
        monitor_print("and more\n");
}

const char *command_domain(unsigned n)
{
    static const char *const names[] = { "alpha", "alphabet", "beta",
                                         "a-name-of-thirty-one-characters" };
    return n < 4 ? names[n] : NULL;
}

static void run(const char *line)
{
    printed[0] = '\0';
    ran = "nothing";
    turns = 0;
    command_run(line);
    while (command_turn() != COMMAND_DONE)
        turns++;
}

static void runs_what_fits(void **state)
{
    (void)state;
    run("list");
    assert_string_equal(ran, "list");
    run("  pause \t beta  ");
    assert_string_equal(ran, "pause");
    assert_int_equal(got.count, 1);
    assert_true(word_is(got.word[0], "beta"));
    run("create name=x -- a  b");
    assert_string_equal(ran, "create");
    assert_string_equal(got.rest, " name=x -- a  b");
    assert_int_equal(got.count, 4);
    assert_string_equal(printed, "");
}

/* A piece at a time, and then the next command. */
static void goes_on(void **state)
{
    (void)state;
    pieces = 2;
    command_run("log");
    assert_int_equal(command_turn(), COMMAND_WAITS);
    assert_int_equal(command_turn(), COMMAND_MORE);
    assert_int_equal(command_turn(), COMMAND_DONE);
    assert_int_equal(command_turn(), COMMAND_DONE);
    pieces = 5;
    run("log");
    assert_int_equal(turns, 5);
    run("list");
    assert_string_equal(ran, "list");
    assert_int_equal(turns, 0);
}

static void refuses_what_does_not(void **state)
{
    char many[128] = "create";

    (void)state;
    run("");
    run("   ");
    assert_string_equal(printed, "");
    run("lis");
    assert_non_null(strstr(printed, "unknown command \"lis\""));
    run("pause");
    assert_string_equal(printed, "usage: pause DOM\n");
    run("pause a b");
    assert_string_equal(printed, "usage: pause DOM\n");
    run("list x");
    assert_string_equal(printed, "usage: list\n");
    for (int i = 0; i <= COMMAND_WORDS; i++)
        strcat(many, " x");
    run(many); /* a kernel's command line may have any number */
    assert_string_equal(ran, "create");
    assert_int_equal(got.count, COMMAND_WORDS + 1);
    many[0] = 'x';
    run(many);
    assert_string_equal(ran, "nothing");
}

static void helps(void **state)
{
    (void)state;
    run("help");
    for (unsigned i = 0; i < command_count; i++)
        assert_non_null(strstr(printed, commands[i].help));
    assert_int_equal(turns, command_count - 1); /* a line a turn */
    run("help pause");
    assert_string_equal(printed, "usage: pause DOM\nstop it\n");
    run("help create");
    assert_string_equal(printed, "usage: create WORDS\nmake one\nand more\n");
    run("help x");
    assert_string_equal(printed, "unknown command \"x\"; \"help\" lists them\n");
}

static void completes_to(const char *line, unsigned count, const char *insert)
{
    struct completion c;

    command_complete(line, (unsigned)strlen(line), &c);
    assert_int_equal(c.count, count);
    assert_string_equal(c.insert, insert);
}

static void completes(void **state)
{
    struct completion c;

    (void)state;
    completes_to("", 5, "");
    completes_to("p", 1, "ause ");
    completes_to("l", 2, "");
    completes_to("pause", 1, " ");
    completes_to("x", 0, "");
    completes_to("pause b", 1, "eta ");
    completes_to("pause a", 3, "");
    completes_to("pause al", 2, "pha");
    completes_to("pause alpha", 2, "");
    completes_to("pause a-", 1, "name-of-thirty-one-characters ");
    completes_to("pause ", 4, "");
    completes_to("help cr", 1, "eate ");
    completes_to("list a", 0, "");
    completes_to("nonsense a", 0, "");
    completes_to("  pa", 1, "use ");
    command_complete("pa beta", 2, &c);
    assert_string_equal(c.insert, "use ");
}

static void prints_choices(void **state)
{
    (void)state;
    printed[0] = '\0';
    command_print_choices("pause al", 8);
    assert_string_equal(printed, "alpha  alphabet  \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_what_fits),
        cmocka_unit_test(goes_on),
        cmocka_unit_test(refuses_what_does_not),
        cmocka_unit_test(helps),
        cmocka_unit_test(completes),
        cmocka_unit_test(prints_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
