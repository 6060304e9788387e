/* links: drivers/rtc.c */
/*
 * The machine's clock in each of its four forms, in the middle of an update, and broken.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "drivers/rtc.h"

#define HOURS_24 0x02
#define BINARY   0x04

static uint8_t cmos[128], selected;
static unsigned updating; /* how often register A still says so */
static unsigned reads;    /* of the minutes, in all */
static unsigned torn;     /* the reading that catches a change */

static void out(uint16_t port, unsigned size, uint32_t value)
{
    assert_int_equal(size, 1);
    if (port == 0x70)
        selected = value & 0x7F;
}

static uint32_t in(uint16_t port, unsigned size)
{
    assert_int_equal(size, 1);
    assert_int_equal(port, 0x71);
    if (selected == 0x0A && updating) {
        updating--;
        return 0x80 | cmos[0x0A];
    }
    if (selected == 0x02 && ++reads == torn)
        return 0x99;
    return cmos[selected];
}

static uint8_t form(unsigned value, uint8_t b)
{
    return (uint8_t)(b & BINARY ? value : value / 10 << 4 | value % 10);
}

static uint8_t form_hour(unsigned hour, uint8_t b)
{
    if (b & HOURS_24)
        return form(hour, b);
    return form((hour + 11) % 12 + 1, b) | (hour >= 12 ? 0x80 : 0);
}

static void show(time_t t, uint8_t b)
{
    struct tm tm;

    gmtime_r(&t, &tm);
    cmos[0x00] = form(tm.tm_sec, b);
    cmos[0x02] = form(tm.tm_min, b);
    cmos[0x04] = form_hour(tm.tm_hour, b);
    cmos[0x07] = form(tm.tm_mday, b);
    cmos[0x08] = form(tm.tm_mon + 1, b);
    cmos[0x09] = form(tm.tm_year % 100, b);
    cmos[0x0B] = b;
}

static int setup(void **state)
{
    (void)state;
    fake_in = in;
    fake_out = out;
    memset(cmos, 0, sizeof(cmos));
    updating = reads = torn = 0;
    return 0;
}

/* A century of days, each at another time of it, against the C library's calendar. */
static void test_each_day(void **state)
{
    static const uint8_t forms[] = { 0, HOURS_24, BINARY, HOURS_24 | BINARY };

    (void)state;
    for (int64_t t = 946684800, n = 0; t < 4102444800; t += 86400 + 3701, n++) {
        int64_t got = 0;

        show(t, forms[n % 4]);
        assert_true(rtc_read(&got));
        assert_int_equal(got, t);
    }
}

static void test_each_hour(void **state)
{
    (void)state;
    for (unsigned hour = 0; hour < 24; hour++) {
        int64_t got, t = 1700006400 + hour * 3600;

        show(t, 0);
        assert_true(rtc_read(&got));
        assert_int_equal(got, t);
    }
}

static void test_update_is_waited_for(void **state)
{
    int64_t got;

    (void)state;
    show(1700000000, HOURS_24);
    updating = 1000;
    assert_true(rtc_read(&got));
    assert_int_equal(updating, 0);
    assert_int_equal(got, 1700000000);
}

/* A reading that caught a change is thrown away, be it the first or the second. */
static void test_torn_reading(void **state)
{
    (void)state;
    show(1700000000, HOURS_24);
    for (unsigned which = 1; which <= 2; which++) {
        int64_t got;

        reads = 0;
        torn = which;
        assert_true(rtc_read(&got));
        assert_int_equal(got, 1700000000);
        assert_true(reads > 2);
    }
}

static void test_no_clock(void **state)
{
    int64_t got = 7;

    (void)state;
    memset(cmos, 0xFF, sizeof(cmos));
    assert_false(rtc_read(&got));
    cmos[0x0A] = 0; /* no update, but no date either */
    assert_false(rtc_read(&got));
    memset(cmos, 0, sizeof(cmos)); /* the battery was empty: month 0 */
    assert_false(rtc_read(&got));
    assert_int_equal(got, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_day, setup),
        cmocka_unit_test_setup(test_each_hour, setup),
        cmocka_unit_test_setup(test_update_is_waited_for, setup),
        cmocka_unit_test_setup(test_torn_reading, setup),
        cmocka_unit_test_setup(test_no_clock, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
