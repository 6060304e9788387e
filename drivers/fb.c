/*
 * A text console on a framebuffer: 8x16 characters, light grey on black.
 */
#include "drivers/fb.h"

#include <stdbool.h>
#include "drivers/font.h"
#include "drivers/screen.h"

#define CELL_WIDTH  FONT_WIDTH
#define CELL_HEIGHT (FONT_ROWS * 2) /* each row of a glyph is drawn twice */
#define MAX_COLUMNS 240
#define MAX_ROWS    90
#define GREY        0xAA

/* All: boot only, then read. */
static uint8_t *memory;
static struct fb_mode mode;
static uint32_t foreground;

static void fb_pixel(uint8_t *at, uint32_t colour)
{
    for (unsigned i = 0; i < mode.bpp / 8; i++)
        ((volatile uint8_t *)at)[i] = (uint8_t)(colour >> 8 * i);
}

static void fb_line(uint8_t *at, uint8_t bits)
{
    for (unsigned x = 0; x < CELL_WIDTH; x++, at += mode.bpp / 8)
        fb_pixel(at, bits << x & 0x80 ? foreground : 0);
}

static void fb_draw(unsigned row, unsigned column, char c)
{
    uint8_t *at = memory + (size_t)row * CELL_HEIGHT * mode.pitch +
                  (size_t)column * CELL_WIDTH * (mode.bpp / 8);

    for (unsigned y = 0; y < CELL_HEIGHT; y++, at += mode.pitch)
        fb_line(at, font_row(c, y / 2));
}

static char shown[MAX_COLUMNS * MAX_ROWS];
static struct screen screen = { .shown = shown, .draw = fb_draw };

static bool fb_can_draw(const struct fb_mode *m)
{
    return (m->bpp == 24 || m->bpp == 32) && m->width >= CELL_WIDTH && m->height >= CELL_HEIGHT &&
           m->pitch / (m->bpp / 8) >= m->width && m->red_shift < 32 && m->green_shift < 32 &&
           m->blue_shift < 32;
}

static unsigned at_most(unsigned value, unsigned limit)
{
    return value < limit ? value : limit;
}

int fb_init(const struct fb_mode *m, void *pixels)
{
    if (!fb_can_draw(m))
        return -EINVAL;
    mode = *m;
    memory = pixels;
    foreground = (uint32_t)GREY << m->red_shift | (uint32_t)GREY << m->green_shift |
                 (uint32_t)GREY << m->blue_shift;
    screen.columns = at_most(m->width / CELL_WIDTH, MAX_COLUMNS);
    screen.rows = at_most(m->height / CELL_HEIGHT, MAX_ROWS);
    screen_clear(&screen);
    return 0;
}

void fb_write(const char *text, size_t len)
{
    if (memory)
        screen_write(&screen, text, len);
}
