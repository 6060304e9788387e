/*
 * A line editor: bytes of a terminal in, the bytes that the terminal is to show out.
 *
 * A pure state machine: it knows no console and no command. It shows only printable characters,
 * backspaces and blanks, so that our own screen, which knows no escape sequences, follows too.
 *
 * Keys: arrows, Home, End, Delete, Backspace; Ctrl-A start, E end, B and F left and right, P and N
 * older and newer line, K cut to the end, U cut all before the cursor, W cut a word, C give up.
 */
#ifndef CAISSON_MONITOR_LINEEDIT_H
#define CAISSON_MONITOR_LINEEDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINEEDIT_BYTES                                                                             \
    2560 /* of a line, the final NUL included: 2,048 for a kernel, 512 before it */
#define LINEEDIT_PAST 4096 /* of all lines remembered */

enum lineedit_event {
    LINEEDIT_NONE,
    LINEEDIT_DONE,     /* Enter: the line is in text */
    LINEEDIT_TOO_LONG, /* Enter: there was more than text has room for */
    LINEEDIT_CANCEL,   /* Ctrl-C: the line is gone */
    LINEEDIT_COMPLETE, /* Tab: the caller may call lineedit_insert() */
};

struct lineedit {
    void (*put)(const char *text, size_t len); /* what the terminal is to show */
    char text[LINEEDIT_BYTES];                 /* NUL-terminated */
    unsigned length, cursor;
    bool overflowed;            /* what was typed last had no room */
    char past[LINEEDIT_PAST];   /* lines with their NULs, the newest last */
    unsigned past_used;         /* bytes */
    unsigned back;              /* how far back in it we are looking; 0: at the line being typed */
    char draft[LINEEDIT_BYTES]; /* that line, while we are looking back */
    uint8_t escape;             /* 0, 1 after ESC, 2 within ESC [ or ESC O */
    uint8_t parameter;          /* the digit in ESC [ 3 ~ */
};

void lineedit_init(struct lineedit *e, void (*put)(const char *text, size_t len));

/* After DONE the line stays in text until lineedit_begin(). */
enum lineedit_event lineedit_feed(struct lineedit *e, uint8_t byte);
/* Begins a new, empty line. Shows nothing. */
void lineedit_begin(struct lineedit *e);
/* As if text had been typed. */
void lineedit_insert(struct lineedit *e, const char *text);
/* Shows the line anew, cursor included, on an empty line of the terminal. */
void lineedit_show(const struct lineedit *e);

#endif
