/*
 * Commands: a table of them, and what it drives: parsing, help, and completion.
 *
 * The table is in monitor/command_table.c; this file knows none of its entries.
 *
 * A command that has more to do than one turn of a unit may take leaves a function for the rest,
 * which is called turn after turn (command_go_on()). One is carried out at a time, so what it keeps
 * from turn to turn may be static.
 */
#ifndef CAISSON_MONITOR_COMMAND_H
#define CAISSON_MONITOR_COMMAND_H

#include "lib/limits.h"
#include "lib/word.h"

#define COMMAND_WORDS 16  /* of one line that are kept, the command's name not counted */
#define COMMAND_ANY   ~0u /* for `most` */

struct command_args {
    unsigned count; /* of words; those behind the last of word[] are in the rest only */
    struct word word[COMMAND_WORDS];
    const char *rest; /* the line behind the command's name, unparsed */
};

/* What Tab knows to complete behind the command's name. */
enum command_completes { COMPLETES_NOTHING, COMPLETES_DOMAINS, COMPLETES_COMMANDS };

struct command {
    const char *name;
    const char *arguments; /* as help shows them */
    const char *help;      /* one line */
    enum command_completes completes;
    unsigned least, most; /* words behind the name */
    void (*run)(const struct command_args *args);
};

extern const struct command commands[];
extern const unsigned command_count;
/* Prints what `help` has to say about it besides, if anything. */
void command_more(const struct command *c);
/* Name of the n-th domain, or NULL. */
const char *command_domain(unsigned n);

/* Carries out a line, or its beginning; says so if it cannot be understood. An empty one does
 * nothing. The line stays as it is until command_turn() has answered COMMAND_DONE. */
void command_run(const char *line);

/* WAITS: for something to happen, after which command_turn() is to be called again. */
enum command_progress { COMMAND_DONE, COMMAND_MORE, COMMAND_WAITS };
/* The next piece of the command that was begun. */
enum command_progress command_turn(void);
/* From a command's run(): piece() does the rest, some of it at each call: a line or two. */
void command_go_on(enum command_progress (*piece)(void));

/* The one under way, if any, has no further pieces. What it has begun elsewhere goes on. */
void command_give_up(void);

/* The command `help [COMMAND]`. */
void command_help(const struct command_args *args);

struct completion {
    unsigned count;        /* names that fit */
    char insert[MAX_NAME]; /* what all of them go on with; and a blank if it is only one */
};
void command_complete(const char *line, unsigned cursor, struct completion *out);
/* Prints the names that fit, on one line. */
void command_print_choices(const char *line, unsigned cursor);

#endif
