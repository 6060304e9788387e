/* links: devices/vcrtc.c lib/string.c */
/*
 * devices/vcrtc.c: a cursor is kept; registers that there are not read as ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vcrtc.h"

static struct vcrtc crtc;

static uint8_t rd(uint32_t offset)
{
    return (uint8_t)crtc.dev.ops->read(&crtc.dev, offset, 1, 0);
}

static void wr(uint32_t offset, uint32_t value)
{
    crtc.dev.ops->write(&crtc.dev, offset, 1, value, 0);
}

/* As xv6 has it: the cursor's place in two halves. */
static void test_cursor(void **state)
{
    (void)state;
    vcrtc_init(&crtc);
    wr(0, 14);
    assert_int_equal(rd(1), 0);
    wr(1, 0x07);
    wr(0, 15);
    wr(1, 0x80);
    wr(0, 14);
    assert_int_equal(rd(0), 14);
    assert_int_equal(rd(1), 0x07);
    wr(0, 15);
    assert_int_equal(rd(1), 0x80);
    crtc.dev.ops->reset(&crtc.dev, 0);
    assert_int_equal(rd(0), 0);
    wr(0, 15);
    assert_int_equal(rd(1), 0);
}

static void test_no_such_register(void **state)
{
    (void)state;
    vcrtc_init(&crtc);
    wr(0, 0xFF);
    assert_int_equal(rd(0), 0x1F);
    wr(1, 0x55);
    assert_int_equal(rd(1), 0xFF);
    wr(0, VCRTC_REGISTERS);
    wr(1, 0x55);
    assert_int_equal(rd(1), 0xFF);
    wr(0, VCRTC_REGISTERS - 1);
    wr(1, 0x55);
    assert_int_equal(rd(1), 0x55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_no_such_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
