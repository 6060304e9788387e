/* links: devices/vrtc.c devices/vrtc_date.c tests/fakes/panic.c */
/*
 * The MC146818, register by register, and its calendar against the host's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "devices/vrtc.h"
#include "devices/vrtc_date.h"
#include "tests/fakes/line.h"

#define SEC  1000000000ull
#define MSEC 1000000ull

static struct vrtc rtc;
static struct fake_line irq;
static const int64_t epoch = 1700000000; /* Tuesday 2023-11-14 22:13:20 */

static int setup(void **state)
{
    (void)state;
    vrtc_init(&rtc, fake_line(&irq), epoch, 0);
    return 0;
}

static uint8_t in(uint8_t index, uint64_t now)
{
    reg_write(&rtc.dev, 0, index, now);
    return reg_read(&rtc.dev, 1, now);
}

static void out(uint8_t index, uint8_t value, uint64_t now)
{
    reg_write(&rtc.dev, 0, index, now);
    reg_write(&rtc.dev, 1, value, now);
}

static void tick(uint64_t now)
{
    rtc.dev.ops->tick(&rtc.dev, now);
}

static uint64_t deadline(void)
{
    return rtc.dev.ops->deadline(&rtc.dev);
}

static void assert_time(const uint8_t expect[8], uint64_t now)
{
    static const uint8_t index[8] = { 0, 2, 4, 6, 7, 8, 9, 0x32 };

    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(in(index[i], now), expect[i]);
}

static void test_power_on(void **state)
{
    (void)state;
    assert_int_equal(reg_read(&rtc.dev, 0, 0), 0xff);
    assert_int_equal(in(0x0a, 0), 0x26);
    assert_int_equal(in(0x0b, 0), 0x02);
    assert_int_equal(in(0x0c, 0), 0x00);
    assert_int_equal(in(0x0d, 0), 0x80);
    assert_int_equal(deadline(), TIME_NEVER);
}

static void test_time_in_every_form(void **state)
{
    (void)state;
    assert_time((uint8_t[]){ 0x20, 0x13, 0x22, 3, 0x14, 0x11, 0x23, 0x20 }, 0);
    assert_time((uint8_t[]){ 0x21, 0x13, 0x22, 3, 0x14, 0x11, 0x23, 0x20 }, SEC);
    out(0x0b, 0x06, 0);
    assert_time((uint8_t[]){ 20, 13, 22, 3, 14, 11, 23, 20 }, 0);
    out(0x0b, 0x04, 0);
    assert_int_equal(in(4, 0), 0x80 | 10);
    out(0x0b, 0x00, 0);
    assert_int_equal(in(4, 0), 0x90);
    assert_int_equal(in(4, 2 * 3600 * SEC), 0x12); /* midnight is 12 AM */
    assert_int_equal(in(4, 14 * 3600 * SEC), 0x92);
}

static void test_calendar_agrees_with_the_host(void **state)
{
    (void)state;
    for (int64_t t = -62167219200; t < 253402300799; t += 86400 * 17 + 12345) {
        struct rtc_date d = rtc_date_of(t);
        time_t host = t;
        struct tm tm;
        gmtime_r(&host, &tm);
        assert_int_equal(d.year, tm.tm_year + 1900);
        assert_int_equal(d.month, tm.tm_mon + 1);
        assert_int_equal(d.day, tm.tm_mday);
        assert_int_equal(d.hour, tm.tm_hour);
        assert_int_equal(d.minute, tm.tm_min);
        assert_int_equal(d.second, tm.tm_sec);
        assert_int_equal(d.weekday, tm.tm_wday + 1);
        assert_true(rtc_epoch_of(&d) == t);
    }
    assert_int_equal(rtc_date_of(INT64_MAX).year, 9999);
    assert_int_equal(rtc_date_of(INT64_MIN).year, 0);
}

static void test_setting_the_time(void **state)
{
    (void)state;
    out(0x0b, 0x92, 300 * MSEC);
    assert_int_equal(in(0x0b, 300 * MSEC), 0x82); /* SET clears UIE */
    assert_time((uint8_t[]){ 0x20, 0x13, 0x22, 3, 0x14, 0x11, 0x23, 0x20 }, 5 * SEC); /* stands */
    static const uint8_t bytes[][2] = { { 0, 0x58 }, { 2, 0x59 }, { 4, 0x23 },   { 7, 0x28 },
                                        { 8, 0x02 }, { 9, 0x24 }, { 0x32, 0x20 } };
    for (unsigned i = 0; i < 7; i++)
        out(bytes[i][0], bytes[i][1], 5 * SEC);
    assert_int_equal(in(2, 5 * SEC), 0x59);
    out(0x0b, 0x02, 5 * SEC + 300 * MSEC);
    assert_int_equal(in(0, 5 * SEC + 999 * MSEC), 0x58); /* the divider went on meanwhile */
    assert_time((uint8_t[]){ 0x00, 0x00, 0x00, 5, 0x29, 0x02, 0x24, 0x20 }, 7 * SEC);
}

static void test_divider_reset(void **state)
{
    (void)state;
    out(0x0b, 0x82, 0);
    out(0x0a, 0x76, 0);
    out(0, 0x30, 0);
    out(0x0b, 0x02, 0);
    assert_int_equal(in(0, 9 * SEC), 0x30); /* held */
    assert_int_equal(in(0x0a, 9 * SEC), 0x76);
    out(0x0a, 0x26, 10 * SEC + 1);
    assert_int_equal(in(0, 10 * SEC + 500 * MSEC), 0x30);
    assert_int_equal(in(0, 10 * SEC + 500 * MSEC + 1), 0x31); /* half a second later */
    assert_int_equal(in(0, 11 * SEC + 500 * MSEC + 1), 0x32);
}

static void test_nonsense_dates(void **state)
{
    (void)state;
    out(0x0b, 0x82, 0);
    for (uint8_t i = 0; i < 10; i++)
        out(i, 0xff, 0);
    out(0x32, 0xff, 0);
    out(0x0b, 0x02, 0);
    assert_time((uint8_t[]){ 0x59, 0x59, 0x23, 6, 0x31, 0x12, 0x99, 0x99 }, 0);
    out(7, 0, 0);
    out(8, 0, 0);
    assert_int_equal(in(7, 0), 1);
    assert_int_equal(in(8, 0), 1);
}

static void test_update_in_progress(void **state)
{
    (void)state;
    assert_int_equal(in(0x0a, 0), 0x26);
    assert_int_equal(in(0x0a, 997 * MSEC), 0x26);
    assert_int_equal(in(0x0a, 998 * MSEC), 0xa6);
    assert_int_equal(in(0x0a, SEC - 1), 0xa6);
    assert_int_equal(in(0, SEC - 1), 0x20);
    assert_int_equal(in(0x0a, SEC), 0x26);
    assert_int_equal(in(0, SEC), 0x21);
    out(0x0b, 0x82, SEC);
    assert_int_equal(in(0x0a, 2 * SEC - 1), 0x26);
}

static void test_update_interrupt(void **state)
{
    (void)state;
    out(0x0b, 0x12, 100);
    assert_int_equal(deadline(), SEC);
    tick(SEC - 1);
    assert_false(irq.level);
    tick(SEC);
    assert_true(irq.level);
    assert_int_equal(deadline(), TIME_NEVER); /* nothing new before C has been read */
    assert_int_equal(in(0x0c, SEC) & 0x90, 0x90);
    assert_false(irq.level);
    assert_int_equal(in(0x0c, SEC), 0);
    assert_int_equal(deadline(), 2 * SEC);
    tick(5 * SEC); /* late: one interrupt */
    assert_int_equal(irq.rises, 2);
}

static void test_flags_without_interrupts(void **state)
{
    (void)state;
    assert_int_equal(in(0x0c, 3 * SEC) & 0xd0, 0x50);
    out(0x0c, 0xff, 3 * SEC);
    out(0x0d, 0x00, 3 * SEC);
    assert_int_equal(in(0x0c, 3 * SEC), 0);
    assert_int_equal(in(0x0d, 3 * SEC), 0x80);
    tick(4 * SEC);
    out(0x0b, 0x12, 4 * SEC); /* the flag is up already */
    assert_true(irq.level);
}

static void test_periodic_interrupt(void **state)
{
    (void)state;
    out(0x0a, 0x2f, 0); /* 2 Hz */
    out(0x0b, 0x42, 0);
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(deadline(), i * SEC / 2);
        tick(i * SEC / 2);
        assert_int_equal(in(0x0c, i * SEC / 2) & 0xc0, 0xc0);
    }
    static const struct {
        uint8_t rate;
        unsigned hz;
    } rates[] = { { 1, 256 }, { 2, 128 }, { 3, 8192 }, { 6, 1024 }, { 13, 8 } };
    for (unsigned i = 0; i < 5; i++) {
        setup(state);
        out(0x0a, 0x20 | rates[i].rate, 0);
        out(0x0b, 0x42, 0);
        for (unsigned n = 0; n < rates[i].hz; n++) {
            uint64_t at = deadline();
            tick(at);
            in(0x0c, at);
        }
        assert_int_equal(irq.rises, rates[i].hz);
        assert_int_equal(rtc.seen, SEC);
    }
    out(0x0a, 0x20, SEC);
    assert_int_equal(deadline(), TIME_NEVER);
}

static void test_alarm(void **state)
{
    (void)state;
    out(1, 0x30, 0);
    out(3, 0x14, 0);
    out(5, 0x22, 0);
    assert_int_equal(in(3, 0), 0x14);
    out(0x0b, 0x22, 0);
    assert_int_equal(deadline(), 70 * SEC);
    tick(70 * SEC - 1);
    assert_false(irq.level);
    tick(70 * SEC);
    assert_true(irq.level);
    assert_int_equal(in(0x0c, 70 * SEC) & 0xa0, 0xa0);
    assert_int_equal(deadline(), (70 + 86400) * SEC); /* tomorrow */
    out(5, 0xc0, 70 * SEC);                           /* each hour */
    assert_int_equal(deadline(), (70 + 3600) * SEC);
    out(3, 0xff, 70 * SEC); /* each minute */
    assert_int_equal(deadline(), (70 + 60) * SEC);
    out(1, 0xc5, 70 * SEC); /* each second */
    assert_int_equal(deadline(), 71 * SEC);
    out(1, 0x7a, 70 * SEC); /* never */
    assert_int_equal(deadline(), TIME_NEVER);
    tick(200000 * SEC);
    assert_int_equal(in(0x0c, 200000 * SEC) & 0x20, 0);
}

/* What is right by definition: the first second of the next day whose bytes match. */
static int64_t search_alarm(int64_t from, const uint8_t alarm[3], struct rtc_format f)
{
    for (int64_t t = from + 1; t <= from + 86400; t++) {
        struct rtc_date d = rtc_date_of(t);
        const uint8_t now[3] = { rtc_encode(f, d.second), rtc_encode(f, d.minute),
                                 rtc_encode_hour(f, d.hour) };
        bool matches = true;
        for (unsigned i = 0; i < 3; i++)
            matches = matches && (alarm[i] >= 0xc0 || alarm[i] == now[i]);
        if (matches)
            return t;
    }
    return -1;
}

/* A byte that can come, matches all, or is anything. */
static uint8_t some_alarm_byte(struct rtc_format f, unsigned i)
{
    switch (rand() % 3) {
    case 0:
        return 0xff;
    case 1:
        return i == 2 ? rtc_encode_hour(f, (unsigned)rand() % 24)
                      : rtc_encode(f, (unsigned)rand() % 60);
    default:
        return (uint8_t)rand();
    }
}

static void test_alarms_as_by_search(void **state)
{
    unsigned came = 0;

    (void)state;
    srand(12);
    for (unsigned n = 0; n < 150; n++) {
        struct rtc_format f = { .b = (uint8_t)(rand() & 6) };
        uint8_t alarm[3];
        int64_t at = rand() % 86400, from = epoch + at;
        vrtc_init(&rtc, fake_line(&irq), epoch, 0);
        out(0x0b, 0x20 | f.b, (uint64_t)at * SEC);
        for (unsigned i = 0; i < 3; i++) {
            alarm[i] = some_alarm_byte(f, i);
            out((uint8_t)(2 * i + 1), alarm[i], (uint64_t)at * SEC);
        }
        in(0x0c, (uint64_t)at * SEC);
        int64_t next = search_alarm(from, alarm, f);
        came += next >= 0;
        assert_true(deadline() == (next < 0 ? TIME_NEVER : (uint64_t)(at + next - from) * SEC));
    }
    assert_in_range(came, 50, 125);
}

static void test_memory(void **state)
{
    (void)state;
    for (unsigned i = 0x0e; i < 0x80; i++) {
        if (i == 0x32)
            continue;
        out((uint8_t)(0x80 | i), (uint8_t)(i ^ 0x5a), 0); /* bit 7 is the NMI mask */
        assert_int_equal(in((uint8_t)i, 0), i ^ 0x5a);
    }
    rtc.dev.ops->reset(&rtc.dev, SEC);
    assert_int_equal(in(0x40, SEC), 0x40 ^ 0x5a);
    assert_int_equal(in(0, SEC), 0x21);
}

static void test_memory_sizes(void **state)
{
    (void)state;
    vrtc_set_memory(&rtc, 32u << 20, 0);
    assert_int_equal(in(0x15, 0) | in(0x16, 0) << 8, 640);
    assert_int_equal(in(0x17, 0) | in(0x18, 0) << 8, 31 * 1024);
    assert_int_equal(in(0x30, 0) | in(0x31, 0) << 8, 31 * 1024);
    assert_int_equal(in(0x34, 0) | in(0x35, 0) << 8, 256);
    vrtc_set_memory(&rtc, 3ull << 30, 5ull << 30);
    assert_int_equal(in(0x17, 0) | in(0x18, 0) << 8, 0xffff);
    assert_int_equal(in(0x34, 0) | in(0x35, 0) << 8, (3072 - 16) * 16);
    assert_int_equal(in(0x5b, 0) | in(0x5c, 0) << 8 | in(0x5d, 0) << 16, 5 << 14);
    vrtc_set_memory(&rtc, 1u << 19, 0);
    assert_int_equal(in(0x17, 0) | in(0x34, 0), 0);
}

static void test_reset_switches_interrupts_off(void **state)
{
    (void)state;
    out(0x0b, 0x7a, 0);
    tick(SEC);
    assert_true(irq.level);
    rtc.dev.ops->reset(&rtc.dev, SEC);
    assert_false(irq.level);
    assert_int_equal(in(0x0b, SEC), 0x02);
    assert_int_equal(in(0x0c, SEC), 0);
}

static void test_foreign_accesses(void **state)
{
    (void)state;
    assert_int_equal(rtc.dev.ops->read(&rtc.dev, 2, 1, 0), UINT32_MAX);
    assert_int_equal(rtc.index, 0);
}

static void test_any_bytes(void **state)
{
    uint32_t seed = 5;
    uint64_t now = 0;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint8_t index = seed >> 26 < 50 ? seed >> 26 & 15 : 0x32;
        now += (uint64_t)(seed >> 8 & 0xffff) << (seed & 15);
        if (seed & 0x10000)
            out(index, (uint8_t)(seed >> 17), now);
        else
            in(index, now);
        assert_true(deadline() > now);
    }
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_power_on),
        T(test_time_in_every_form),
        T(test_calendar_agrees_with_the_host),
        T(test_setting_the_time),
        T(test_divider_reset),
        T(test_nonsense_dates),
        T(test_update_in_progress),
        T(test_update_interrupt),
        T(test_flags_without_interrupts),
        T(test_periodic_interrupt),
        T(test_alarm),
        T(test_alarms_as_by_search),
        T(test_memory),
        T(test_memory_sizes),
        T(test_reset_switches_interrupts_off),
        T(test_foreign_accesses),
        T(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
