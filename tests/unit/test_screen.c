/* links: drivers/screen.c drivers/vga.c drivers/fb.c drivers/font.c gen/drivers/font_glyphs.c tests/fakes/panic.c */
/*
 * The screens: what the cursor does, scrolling, and the very pixels.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "drivers/fb.h"
#include "drivers/font.h"
#include "drivers/screen.h"
#include "drivers/vga.h"

#define COLUMNS 10
#define ROWS    3

static char text_cells[COLUMNS * ROWS], shown[COLUMNS * ROWS], drawn[COLUMNS * ROWS];
static unsigned draws;

static void draw(unsigned row, unsigned column, char c)
{
    assert_true(row < ROWS && column < COLUMNS);
    drawn[row * COLUMNS + column] = c;
    draws++;
}

static unsigned cursor_row, cursor_column;

static void move_cursor(unsigned row, unsigned column)
{
    cursor_row = row;
    cursor_column = column;
}

static struct screen s = { .columns = COLUMNS,
                           .rows = ROWS,
                           .text = text_cells,
                           .shown = shown,
                           .draw = draw,
                           .move_cursor = move_cursor };

static void print(struct screen *to, const char *text)
{
    screen_write(to, text, strlen(text));
    screen_draw_all(to);
}

static void write(const char *text)
{
    print(&s, text);
    assert_int_equal(cursor_row, s.row);
    assert_int_equal(cursor_column, s.column);
}

static void shows(const char *text, const char *want)
{
    screen_init(&s);
    memset(drawn, ' ', sizeof(drawn));
    cursor_row = cursor_column = 0;
    write(text);
    assert_memory_equal(drawn, want, sizeof(drawn));
    assert_memory_equal(shown, want, sizeof(shown));
}

static void text_goes_where_it_should(void **state)
{
    (void)state;
    shows("", "                              ");
    shows("ab\ncd", "ab        cd                  ");
    shows("abc\rx", "xbc                           ");
    shows("abc\b\bx\b\b\b\by", "yxc                           ");
    shows("a\tb", "a       b                     ");
    shows("123456789\tb", "123456789 b                   ");
    shows("0123456789", "0123456789                    ");
    shows("0123456789\nx", "0123456789x                   ");
    shows("0123456789x", "0123456789x                   ");
}

static void full_screen_scrolls(void **state)
{
    (void)state;
    shows("one\ntwo\nthree\n", "two       three               ");
    shows("one\ntwo\nthree\nfour", "two       three     four      ");
    shows("1\n2\n3\n4\n5\n6\n", "5         6                   ");
}

/* Only what is other than before, and once however far it scrolls. */
static void draws_what_changes(void **state)
{
    (void)state;
    shows("aaa\nbbb\nab", "aaa       bbb       ab        ");
    draws = 0;
    write("c\b");
    assert_int_equal(draws, 1);
    draws = 0;
    write("c\r");
    assert_int_equal(draws, 0);
    write("\n"); /* bbb over aaa, abc over bbb, nothing over abc */
    assert_int_equal(draws, 3 + 2 + 3);
    draws = 0;
    write("x\ny\nz\n1\n2\n3\n4");
    assert_int_equal(draws, 3 + 3 + 1);
    assert_memory_equal(drawn, "2         3         4         ", sizeof(drawn));
}

/* Pieces are small, text that comes meanwhile is right too, and what is done with is not drawn
 * again. */
static void drawing_goes_on_in_pieces(void **state)
{
    static char want[COLUMNS * ROWS + COLUMNS];
    struct screen_piece p;
    unsigned seed = 1;

    (void)state;
    shows("", "                              ");
    for (unsigned round = 0; round < 5000; round++) {
        char text[4] = "", *line = want + (round % ROWS) * COLUMNS;

        seed = seed * 1103515245 + 12345;
        text[0] = (char)('a' + (seed >> 16) % 26);
        memset(line, ' ', COLUMNS);
        line[0] = text[0];
        screen_write(&s, text, 1);
        for (unsigned i = seed >> 24 & 3; i && screen_find(&s, &p); i--) {
            draws = 0;
            screen_draw(&s, &p);
            assert_in_range(draws, 0, SCREEN_PIECE);
            assert_int_equal(draws, p.count);
        }
        screen_write(&s, "\n", 1);
    }
    screen_draw_all(&s);
    assert_false(screen_find(&s, &p));
    assert_memory_equal(drawn, (char[]){ want[(5000 - 2) % ROWS * COLUMNS] }, 1);
    assert_memory_equal(drawn + COLUMNS, (char[]){ want[(5000 - 1) % ROWS * COLUMNS] }, 1);
    assert_memory_equal(drawn, shown, sizeof(drawn));
}

static void text_mode_writes_cells(void **state)
{
    static uint16_t memory[VGA_BYTES / 2 + 8], moved[VGA_BYTES / 2];

    (void)state;
    memset(memory, 0x5A, sizeof(memory));
    struct screen *screen = vga_init(memory);
    print(screen, "Hi\n\xE9");
    assert_int_equal(memory[0], 0x0748);
    assert_int_equal(memory[1], 0x0769);
    assert_int_equal(memory[2], 0x0720);
    assert_int_equal(memory[80], 0x07E9);
    assert_int_equal(memory[VGA_BYTES / 2], 0x5A5A);
    vga_init(moved);
    print(screen, "x");
    assert_int_equal(moved[81], 0x0778);
    assert_int_equal(moved[0], 0);
}

static const struct fb_mode plain = { 40, 10, 16, 32, { 16, 8 }, { 8, 8 }, { 0, 8 } };

static void framebuffer_refuses_odd_modes(void **state)
{
    struct fb_mode m;

    (void)state;
    assert_int_equal(fb_memory(&plain), 2);
    m = plain, m.bpp = 8;
    assert_int_equal(fb_memory(&m), 0);
    m = plain, m.bpp = 64;
    assert_int_equal(fb_memory(&m), 0);
    m = plain, m.width = 7;
    assert_int_equal(fb_memory(&m), 0);
    m = plain, m.height = 15;
    assert_int_equal(fb_memory(&m), 0);
    m = plain, m.pitch = 39;
    assert_int_equal(fb_memory(&m), 0);
    m = plain, m.green.shift = 25;
    assert_int_equal(fb_memory(&m), 0);
    m = plain, m.red.bits = 0;
    assert_int_equal(fb_memory(&m), 0);
    m = plain, m.bpp = 16, m.red = (struct fb_channel){ 12, 5 };
    assert_int_equal(fb_memory(&m), 0);
}

/* A mode of this width and height in pixels, with a line that is longer than its pixels. */
static struct fb_mode mode_of(unsigned bpp, unsigned width, unsigned height)
{
    struct fb_mode m = plain;

    m.bpp = (uint8_t)bpp, m.width = width, m.height = height;
    m.pitch = width * ((bpp + 7) / 8) + 5;
    if (bpp < 24)
        m.red = (struct fb_channel){ (uint8_t)(bpp - 5), 5 },
        m.green = (struct fb_channel){ 5, (uint8_t)(bpp - 10) },
        m.blue = (struct fb_channel){ 0, 5 };
    return m;
}

struct picture {
    struct fb_mode mode;
    uint8_t *pixels;
    char *cells;
    struct screen *screen;
};

static struct picture open_picture(struct fb_mode m)
{
    struct picture p = { m, malloc((size_t)m.pitch * m.height), malloc(fb_memory(&m)), NULL };

    memset(p.pixels, 0x5A, (size_t)m.pitch * m.height);
    p.screen = fb_init(&m, p.pixels, p.cells);
    return p;
}

static void close_picture(struct picture *p)
{
    free(p->pixels);
    free(p->cells);
}

static uint32_t pixel(const struct picture *p, unsigned x, unsigned y)
{
    unsigned bytes = (p->mode.bpp + 7u) / 8;
    uint32_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint32_t)p->pixels[y * p->mode.pitch + x * bytes + i] << 8 * i;
    return v;
}

/* Each pixel of two letters in all depths, and none outside; 17 wide: one pixel is no cell. The
 * cursor lies on the last line but one of the second cell, which is full. */
static void framebuffer_draws_the_font(void **state)
{
    static const struct {
        unsigned bpp;
        uint32_t grey;
    } depths[] = { { 15, 0x5294 }, { 16, 0xA554 }, { 24, 0xAAAAAA }, { 32, 0xAAAAAA } };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct picture p = open_picture(mode_of(depths[i].bpp, 17, 16));

        print(p.screen, "Aq");
        for (unsigned y = 0; y < 16; y++) {
            for (unsigned x = 0; x < 17; x++) {
                bool lit = x < 16 && font_row("Aq"[x / 8], y) >> (7 - x % 8) & 1;
                bool bar = y == 14 && x >= 8 && x < 16;

                assert_int_equal(pixel(&p, x, y), lit || bar ? depths[i].grey : 0);
            }
            for (unsigned b = 0; b < 5; b++) /* between the lines */
                assert_int_equal(p.pixels[(y + 1) * p.mode.pitch - 1 - b], 0x5A);
        }
        close_picture(&p);
    }
}

static void cursor_leaves_no_trace(void **state)
{
    struct picture p = open_picture(mode_of(32, 24, 32));

    (void)state;
    print(p.screen, "a");
    assert_int_equal(pixel(&p, 8, 14), 0xAAAAAA);
    print(p.screen, "\n");
    assert_int_equal(pixel(&p, 8, 14), 0);
    assert_int_equal(pixel(&p, 0, 30), 0xAAAAAA);
    print(p.screen, "\n\n");
    for (unsigned y = 0; y < 30; y++)
        assert_int_equal(pixel(&p, 0, y), 0);
    close_picture(&p);
}

/* A flood of newlines touches no pixel; then each cell is drawn once, some at a time. */
static void flood_is_drawn_once(void **state)
{
    struct fb_mode m = mode_of(32, 1920, 1080);
    struct picture p = open_picture(m);
    size_t bytes = (size_t)m.pitch * m.height;
    uint8_t *before = malloc(bytes);
    struct screen_piece piece;
    unsigned pieces = 0, cells = 0;

    (void)state;
    for (unsigned i = 0; i < 40; i++)
        print(p.screen, "a line of text, a line of text, a line of text, a line of text\n");
    memcpy(before, p.pixels, bytes);
    for (unsigned i = 0; i < 256; i++)
        screen_write(p.screen, "\n", 1);
    assert_memory_equal(before, p.pixels, bytes);
    for (; screen_find(p.screen, &piece); pieces++) {
        assert_in_range(piece.count, 0, SCREEN_PIECE);
        cells += piece.count;
        screen_draw(p.screen, &piece);
    }
    assert_int_equal(cells, 32 * 47); /* the letters that were there, and no blank */
    assert_in_range(pieces, cells / SCREEN_PIECE, cells / SCREEN_PIECE + 2);
    free(before);
    close_picture(&p);
}

/* 1920 and more pixels make letters of twice the size, 3840 of four times: as many columns. */
static void large_modes_get_large_letters(void **state)
{
    (void)state;
    for (unsigned zoom = 2; zoom <= 4; zoom += 2) {
        struct picture p = open_picture(mode_of(32, 960 * zoom, 16 * zoom));
        unsigned step = zoom / 2;

        assert_int_equal(fb_memory(&p.mode), 2 * 120);
        print(p.screen, "/k");
        for (unsigned y = 0; y < 16 * zoom; y++) {
            for (unsigned x = 0; x < 16 * zoom; x++) {
                unsigned column = x / step;
                bool lit = font_row_doubled("/k"[column / 16], y / step) >> (15 - column % 16) & 1;
                assert_int_equal(pixel(&p, x, y), lit ? 0xAAAAAA : 0);
            }
        }
        close_picture(&p);
    }
}

/* Between its ends a straight stroke is doubled as it is; the ends and steps lose their corners. */
static void doubling_keeps_straight_lines(void **state)
{
    (void)state;
    assert_int_equal(font_row_doubled('|', 2), 0x0180);
    for (unsigned y = 3; y < 25; y++) {
        uint16_t twice = 0;

        for (unsigned x = 0; x < 8; x++)
            twice |= (uint16_t)((font_row('|', y / 2) >> x & 1u) * 3u << 2 * x);
        assert_int_equal(font_row_doubled('|', y), twice);
    }
    assert_int_not_equal(font_row_doubled('/', 7), font_row_doubled('/', 6));
}

static void every_letter_differs(void **state)
{
    (void)state;
    for (int a = ' '; a <= '~'; a++) {
        assert_int_equal(font_row((char)a, 0) | font_row((char)a, FONT_HEIGHT - 1), 0);
        for (int b = ' '; b < a; b++)
            assert_memory_not_equal(font_glyphs[a - ' '], font_glyphs[b - ' '], FONT_HEIGHT);
    }
    for (unsigned row = 0; row < FONT_HEIGHT; row++) {
        assert_int_equal(font_row('\x80', row), font_row('\x7f', row));
        assert_int_equal(font_row('\xff', row), font_row('\x7f', row));
        assert_int_equal(font_row('\0', row), font_row('\x7f', row));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_where_it_should),
        cmocka_unit_test(full_screen_scrolls),
        cmocka_unit_test(draws_what_changes),
        cmocka_unit_test(drawing_goes_on_in_pieces),
        cmocka_unit_test(flood_is_drawn_once),
        cmocka_unit_test(text_mode_writes_cells),
        cmocka_unit_test(framebuffer_refuses_odd_modes),
        cmocka_unit_test(framebuffer_draws_the_font),
        cmocka_unit_test(cursor_leaves_no_trace),
        cmocka_unit_test(large_modes_get_large_letters),
        cmocka_unit_test(doubling_keeps_straight_lines),
        cmocka_unit_test(every_letter_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
