/*
 * The state of a terminal behind a guest's bytes. See drivers/tty.h.
 */
#include "drivers/tty.h"

#define ESC       0x1B
#define SHIFT_OUT 0x0E

/* ST ends a control string, and its ESC any other sequence; then SGR 0, ASCII as G0, and G0. */
#define PLAIN_LETTERS "\x1b\\\x1b[m\x1b(B\x0f"

/* The C1 controls have one byte each too, on terminals that know no UTF-8. */
static bool tty_taints(uint8_t byte)
{
    return byte == ESC || byte == SHIFT_OUT || (byte & 0xE0) == 0x80;
}

/* A newline alone goes down and stays in its column. */
static enum tty_line tty_next(enum tty_line line, uint8_t byte)
{
    if (byte == '\r')
        return line == TTY_EMPTY ? TTY_EMPTY : TTY_RETURNED;
    if (byte == '\n')
        return line == TTY_WITHIN ? TTY_WITHIN : TTY_EMPTY;
    return TTY_WITHIN;
}

void tty_passed(struct tty *t, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    for (; n--; p++) {
        t->line = tty_next(t->line, *p);
        t->tainted |= tty_taints(*p);
    }
}

const char *tty_begin_line(struct tty *t)
{
    static const char *const way[2][2] = { { "\r\n", "" },
                                           { PLAIN_LETTERS "\r\n", PLAIN_LETTERS "\r\x1b[K" } };
    struct tty was = *t;

    *t = (struct tty){ TTY_EMPTY, false };
    return way[was.tainted][was.line == TTY_EMPTY];
}
