/*
 * The letters of the framebuffer console: finding one, and making it larger. See drivers/font.h.
 */
#include "drivers/font.h"

static const uint8_t *glyph(char c)
{
    unsigned n = (uint8_t)c - (unsigned)FONT_FIRST; /* what is below it comes out large */

    return font_glyphs[n < FONT_GLYPHS ? n : FONT_GLYPHS - 1];
}

/* Beyond the glyph there is nothing. */
static uint8_t row_at(char c, unsigned row)
{
    return row < FONT_HEIGHT ? glyph(c)[row] : 0;
}

uint8_t font_row(char c, unsigned row)
{
    return row_at(c, row);
}

/*
 * One half, left or right, of what a row of pixels becomes. A pixel takes the colour of its
 * neighbours on the two sides that meet in this corner if these are alike and the other two are
 * not like them: the rule known as Scale2x, for all eight pixels at once.
 */
static uint8_t corner(uint8_t here, uint8_t near, uint8_t far, const uint8_t side[2])
{
    uint8_t alike = (uint8_t) ~(near ^ side[0]);
    uint8_t cut = alike & (near ^ side[1]) & (side[0] ^ far);

    return (uint8_t)((here & ~cut) | (near & cut));
}

/* Puts a space of one bit before each bit. */
static uint16_t spread(uint8_t bits)
{
    unsigned out = 0;

    for (unsigned i = 0; i < 8; i++)
        out |= (bits >> i & 1u) << 2 * i;
    return (uint16_t)out;
}

uint16_t font_row_doubled(char c, unsigned row)
{
    unsigned y = row / 2;
    uint8_t here = row_at(c, y), above = row_at(c, y - 1), below = row_at(c, y + 1);
    uint8_t near = row % 2 ? below : above, far = row % 2 ? above : below;
    uint8_t left = here >> 1, right = (uint8_t)(here << 1);

    return (uint16_t)(spread(corner(here, near, far, (const uint8_t[]){ left, right })) << 1 |
                      spread(corner(here, near, far, (const uint8_t[]){ right, left })));
}
