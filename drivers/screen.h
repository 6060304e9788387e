/*
 * A screen of characters: what the text screen and the framebuffer console have in common.
 *
 * Text goes into ordinary memory; only then what has changed goes to the screen, once for each
 * write, however often it has scrolled meanwhile. Video memory is slow to read, so it is never
 * read: `shown` remembers what it holds.
 */
#ifndef CAISSON_DRIVERS_SCREEN_H
#define CAISSON_DRIVERS_SCREEN_H

#include <stddef.h>

struct screen {
    unsigned columns, rows;
    unsigned row, column; /* where the next character goes; column == columns: on the next line */
    char *text, *shown;   /* columns * rows each: as it should be, as it is */
    void (*draw)(unsigned row, unsigned column, char c);
    unsigned dirty_from, dirty_to; /* rows between which the two differ */
};

/* Blank, with nothing drawn yet that is not. */
void screen_init(struct screen *s);

/* Puts text at the cursor; knows newline, carriage return, backspace (which only moves), tab,
 * and scrolls. Then draws what has changed. */
void screen_write(struct screen *s, const char *text, size_t len);

#endif
