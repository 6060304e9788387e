/*
 * A screen of characters: what the text screen and the framebuffer console have in common.
 *
 * Text goes into ordinary memory, where a scroll is one row that is cleared. What has changed goes
 * to the screen later and in pieces, once, however often it has scrolled meanwhile: video memory is
 * slow, and whoever prints does so with locks held. Video memory is never read: `shown` remembers
 * what it holds.
 */
#ifndef CAISSON_DRIVERS_SCREEN_H
#define CAISSON_DRIVERS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCREEN_PIECE 8 /* cells; on a framebuffer each takes some 8,000 instructions */

struct screen {
    unsigned columns, rows;
    char *text, *shown; /* columns * rows each: as it should be, from row `top` on; as it is */
    void (*draw)(unsigned row, unsigned column, char c);
    void (*move_cursor)(unsigned row, unsigned column); /* column == columns: behind the last one */
    /* Under the lock of its user: */
    unsigned top;
    unsigned row, column; /* where the next character goes; column == columns: on the next line */
    unsigned dirty_from, dirty_to; /* rows between which text and shown may differ */
    /* Whoever draws: */
    unsigned cursor_row, cursor_column; /* as shown */
};

/* What is to be drawn next. */
struct screen_piece {
    unsigned count, row, column; /* cells, and where the cursor is to be */
    struct {
        unsigned row, column;
        char c;
    } cell[SCREEN_PIECE];
};

/* Blank, with nothing drawn yet that is not. */
void screen_init(struct screen *s);

/* Puts text at the cursor; knows newline, carriage return, backspace (which only moves), tab,
 * and scrolls. Draws nothing. */
void screen_write(struct screen *s, const char *text, size_t len);

/* Finds the next piece; false if the screen shows all. */
bool screen_find(struct screen *s, struct screen_piece *p);
/* Draws it. Without a lock, but nobody else may find or draw meanwhile. */
void screen_draw(struct screen *s, const struct screen_piece *p);
/* All of them. */
void screen_draw_all(struct screen *s);

#endif
