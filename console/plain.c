/*
 * Drops escape sequences. See console/plain.h.
 */
#include "console/plain.h"
#include <stdbool.h>

#define ESC 0x1B
#define BEL 0x07

#define CAN 0x18
#define SUB 0x1A

enum { TEXT, ESCAPE, SEQUENCE, STRING };

/* What a byte after ESC begins: ESC [ a sequence, ESC ] P X ^ _ a string, ESC 0x20-0x2F more. */
static uint8_t after_escape(uint8_t byte)
{
    switch (byte) {
    case '[':
        return SEQUENCE;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        return STRING;
    }
    return byte >= 0x20 && byte < 0x30 ? ESCAPE : TEXT;
}

/* ESC begins anew wherever it comes, CAN and SUB break off; ESC \ is how a string ends. */
static uint8_t next_state(uint8_t state, uint8_t byte)
{
    if (byte == ESC)
        return ESCAPE;
    if (byte == CAN || byte == SUB)
        return TEXT;
    switch (state) {
    case ESCAPE:
        return after_escape(byte);
    case SEQUENCE:
        return byte >= 0x40 && byte < 0x7F ? TEXT : SEQUENCE;
    case STRING:
        return byte == BEL ? TEXT : STRING;
    }
    return TEXT;
}

static bool is_shown(uint8_t byte)
{
    return byte == '\n' || byte == '\r' || byte == '\t' || byte == '\b' ||
           (byte >= 0x20 && byte != 0x7F);
}

size_t plain_filter(struct plain *p, const char *in, size_t n, char *out)
{
    size_t length = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)in[i], before = p->state;

        p->state = next_state(before, byte);
        if (before == TEXT && is_shown(byte))
            out[length++] = in[i];
    }
    return length;
}

size_t plain_letters(struct plain *p, char *text, size_t n)
{
    n = plain_filter(p, text, n, text);
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)text[i];

        if (byte < ' ')
            text[i] = ' ';
        else if (byte > '~')
            text[i] = '?';
    }
    return n;
}
