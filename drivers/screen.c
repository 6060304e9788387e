/*
 * A screen of characters. Lock: its user's; for a log sink, the log's.
 */
#include "drivers/screen.h"

#include <stdbool.h>
#include <stdint.h>
#include "lib/string.h"

#define TAB 8

static size_t screen_cells(const struct screen *s)
{
    return (size_t)s->rows * s->columns;
}

static void screen_touch(struct screen *s, unsigned from, unsigned to)
{
    if (from < s->dirty_from)
        s->dirty_from = from;
    if (to > s->dirty_to)
        s->dirty_to = to;
}

static void screen_scroll(struct screen *s)
{
    size_t kept = screen_cells(s) - s->columns;

    memmove(s->text, s->text + s->columns, kept);
    memset(s->text + kept, ' ', s->columns);
    screen_touch(s, 0, s->rows);
}

static void screen_new_line(struct screen *s)
{
    s->column = 0;
    if (s->row + 1 < s->rows)
        s->row++;
    else
        screen_scroll(s);
}

static void screen_tab(struct screen *s)
{
    s->column = (s->column / TAB + 1) * TAB;
    if (s->column >= s->columns)
        screen_new_line(s);
}

static void screen_put(struct screen *s, char c)
{
    if (s->column == s->columns)
        screen_new_line(s);
    s->text[s->row * s->columns + s->column++] = c;
    screen_touch(s, s->row, s->row + 1);
}

static void screen_take(struct screen *s, char c)
{
    switch (c) {
    case '\n':
        screen_new_line(s);
        break;
    case '\r':
        s->column = 0;
        break;
    case '\b':
        s->column -= s->column > 0;
        break;
    case '\t':
        screen_tab(s);
        break;
    default:
        screen_put(s, c);
    }
}

/* Most of a screen stays as it is, so cells are compared by eights. */
static bool screen_same_eight(const struct screen *s, size_t cell)
{
    uint64_t a, b;

    __builtin_memcpy(&a, s->text + cell, sizeof(a));
    __builtin_memcpy(&b, s->shown + cell, sizeof(b));
    return a == b;
}

static void screen_draw(struct screen *s)
{
    size_t cell = (size_t)s->dirty_from * s->columns, end = (size_t)s->dirty_to * s->columns;

    while (cell < end) {
        if (end - cell >= 8 && screen_same_eight(s, cell)) {
            cell += 8;
            continue;
        }
        if (s->text[cell] != s->shown[cell])
            s->draw((unsigned)(cell / s->columns), (unsigned)(cell % s->columns), s->text[cell]);
        s->shown[cell] = s->text[cell];
        cell++;
    }
    s->dirty_from = s->rows;
    s->dirty_to = 0;
}

void screen_init(struct screen *s)
{
    memset(s->text, ' ', screen_cells(s));
    memset(s->shown, ' ', screen_cells(s));
    s->row = s->column = 0;
    s->dirty_from = s->rows;
    s->dirty_to = 0;
}

void screen_write(struct screen *s, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        screen_take(s, text[i]);
    screen_draw(s);
}
