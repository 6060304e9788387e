/* links: drivers/keyboard.c tests/fakes/panic.c */
/*
 * The keyboard: scan codes to bytes, and the driver against a pretended 8042.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "drivers/keyboard.h"

/* Feeds scan codes; what they make must be text. */
static void makes_n(const char *codes, size_t count, const char *text, size_t n)
{
    struct keyboard_state s = { 0 };
    uint8_t all[256], out[KEYBOARD_MOST];
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        size_t more = keyboard_translate(&s, (uint8_t)codes[i], out);

        assert_true(more <= KEYBOARD_MOST);
        memcpy(all + length, out, more);
        length += more;
    }
    assert_int_equal(length, n);
    assert_memory_equal(all, text, n);
}
#define makes(codes, text) makes_n(codes, sizeof(codes) - 1, text, sizeof(text) - 1)

static void letters_and_digits(void **state)
{
    (void)state;
    makes("\x1e\x9e\x30\xb0", "ab");
    makes("\x02\x03\x0b\x0c\x0d", "120-=");
    makes("\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b", "qwertyuiop[]");
    makes("\x1e\x1f\x20\x21\x22\x23\x24\x25\x26\x27\x28\x29", "asdfghjkl;'`");
    makes("\x2b\x2c\x2d\x2e\x2f\x30\x31\x32\x33\x34\x35\x39", "\\zxcvbnm,./ ");
    makes("\x1c\x0e\x0f\x01", "\r\x7f\t\x1b");
    makes("\x47\x48\x4c\x52\x53\x37\x4a\x4e", "7850.*-+");
}

static void shifts(void **state)
{
    (void)state;
    makes("\x2a\x1e\x9e\xaa\x1e", "Aa");
    makes("\x36\x02\x28\x2b\xb6\x02", "!\"|1");
    makes("\x2a\x36\xaa\x1e", "A");
    makes("\x3a\xba\x1e\x02\x3a\xba\x1e", "A1a");
    makes("\x3a\x2a\x1e\x02", "a!");
}

static void controls_and_alts(void **state)
{
    (void)state;
    makes("\x1d\x1e\x9d\x1e", "\x01"
                              "a");
    makes("\xe0\x1d\x2e\xe0\x9d\x2e", "\x03"
                                      "c");
    makes("\x1d\x2a\x1e", "\x01");
    makes("\x1d\x39", "\0");
    makes("\x1d\x02", "1");
    makes("\x1d\x1a", "\x1b");
    makes("\x38\x30\xb8", "\x1b"
                          "b");
}

static void sequences(void **state)
{
    (void)state;
    makes("\xe0\x48\xe0\xc8", "\x1b[A");
    makes("\xe0\x50\xe0\x4d\xe0\x4b", "\x1b[B\x1b[C\x1b[D");
    makes("\xe0\x47\xe0\x4f\xe0\x53", "\x1b[H\x1b[F\x1b[3~");
    makes("\xe0\x2a\xe0\x48\xe0\xc8\xe0\xaa\x1e", "\x1b[Aa");
    makes("\xe0\x1c\xe0\x35", "\r/");
    makes("\xe1\x1d\x45\xe1\x9d\xc5\x1e", "a");
    makes("\xe0\x5b\x1e\x3b\x57\x58\x7f\x45\x46", "a");
}

/* No code, in any state, writes more than it may. */
static void all_pairs(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            struct keyboard_state s = { 0 };
            uint8_t out[KEYBOARD_MOST + 1];

            out[KEYBOARD_MOST] = 0x5A;
            assert_true(keyboard_translate(&s, (uint8_t)a, out) <= KEYBOARD_MOST);
            assert_true(keyboard_translate(&s, (uint8_t)b, out) <= KEYBOARD_MOST);
            assert_int_equal(out[KEYBOARD_MOST], 0x5A);
        }
    }
}

/* ---- The controller -------------------------------------------------------------------------- */

static struct {
    uint8_t config, command, output[8], status_of[8];
    unsigned count, at;
    int absent, stuck;
} chip;

static uint32_t chip_in(uint16_t port, unsigned size)
{
    assert_int_equal(size, 1);
    if (chip.absent)
        return 0xFF;
    if (port == 0x64)
        return (chip.stuck ? 2 : 0) | (chip.at < chip.count ? 1 | chip.status_of[chip.at] : 0);
    assert_int_equal(port, 0x60);
    return chip.at < chip.count ? chip.output[chip.at++] : 0;
}

static void chip_says(uint8_t byte, uint8_t status)
{
    if (chip.at == chip.count)
        chip.at = chip.count = 0;
    chip.output[chip.count] = byte;
    chip.status_of[chip.count++] = status;
}

static void chip_out(uint16_t port, unsigned size, uint32_t value)
{
    assert_int_equal(size, 1);
    if (port == 0x64) {
        chip.command = (uint8_t)value;
        if (value == 0x20)
            chip_says(chip.config, 0);
    } else if (chip.command == 0x60) {
        chip.config = (uint8_t)value;
    }
}

static uint8_t typed[64];
static size_t typed_count;

static void receive(const uint8_t *data, size_t len)
{
    memcpy(typed + typed_count, data, len);
    typed_count += len;
}

static int chip_new(void **state)
{
    (void)state;
    memset(&chip, 0, sizeof(chip));
    typed_count = 0;
    fake_in = chip_in;
    fake_out = chip_out;
    return 0;
}

static void opens(void **state)
{
    (void)state;
    chip.config = 0x32;
    chip_says(0x1e, 0); /* an old key, to be dropped */
    assert_true(keyboard_open(receive));
    assert_int_equal(chip.config, 0x61);
    assert_int_equal(chip.command, 0xAE);
    chip_says(0x30, 0);
    chip_says(0x1e, 0x20); /* the mouse's */
    chip_says(0xb0, 0);
    chip_says(0x2e, 0);
    keyboard_irq();
    assert_int_equal(typed_count, 2);
    assert_memory_equal(typed, "bc", 2);
    keyboard_irq();
    assert_int_equal(typed_count, 2);
}

static void does_without(void **state)
{
    (void)state;
    chip.absent = 1;
    assert_false(keyboard_open(receive));
    chip.absent = 0;
    chip.stuck = 1;
    assert_false(keyboard_open(receive));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_and_digits),
        cmocka_unit_test(shifts),
        cmocka_unit_test(controls_and_alts),
        cmocka_unit_test(sequences),
        cmocka_unit_test(all_pairs),
        cmocka_unit_test_setup(opens, chip_new),
        cmocka_unit_test_setup(does_without, chip_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
