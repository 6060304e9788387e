/*
 * Parsing, help and completion of commands. See monitor/command.h.
 */
#include "monitor/command.h"
#include <stdbool.h>
#include "lib/assert.h"
#include "lib/string.h"
#include "monitor/monitor.h"

static enum command_progress (*next_piece)(
    void); /* the monitor's work only; NULL: nothing is under way */

static const struct command *find(struct word name)
{
    for (unsigned i = 0; i < command_count; i++) {
        if (word_is(name, commands[i].name))
            return &commands[i];
    }
    return NULL;
}

static void refuse(struct word name)
{
    monitor_print("unknown command \"%.*s\"; \"help\" lists them\n", WORD_ARGS(name));
}

static void print_usage(const struct command *c)
{
    monitor_print("usage: %s%s%s\n", c->name, c->arguments[0] ? " " : "", c->arguments);
}

static void split(const char *line, struct command_args *args)
{
    struct word w;

    args->count = 0;
    args->rest = line;
    while (word_next(&line, &w)) {
        if (args->count < COMMAND_WORDS)
            args->word[args->count] = w;
        args->count++;
    }
}

void command_run(const char *line)
{
    struct command_args args;
    const struct command *c;
    struct word name;

    if (!word_next(&line, &name))
        return;
    c = find(name);
    if (!c) {
        refuse(name);
        return;
    }
    split(line, &args);
    if (args.count < c->least || args.count > c->most) {
        print_usage(c);
        return;
    }
    c->run(&args);
}

void command_go_on(enum command_progress (*piece)(void))
{
    ASSERT(!next_piece);
    next_piece = piece;
}

enum command_progress command_turn(void)
{
    enum command_progress p = next_piece ? next_piece() : COMMAND_DONE;

    if (p == COMMAND_DONE)
        next_piece = NULL;
    return p;
}

void command_give_up(void)
{
    next_piece = NULL;
}

/* ---- Help ------------------------------------------------------------------------------------ */

static unsigned helped; /* commands that `help` has told of */

static enum command_progress help_one(void)
{
    const struct command *c = &commands[helped++];

    monitor_print("%-11s %s\n", c->name, c->help); /* 80 columns at most */
    return helped < command_count ? COMMAND_MORE : COMMAND_DONE;
}

void command_help(const struct command_args *args)
{
    const struct command *c = args->count ? find(args->word[0]) : NULL;

    if (args->count && !c) {
        refuse(args->word[0]);
        return;
    }
    if (c) {
        print_usage(c);
        monitor_print("%s\n", c->help);
        command_more(c);
        return;
    }
    helped = 0;
    command_go_on(help_one);
}

/* ---- Completion ------------------------------------------------------------------------------ */

static const char *name_of_command(unsigned n)
{
    return n < command_count ? commands[n].name : NULL;
}

/* What is to be completed: the word that ends at the cursor, and the names that it may become. */
struct sought {
    struct word part;
    const char *(*name)(unsigned n); /* NULL: nothing is known */
};

static struct sought look(const char *line, unsigned cursor)
{
    struct sought s = { .name = name_of_command };
    struct word first;
    unsigned start = cursor;
    const struct command *c;

    while (start && line[start - 1] != ' ')
        start--;
    s.part = (struct word){ line + start, cursor - start };
    if (!word_next(&line, &first) || first.text >= s.part.text)
        return s;
    c = find(first);
    if (!c || c->completes == COMPLETES_NOTHING)
        s.name = NULL;
    else if (c->completes == COMPLETES_DOMAINS)
        s.name = command_domain;
    return s;
}

static bool fits(struct word part, const char *name)
{
    return strlen(name) >= part.length && strncmp(name, part.text, part.length) == 0;
}

/* Cuts what is in `common` to what `more` begins with too. */
static void keep_common(char *common, const char *more)
{
    while (*common && *common == *more) {
        common++;
        more++;
    }
    *common = '\0';
}

void command_complete(const char *line, unsigned cursor, struct completion *out)
{
    struct sought s = look(line, cursor);
    const char *name;
    size_t n;

    *out = (struct completion){ 0 };
    for (unsigned i = 0; s.name && (name = s.name(i)); i++) {
        if (!fits(s.part, name))
            continue;
        if (out->count++ == 0)
            str_copy(out->insert, name + s.part.length, sizeof(out->insert));
        else
            keep_common(out->insert, name + s.part.length);
    }
    n = strlen(out->insert);
    if (out->count == 1 && n + 1 < sizeof(out->insert)) {
        out->insert[n] = ' ';
        out->insert[n + 1] = '\0';
    }
}

void command_print_choices(const char *line, unsigned cursor)
{
    struct sought s = look(line, cursor);
    const char *name;

    for (unsigned i = 0; s.name && (name = s.name(i)); i++) {
        if (fits(s.part, name))
            monitor_print("%s  ", name);
    }
    monitor_print("\n");
}
