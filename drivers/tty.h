/*
 * What a guest's bytes may have left a terminal in, and how to get out of it.
 *
 * The bytes of the domain in front reach the terminal as they are. Whoever speaks next begins a
 * line of his own, in plain letters: whatever sequence was begun is ended, colours, hidden text and
 * other alphabets are off.
 *
 * Source: ECMA-48, "Control strings", "SGR"; DEC VT220, "Character Set Selection". Lock: its
 * owner's.
 */
#ifndef CAISSON_DRIVERS_TTY_H
#define CAISSON_DRIVERS_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tty_line { TTY_EMPTY, TTY_RETURNED /* to its begin, with text on it */, TTY_WITHIN };

/* All zero: the cursor is on an empty line, and letters are letters. */
struct tty {
    enum tty_line line;
    bool tainted; /* something may have changed how text looks, or where it goes */
};

/* n bytes went to the terminal. */
void tty_passed(struct tty *t, const void *bytes, size_t n);

/* What has to be sent before a line of somebody else; then t is as if it had been. */
const char *tty_begin_line(struct tty *t);

#endif
