/*
 * Commands: a table of them, and what it drives: parsing, help, and completion.
 *
 * The table is in monitor/command_table.c; this file knows none of its entries.
 */
#ifndef CAISSON_MONITOR_COMMAND_H
#define CAISSON_MONITOR_COMMAND_H

#include <stddef.h>
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

/* Carries out a line; says so if it cannot be understood. An empty one does nothing. */
void command_run(const char *line);

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
