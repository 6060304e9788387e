/*
 * The letters of the framebuffer console, 8x16 and twice that. Their pictures are in font.txt.
 */
#ifndef CAISSON_DRIVERS_FONT_H
#define CAISSON_DRIVERS_FONT_H

#include <stdint.h>

#define FONT_WIDTH  8
#define FONT_HEIGHT 16
#define FONT_FIRST  ' '
#define FONT_GLYPHS 96 /* to the tilde, and a box for what has no letter */

/* From font.txt, by tools/mkfont.py. A byte is a row, top row first; bit 7 its leftmost pixel. */
extern const uint8_t font_glyphs[FONT_GLYPHS][FONT_HEIGHT];

/* A row of c's glyph, 0 to FONT_HEIGHT - 1. */
uint8_t font_row(char c, unsigned row);

/* A row of c's glyph at twice the size, 0 to 2 * FONT_HEIGHT - 1; bit 15 is the leftmost pixel.
 * Steps are cut off at their corners, so that slanted strokes look slanted. */
uint16_t font_row_doubled(char c, unsigned row);

#endif
