/* links: monitor/lineedit.c monitor/command.c lib/word.c tests/fakes/str_copy.c tests/fakes/panic.c */
/*
 * What an operator may type: the line editor, and what commands make of the lines.
 *
 * The input is keys. What must hold: the terminal shows the line and nothing else, with nothing but
 * printable characters; a command gets as many words as it takes, all of them within its line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/assert.h"
#include "monitor/command.h"
#include "monitor/lineedit.h"
#include "monitor/monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lineedit e;

/* The terminal's line. */
static struct {
    char text[LINEEDIT_BYTES + 16];
    unsigned cursor;
} term;

static void put(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '\b') {
            ASSERT(term.cursor > 0);
            term.cursor--;
        } else if (c == '\r') {
            term.cursor = 0;
        } else if (c == '\n') {
            memset(term.text, ' ', sizeof(term.text));
        } else {
            ASSERT(c >= ' ' && c <= '~' && term.cursor < sizeof(term.text));
            term.text[term.cursor++] = c;
        }
    }
}

static void terminal_agrees(void)
{
    ASSERT(strlen(e.text) == e.length && e.cursor <= e.length);
    ASSERT(memcmp(term.text, e.text, e.length) == 0);
    for (unsigned i = e.length; i < sizeof(term.text); i++)
        ASSERT(term.text[i] == ' ');
    ASSERT(term.cursor == e.cursor);
}

static void new_line(void)
{
    memset(term.text, ' ', sizeof(term.text));
    term.cursor = 0;
    lineedit_begin(&e);
}

void monitor_print(const char *fmt, ...)
{
    static char text[4 * LINEEDIT_BYTES];
    va_list args;

    va_start(args, fmt);
    ASSERT(vsnprintf(text, sizeof(text), fmt, args) >= 0);
    va_end(args);
}

static void run(const struct command_args *args)
{
    const char *end = args->rest + strlen(args->rest);

    ASSERT(args->rest >= e.text);
    for (unsigned i = 0; i < args->count && i < COMMAND_WORDS; i++) {
        ASSERT(args->word[i].length > 0);
        ASSERT(args->word[i].text >= args->rest);
        ASSERT(args->word[i].text + args->word[i].length <= end);
    }
}

const struct command commands[] = {
    { "help", "[COMMAND]", "this list", COMPLETES_COMMANDS, 0, 1, command_help },
    { "list", "", "domains", COMPLETES_NOTHING, 0, 0, run },
    { "log", "", "the log", COMPLETES_NOTHING, 0, 1, run },
    { "pause", "DOM", "stop it", COMPLETES_DOMAINS, 1, 1, run },
    { "create", "WORDS", "make one", COMPLETES_NOTHING, 1, COMMAND_ANY, run },
};
const unsigned command_count = sizeof(commands) / sizeof(commands[0]);

void command_more(const struct command *c)
{
    ASSERT(c->run);
}

const char *command_domain(unsigned n)
{
    static const char *const names[] = { "alpha", "alphabet", "beta",
                                         "a-name-of-thirty-one-characters" };
    return n < 4 ? names[n] : NULL;
}

static void complete(void)
{
    struct completion c;

    command_complete(e.text, e.cursor, &c);
    ASSERT(memchr(c.insert, '\0', sizeof(c.insert)));
    command_print_choices(e.text, e.cursor);
    lineedit_insert(&e, c.insert);
}

static void type(uint8_t key)
{
    switch (lineedit_feed(&e, key)) {
    case LINEEDIT_DONE:
        command_run(e.text);
        while (command_turn() != COMMAND_DONE)
            ;
        new_line();
        break;
    case LINEEDIT_TOO_LONG:
    case LINEEDIT_CANCEL:
        new_line();
        break;
    case LINEEDIT_COMPLETE:
        complete();
        break;
    case LINEEDIT_NONE:
        break;
    }
    terminal_agrees();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lineedit_init(&e, put);
    new_line();
    for (size_t i = 0; i < size; i++)
        type(data[i]);
    return 0;
}
