/*
 * A screen of characters. See drivers/screen.h.
 */
#include "drivers/screen.h"
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

static char *screen_line(const struct screen *s, unsigned row)
{
    return s->text + (size_t)((s->top + row) % s->rows) * s->columns;
}

static void screen_scroll(struct screen *s)
{
    s->top = (s->top + 1) % s->rows;
    memset(screen_line(s, s->rows - 1), ' ', s->columns);
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
    screen_line(s, s->row)[s->column++] = c;
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

/* ---- Drawing ---- */

static bool screen_same_eight(const char *a, const char *b)
{
    uint64_t x, y;

    __builtin_memcpy(&x, a, sizeof(x));
    __builtin_memcpy(&y, b, sizeof(y));
    return x == y;
}

/* Adds the cells of a row that differ, as far as there is room. Most of a screen stays as it is, so
 * cells are compared by eights. */
static void screen_find_in(const struct screen *s, unsigned row, struct screen_piece *p)
{
    const char *text = screen_line(s, row), *shown = s->shown + (size_t)row * s->columns;

    for (unsigned i = 0; i < s->columns && p->count < SCREEN_PIECE; i++) {
        if (s->columns - i >= 8 && screen_same_eight(text + i, shown + i)) {
            i += 7;
            continue;
        }
        if (text[i] == shown[i])
            continue;
        p->cell[p->count].row = row;
        p->cell[p->count].column = i;
        p->cell[p->count++].c = text[i];
    }
}

/* A row counts as drawn when it is found to be so: who is stopped between the two has lost nothing.
 */
bool screen_find(struct screen *s, struct screen_piece *p)
{
    p->count = 0;
    p->row = s->row;
    p->column = s->column;
    for (unsigned row = s->dirty_from; row < s->dirty_to && p->count < SCREEN_PIECE; row++) {
        screen_find_in(s, row, p);
        if (!p->count)
            s->dirty_from = row + 1;
    }
    if (!p->count) {
        s->dirty_from = s->rows;
        s->dirty_to = 0;
    }
    return p->count || s->row != s->cursor_row || s->column != s->cursor_column;
}

void screen_draw(struct screen *s, const struct screen_piece *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        s->draw(p->cell[i].row, p->cell[i].column, p->cell[i].c);
        s->shown[p->cell[i].row * s->columns + p->cell[i].column] = p->cell[i].c;
    }
    if (p->count == SCREEN_PIECE)
        return; /* there may be more */
    s->move_cursor(p->row, p->column);
    s->cursor_row = p->row;
    s->cursor_column = p->column;
}

void screen_draw_all(struct screen *s)
{
    struct screen_piece p;

    while (screen_find(s, &p))
        screen_draw(s, &p);
}

/* ---- Text ---- */

void screen_init(struct screen *s)
{
    memset(s->text, ' ', screen_cells(s));
    memset(s->shown, ' ', screen_cells(s));
    s->top = s->row = s->column = s->cursor_row = s->cursor_column = 0;
    s->dirty_from = s->rows;
    s->dirty_to = 0;
}

void screen_write(struct screen *s, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        screen_take(s, text[i]);
}
