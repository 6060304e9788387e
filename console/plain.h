/*
 * Text for a screen that knows no escape sequences: drops them, and keeps the rest.
 *
 * Source of their grammar: ECMA-48, "Control sequences" and "Control strings".
 */
#ifndef CAISSON_CONSOLE_PLAIN_H
#define CAISSON_CONSOLE_PLAIN_H

#include <stddef.h>
#include <stdint.h>

struct plain {
    uint8_t state; /* all zero: plain text */
};

/* Copies what is to be shown of n bytes to out, which has room for n; returns how many. */
size_t plain_filter(struct plain *p, const char *in, size_t n, char *out);
/* The same in place, and nothing is left that would move a cursor or that a terminal may take for
 * anything but a letter: control characters become blanks, what is not ASCII becomes '?'. */
size_t plain_letters(struct plain *p, char *text, size_t n);

#endif
