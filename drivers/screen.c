/*
 * A screen of characters. Lock: its user's; for a log sink, the log's.
 */
#include "drivers/screen.h"

#define TAB 8

static void screen_set(struct screen *s, unsigned row, unsigned column, char c)
{
    s->shown[row * s->columns + column] = c;
    s->draw(row, column, c);
}

static char screen_at(const struct screen *s, unsigned row, unsigned column)
{
    return s->shown[row * s->columns + column];
}

static void screen_clear_row(struct screen *s, unsigned row)
{
    for (unsigned column = 0; column < s->columns; column++)
        screen_set(s, row, column, ' ');
}

/* Draws only what changes: most of a log's screen is blank. */
static void screen_scroll(struct screen *s)
{
    for (unsigned row = 0; row + 1 < s->rows; row++) {
        for (unsigned column = 0; column < s->columns; column++) {
            char c = screen_at(s, row + 1, column);

            if (c != screen_at(s, row, column))
                screen_set(s, row, column, c);
        }
    }
    screen_clear_row(s, s->rows - 1);
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
    screen_set(s, s->row, s->column++, c);
}

void screen_clear(struct screen *s)
{
    for (unsigned row = 0; row < s->rows; row++)
        screen_clear_row(s, row);
    s->row = 0;
    s->column = 0;
}

void screen_write(struct screen *s, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
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
            screen_put(s, text[i]);
        }
    }
}
