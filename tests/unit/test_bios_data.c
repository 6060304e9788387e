/* links: machine/bios_data.c */
/*
 * The BIOS data area, read as software reads it that looks there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "machine/bios_data.h"

#define EBDA 0x9FC00

static uint8_t area[BIOS_DATA_SIZE + 1];

/* From where it lies in memory. */
static uint32_t get(uint32_t address, unsigned bytes)
{
    uint32_t value = 0;

    memcpy(&value, area + (address - BIOS_DATA_START), bytes);
    return value;
}

static void test_board(void **state)
{
    (void)state;
    memset(area, 0xAA, sizeof(area));
    bios_data_build(area, 0, EBDA);
    assert_int_equal(area[BIOS_DATA_SIZE], 0xAA);
    assert_int_equal(get(0x400, 2), 0x3F8);
    assert_int_equal(get(0x402, 2), 0x2F8);
    assert_int_equal(get(0x404, 4), 0); /* no COM3, no COM4, */
    assert_int_equal(get(0x408, 4), 0); /* no printer */
    assert_int_equal(get(0x40E, 2) << 4, EBDA);
    assert_int_equal(get(0x410, 2) >> 9 & 7, 2);
    assert_int_equal(get(0x413, 2), 639);
    assert_int_equal(get(0x41A, 2), get(0x41C, 2)); /* no key has been pressed */
    assert_int_equal(get(0x41A, 2), get(0x480, 2));
    assert_int_equal(get(0x482, 2) - get(0x480, 2), 32);
    assert_int_equal(get(0x449, 1), 3);
    assert_int_equal(get(0x44A, 2), 80);
    assert_int_equal(get(0x484, 1), 24);
    assert_int_equal(get(0x475, 1), 0); /* no hard disk */
}

static uint32_t ticks_at(int64_t epoch)
{
    bios_data_build(area, epoch, EBDA);
    return get(0x46C, 4);
}

/* A day has 0x1800B0 ticks for a PC's BIOS, which ends it some seconds late. */
static void test_ticks(void **state)
{
    (void)state;
    assert_int_equal(ticks_at(0), 0);
    assert_int_equal(ticks_at(3600), 65543); /* 18.2065 a second */
    assert_int_equal(ticks_at(1798761600 + 12 * 3600), 786521);
    assert_true(ticks_at(86399) < 0x1800B0);
    assert_int_equal(ticks_at(-3600), ticks_at(23 * 3600)); /* before 1970 */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_board),
                                        cmocka_unit_test(test_ticks) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
