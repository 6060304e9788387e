/*
 * A screen of characters: what the text screen and the framebuffer console have in common.
 */
#ifndef CAISSON_DRIVERS_SCREEN_H
#define CAISSON_DRIVERS_SCREEN_H

#include <stddef.h>

struct screen {
    unsigned columns, rows;
    unsigned row, column; /* where the next character goes; column == columns: on the next line */
    char *shown;          /* columns * rows: video memory is slow to read, so never read */
    void (*draw)(unsigned row, unsigned column, char c);
};

/* Makes it blank. */
void screen_clear(struct screen *s);

/* Puts text at the cursor; knows newline, carriage return, backspace (which only moves), tab,
 * and scrolls. */
void screen_write(struct screen *s, const char *text, size_t len);

#endif
