/*
 * A text console on a framebuffer: light grey letters of 8x16 pixels on black, larger ones where
 * the pixels are small, and a bar where the next character goes.
 *
 * A cell's lines are made in memory and copied, each in one go: video memory is mapped
 * write-combining, and likes that.
 */
#include "drivers/fb.h"

#include <stdbool.h>
#include "drivers/font.h"
#include "drivers/screen.h"
#include "lib/assert.h"
#include "lib/string.h"

#define GREY       0xAA /* of 255 */
#define MOST_ZOOM  4
#define MOST_BYTES 4 /* a pixel */
#define LINE_BYTES (FONT_WIDTH * MOST_ZOOM * MOST_BYTES)
#define BAR_TOP    (FONT_HEIGHT - 2) /* of the cursor */

/* All: boot only, then read. */
static uint8_t *memory;
static struct fb_mode mode;
static unsigned zoom;       /* 1, 2 or 4 */
static uint32_t foreground; /* as a pixel */

static struct screen screen;
static unsigned bar_row, bar_column; /* where the cursor is shown. Whoever draws */

static unsigned fb_pixel_bytes(void)
{
    return (mode.bpp + 7u) / 8;
}

static void fb_put_pixel(uint8_t *at, uint32_t colour)
{
    for (unsigned i = 0; i < fb_pixel_bytes(); i++)
        at[i] = (uint8_t)(colour >> 8 * i);
}

/* The pixels of one line of c's cell, as bits: the leftmost is the highest of `width`. */
static uint32_t fb_line_bits(char c, unsigned y, unsigned *width)
{
    *width = zoom == 1 ? FONT_WIDTH : 2 * FONT_WIDTH;
    return zoom == 1 ? font_row(c, y) : font_row_doubled(c, y * 2 / zoom);
}

static void fb_make_line(uint8_t *line, char c, unsigned y)
{
    unsigned width, bytes = fb_pixel_bytes();
    uint32_t bits = fb_line_bits(c, y, &width);

    for (unsigned x = 0; x < FONT_WIDTH * zoom; x++, line += bytes) {
        unsigned bit = width - 1 - x * width / (FONT_WIDTH * zoom);

        fb_put_pixel(line, bits >> bit & 1 ? foreground : 0);
    }
}

static uint8_t *fb_cell(unsigned row, unsigned column)
{
    return memory + (size_t)row * FONT_HEIGHT * zoom * mode.pitch +
           (size_t)column * FONT_WIDTH * zoom * fb_pixel_bytes();
}

static void fb_draw(unsigned row, unsigned column, char c)
{
    uint8_t line[LINE_BYTES], *at = fb_cell(row, column);

    for (unsigned y = 0; y < FONT_HEIGHT * zoom; y++, at += mode.pitch) {
        fb_make_line(line, c, y);
        memcpy(at, line, FONT_WIDTH * zoom * fb_pixel_bytes());
    }
}

static void fb_draw_bar(unsigned row, unsigned column)
{
    uint8_t line[LINE_BYTES], *at = fb_cell(row, column) + BAR_TOP * zoom * mode.pitch;

    for (unsigned x = 0; x < FONT_WIDTH * zoom; x++)
        fb_put_pixel(line + x * fb_pixel_bytes(), foreground);
    for (unsigned y = 0; y < zoom; y++, at += mode.pitch)
        memcpy(at, line, FONT_WIDTH * zoom * fb_pixel_bytes());
}

/* At the end of a full line the next character goes to the next one, but is not there yet. */
static void fb_move_bar(unsigned row, unsigned column)
{
    fb_draw(bar_row, bar_column, screen.shown[bar_row * screen.columns + bar_column]);
    bar_row = row;
    bar_column = column < screen.columns ? column : screen.columns - 1;
    fb_draw_bar(bar_row, bar_column);
}

/* ---- Setting up ---- */

/* About a hundred columns and more, on screens that are more than a hundred characters wide. */
static unsigned fb_choose_zoom(const struct fb_mode *m)
{
    return m->width >= 3840 ? 4 : m->width >= 1920 ? 2 : 1;
}

static bool fb_fits(const struct fb_mode *m, struct fb_channel c)
{
    return c.bits >= 1 && c.bits <= 16 && c.shift + c.bits <= m->bpp;
}

static bool fb_can_draw(const struct fb_mode *m)
{
    unsigned bytes = (m->bpp + 7u) / 8;

    return (m->bpp == 15 || m->bpp == 16 || m->bpp == 24 || m->bpp == 32) &&
           m->width >= FONT_WIDTH && m->height >= FONT_HEIGHT * fb_choose_zoom(m) &&
           m->pitch / bytes >= m->width && fb_fits(m, m->red) && fb_fits(m, m->green) &&
           fb_fits(m, m->blue);
}

static uint32_t fb_grey(struct fb_channel c)
{
    return GREY * ((1u << c.bits) - 1) / 255 << c.shift;
}

static void fb_clear(void)
{
    for (unsigned y = 0; y < mode.height; y++)
        memset(memory + (size_t)y * mode.pitch, 0, (size_t)mode.width * fb_pixel_bytes());
}

static size_t fb_columns(const struct fb_mode *m)
{
    return m->width / (FONT_WIDTH * fb_choose_zoom(m));
}

static size_t fb_rows(const struct fb_mode *m)
{
    return m->height / (FONT_HEIGHT * fb_choose_zoom(m));
}

/* Two characters a cell: what it should show, and what it does. */
size_t fb_memory(const struct fb_mode *m)
{
    return fb_can_draw(m) ? 2 * fb_columns(m) * fb_rows(m) : 0;
}

struct screen *fb_init(const struct fb_mode *m, void *pixels, char *cells)
{
    ASSERT(fb_memory(m) != 0);
    mode = *m;
    zoom = fb_choose_zoom(m);
    foreground = fb_grey(m->red) | fb_grey(m->green) | fb_grey(m->blue);
    screen.columns = (unsigned)fb_columns(m);
    screen.rows = (unsigned)fb_rows(m);
    screen.text = cells;
    screen.shown = cells + fb_memory(m) / 2;
    screen.draw = fb_draw;
    screen.move_cursor = fb_move_bar;
    bar_row = bar_column = 0;
    memory = pixels;
    screen_init(&screen);
    fb_clear();
    return &screen;
}
