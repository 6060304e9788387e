/*
 * The letters of the framebuffer console.
 */
#ifndef CAISSON_DRIVERS_FONT_H
#define CAISSON_DRIVERS_FONT_H

#include <stdint.h>

#define FONT_WIDTH 8
#define FONT_ROWS  8

/* One row of c's glyph, top row 0; bit 7 is the leftmost pixel. What has no glyph is a '?'. */
uint8_t font_row(char c, unsigned row);

#endif
