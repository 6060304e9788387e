/*
 * The text screen of a PC.
 *
 * A cell is a character and its colours. The hardware cursor follows the text, through the CRT
 * controller's index and data ports (IBM VGA: registers 0x0E and 0x0F, cursor location).
 */
#include "drivers/vga.h"

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"
#include "drivers/screen.h"

#define COLUMNS       80
#define ROWS          25
#define GREY_ON_BLACK 0x0700

#define CRTC_INDEX       0x3D4
#define CRTC_DATA        0x3D5
#define CRTC_CURSOR_HIGH 0x0E
#define CRTC_CURSOR_LOW  0x0F

_Static_assert(COLUMNS *ROWS * sizeof(uint16_t) == VGA_BYTES, "vga.h tells how much to map");

static volatile uint16_t *cells; /* NULL: no screen. Boot only */

static void vga_draw(unsigned row, unsigned column, char c)
{
    cells[row * COLUMNS + column] = GREY_ON_BLACK | (uint8_t)c;
}

static char text_cells[COLUMNS * ROWS], shown_cells[COLUMNS * ROWS];

static void vga_move_cursor(unsigned row, unsigned column)
{
    unsigned at = row * COLUMNS + column;

    outb(CRTC_INDEX, CRTC_CURSOR_HIGH);
    outb(CRTC_DATA, at >> 8);
    outb(CRTC_INDEX, CRTC_CURSOR_LOW);
    outb(CRTC_DATA, at & 0xFF);
}

static struct screen screen = { .columns = COLUMNS,
                                .rows = ROWS,
                                .text = text_cells,
                                .shown = shown_cells,
                                .draw = vga_draw,
                                .move_cursor = vga_move_cursor };

struct screen *vga_init(void *video_memory)
{
    bool first = !cells;

    cells = video_memory;
    if (!first)
        return &screen;
    screen_init(&screen);
    for (unsigned i = 0; i < COLUMNS * ROWS; i++)
        vga_draw(0, i, ' ');
    return &screen;
}
