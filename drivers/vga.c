/*
 * The text screen: a terminal that knows newline, carriage return and tab, and scrolls.
 *
 * The screen is written, never read back: reads of video memory are slow on real machines. What
 * it shows is kept in `shown`. Lock: the log's.
 */
#include "drivers/vga.h"

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"

#define COLUMNS   80
#define ROWS      25
#define ATTRIBUTE 0x0700 /* light grey on black */
#define TAB       8

#define CRTC_INDEX       0x3D4
#define CRTC_DATA        0x3D5
#define CRTC_CURSOR_HIGH 0x0E
#define CRTC_CURSOR_LOW  0x0F

static volatile uint16_t *cells; /* NULL: no screen */
static uint16_t shown[ROWS * COLUMNS];
static unsigned row, column;

static void put_cell(unsigned at, uint16_t cell)
{
    shown[at] = cell;
    cells[at] = cell;
}

static void clear_from(unsigned at)
{
    for (; at < ROWS * COLUMNS; at++)
        put_cell(at, ATTRIBUTE | ' ');
}

static void scroll(void)
{
    for (unsigned at = 0; at < (ROWS - 1) * COLUMNS; at++) {
        if (shown[at] != shown[at + COLUMNS])
            put_cell(at, shown[at + COLUMNS]);
    }
    clear_from((ROWS - 1) * COLUMNS);
}

static void new_line(void)
{
    column = 0;
    if (row == ROWS - 1)
        scroll();
    else
        row++;
}

static void put(char c)
{
    if (c == '\n') {
        new_line();
        return;
    }
    if (c == '\r') {
        column = 0;
        return;
    }
    if (c == '\t') {
        column = (column + TAB) / TAB * TAB;
        if (column >= COLUMNS)
            new_line();
        return;
    }
    if (column == COLUMNS)
        new_line();
    put_cell(row * COLUMNS + column++, ATTRIBUTE | (uint8_t)c);
}

static void move_cursor(void)
{
    unsigned at = row * COLUMNS + (column < COLUMNS ? column : COLUMNS - 1);

    outb(CRTC_INDEX, CRTC_CURSOR_HIGH);
    outb(CRTC_DATA, at >> 8);
    outb(CRTC_INDEX, CRTC_CURSOR_LOW);
    outb(CRTC_DATA, at & 0xFF);
}

void vga_init(void *screen)
{
    bool first = !cells;

    cells = screen;
    if (first)
        clear_from(0);
}

void vga_write(const char *text, size_t len)
{
    if (!cells)
        return;
    for (size_t i = 0; i < len; i++)
        put(text[i]);
    move_cursor();
}
