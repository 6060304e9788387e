/*
 * Words of a command line, and the values in them.
 *
 * A word is a piece of a longer string, not terminated: command lines are read where they are.
 */
#ifndef CAISSON_LIB_WORD_H
#define CAISSON_LIB_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
    const char *text;
    size_t length;
};

/* For log lines: log_warn("%.*s", WORD_ARGS(w)). */
#define WORD_ARGS(w) (int)(w).length, (w).text

/* Takes the next word off *line (blanks and tabs separate); false at its end. */
bool word_next(const char **line, struct word *out);
/* The same for the pieces of *rest, which commas separate; a piece may be empty. */
bool word_split(struct word *rest, struct word *out);

bool word_is(struct word w, const char *text);
/* If w is "<key>=<value>", with the key as long as it may be: splits it. */
bool word_key_value(struct word w, struct word *key, struct word *value);

/* A decimal number, nothing else in the word; false if it is none or over max. */
bool word_number(struct word w, uint64_t max, uint64_t *out);
/* The same with K, M, G or T behind it, which it must have; in bytes. */
bool word_bytes(struct word w, uint64_t max, uint64_t *out);

#endif
