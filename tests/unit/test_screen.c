/* links: drivers/screen.c drivers/vga.c drivers/fb.c drivers/font.c */
/*
 * The screens: what the cursor does, scrolling, and the very pixels.
 */
#include <setjmp.h>
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

static char shown[COLUMNS * ROWS], drawn[COLUMNS * ROWS];

static void draw(unsigned row, unsigned column, char c)
{
    assert_true(row < ROWS && column < COLUMNS);
    drawn[row * COLUMNS + column] = c;
}

static struct screen s = { .columns = COLUMNS, .rows = ROWS, .shown = shown, .draw = draw };

static void shows(const char *text, const char *want)
{
    screen_clear(&s);
    screen_write(&s, text, strlen(text));
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

static void text_mode_writes_cells(void **state)
{
    static uint16_t memory[VGA_BYTES / 2 + 8], moved[VGA_BYTES / 2];

    (void)state;
    vga_write("nowhere", 7);
    memset(memory, 0x5A, sizeof(memory));
    vga_init(memory);
    vga_write("Hi\n\xE9", 4);
    assert_int_equal(memory[0], 0x0748);
    assert_int_equal(memory[1], 0x0769);
    assert_int_equal(memory[2], 0x0720);
    assert_int_equal(memory[80], 0x07E9);
    assert_int_equal(memory[VGA_BYTES / 2], 0x5A5A);
    vga_init(moved);
    vga_write("x", 1);
    assert_int_equal(moved[81], 0x0778);
    assert_int_equal(moved[0], 0);
}

static void framebuffer_refuses_odd_modes(void **state)
{
    static uint8_t pixels[64];
    struct fb_mode good = { 40, 10, 16, 32, 16, 8, 0 }, m;

    (void)state;
    m = good, m.bpp = 8;
    assert_int_equal(fb_init(&m, pixels), -EINVAL);
    m = good, m.width = 7;
    assert_int_equal(fb_init(&m, pixels), -EINVAL);
    m = good, m.height = 15;
    assert_int_equal(fb_init(&m, pixels), -EINVAL);
    m = good, m.pitch = 39;
    assert_int_equal(fb_init(&m, pixels), -EINVAL);
    m = good, m.green_shift = 32;
    assert_int_equal(fb_init(&m, pixels), -EINVAL);
}

/* Each pixel of two letters, in both depths, and none outside; 17 wide: one pixel is no cell. */
static void framebuffer_draws_the_font(void **state)
{
    (void)state;
    for (unsigned bytes = 3; bytes <= 4; bytes++) {
        struct fb_mode m = { 17 * bytes + 5, 17, 16, (uint8_t)(8 * bytes), 16, 8, 0 };
        uint8_t *pixels = malloc(m.pitch * m.height);

        memset(pixels, 0, m.pitch * m.height);
        assert_int_equal(fb_init(&m, pixels), 0);
        fb_write("Aq", 2);
        for (unsigned y = 0; y < 16; y++) {
            for (unsigned x = 0; x < 16; x++) {
                int lit = font_row("Aq"[x / 8], y / 2) >> (7 - x % 8) & 1;

                for (unsigned b = 0; b < 3; b++)
                    assert_int_equal(pixels[y * m.pitch + x * bytes + b], lit ? 0xAA : 0);
            }
            for (unsigned x = 16 * bytes; x < m.pitch; x++)
                assert_int_equal(pixels[y * m.pitch + x], 0);
        }
        free(pixels);
    }
}

static void every_letter_differs(void **state)
{
    (void)state;
    for (int a = ' '; a <= '~'; a++) {
        for (int b = ' '; b < a; b++) {
            unsigned same = 0;

            for (unsigned row = 0; row < FONT_ROWS; row++)
                same += font_row((char)a, row) == font_row((char)b, row);
            assert_true(same < FONT_ROWS);
        }
    }
    assert_int_equal(font_row('\x80', 0), font_row('?', 0));
    assert_int_equal(font_row('\0', 1), font_row('?', 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_where_it_should),
        cmocka_unit_test(full_screen_scrolls),
        cmocka_unit_test(text_mode_writes_cells),
        cmocka_unit_test(framebuffer_refuses_odd_modes),
        cmocka_unit_test(framebuffer_draws_the_font),
        cmocka_unit_test(every_letter_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
