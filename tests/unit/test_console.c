/* links: monitor/console.c domain/machine_hvm.c domain/p2m.c domain/gmem.c domain/moment.c devices/vpic.c devices/vpci.c devices/vpit.c devices/vpit_channel.c devices/vrtc.c devices/vrtc_date.c devices/vuart.c devices/vuart_fifo.c devices/vi8042.c devices/vreset.c devices/vpm.c devices/vioapic.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c vmx/ept.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/vmx.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c domain/pv_console.c domain/p2m_change.c domain/pv.c domain/pv_time.c domain/operand.c domain/gva.c */
/*
 * The console between a real COM1 of a guest and a pretended serial port of the machine: nothing
 * may be lost in either direction, however slow the reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "domain/machine.h"
#include "drivers/uart.h"
#include "monitor/console.h"
#include "tests/fakes/guest.h"

#define PASTE 65536
#define COM1  0x3f8
#define INPUT 131072 /* what console.c keeps, and when it asks for a pause */
#define HOLD  (INPUT - INPUT / 4)

static struct machine_hvm *const m = &guest.machine;
static const struct domain_config config = { .mem = 16 << 20 };
static const struct domain_hooks hooks = { .console_put = console_put,
                                           .console_room = console_room };
static struct vlapic_bus bus;

/* ---- The serial port ---- */

static void (*receive)(const uint8_t *data, size_t len);
static void (*has_room)(void);
static uint8_t line[2 * PASTE];
static unsigned line_used, room;
static bool held;
static unsigned holds;

void uart_on_receive(struct uart *u, void (*fn)(const uint8_t *data, size_t len))
{
    (void)u;
    receive = fn;
}

void uart_on_room(struct uart *u, void (*fn)(void))
{
    (void)u;
    has_room = fn;
}

size_t uart_try_write(struct uart *u, const void *data, size_t len)
{
    (void)u;
    size_t n = len < room ? len : room;
    memcpy(line + line_used, data, n);
    line_used += n;
    room -= n;
    return n;
}

void uart_hold(struct uart *u, bool on)
{
    (void)u;
    assert_int_not_equal(on, held); /* told only when it changes */
    held = on;
    holds += on;
}

/* ---- The domains ---- */

static struct domain *other;

struct domain *domain_next(const struct domain *after)
{
    return after ? after == &guest ? other : NULL : &guest;
}

static int setup(void **state)
{
    struct memmap map = { .low_end = 16 << 20 };

    (void)state;
    guest_start();
    domain_set_hooks(&hooks);
    guest.config = &config;
    vlapic_init(&guest_vcpu.lapic, 0, 1000000000, &bus);
    machine_init(m, &guest, &map);
    line_used = holds = 0;
    held = false;
    room = sizeof(line);
    other = NULL;
    console_init((struct uart *)&line);
    console_attach(&guest);
    return 0;
}

static uint8_t in(uint16_t port)
{
    return (uint8_t)machine_port_read(m, port, 1);
}

static void out(uint16_t port, uint8_t value)
{
    machine_port_write(m, port, 1, value);
}

static int teardown(void **state)
{
    (void)state;
    while (in(COM1 + 5) & 1) /* the console keeps what nobody read */
        in(COM1);
    console_detach(&guest);
    guest_stop();
    return 0;
}

static uint8_t pattern(unsigned i)
{
    return (uint8_t)(i * 31 + i / 256 * 7);
}

static void paste(unsigned from, unsigned n)
{
    uint8_t piece[64];

    for (unsigned done = 0; done < n; done += sizeof(piece)) {
        for (unsigned i = 0; i < sizeof(piece); i++)
            piece[i] = pattern(from + done + i);
        receive(piece, sizeof(piece));
    }
}

static void read_and_compare(unsigned from, unsigned n)
{
    for (unsigned i = from; i < from + n; i++) {
        assert_true(in(COM1 + 5) & 1);
        uint8_t byte = in(COM1);
        if (byte != pattern(i))
            fail_msg("byte %u is %02x", i, byte);
    }
}

static void test_paste_into_a_sleeper(void **state)
{
    (void)state;
    for (unsigned fifo = 0; fifo < 2; fifo++) {
        out(COM1 + 2, fifo ? 0xc1 : 0);
        paste(0, PASTE); /* all of it before the guest reads the first byte */
        assert_false(held);
        read_and_compare(0, PASTE);
        assert_false(in(COM1 + 5) & 1);
    }
}

static void test_paste_into_a_slow_reader(void **state)
{
    unsigned given = 0, taken = 0;

    (void)state;
    out(COM1 + 2, 0x01);
    while (taken < 4 * PASTE) {
        if (given < 4 * PASTE && !held) {
            paste(given, 256);
            given += 256;
        }
        read_and_compare(taken, given - taken < 100 ? given - taken : 100);
        taken += given - taken < 100 ? given - taken : 100;
    }
    assert_true(holds > 0);
    assert_false(held);
}

static void test_hold_and_release(void **state)
{
    unsigned given = 0;

    (void)state;
    for (; !held; given += 64)
        paste(given, 64);
    assert_in_range(given, HOLD, HOLD + 128);
    paste(given, 16384); /* the far end is slow to obey: there is room for that */
    given += 16384;
    unsigned taken = 0;
    for (; held; taken++)
        read_and_compare(taken, 1);
    assert_in_range(given - taken, INPUT / 2 - 64, INPUT / 2 + 64);
    read_and_compare(taken, given - taken);
    assert_int_equal(holds, 1);
}

/* Sends as a driver does: a byte when THRE says so. */
static unsigned send(unsigned from, unsigned to)
{
    while (from < to && (in(COM1 + 5) & 0x20))
        out(COM1, pattern(from++));
    return from;
}

static void test_full_transmitter(void **state)
{
    unsigned sent = 0;

    (void)state;
    room = 0;
    while (sent < PASTE) {
        sent = send(sent, PASTE);
        room += 37;
        has_room();
    }
    while (line_used < PASTE) {
        room += 37;
        has_room();
    }
    assert_int_equal(line_used, PASTE);
    for (unsigned i = 0; i < PASTE; i++)
        if (line[i] != pattern(i))
            fail_msg("byte %u is %02x", i, line[i]);
}

/* The paste of the guest's "cat": both directions at once, through a transmitter that is full. */
static void test_echo(void **state)
{
    unsigned echoed = 0;

    (void)state;
    out(COM1 + 2, 0x01);
    room = 0;
    paste(0, PASTE);
    while (echoed < PASTE) {
        while ((in(COM1 + 5) & 0x21) == 0x21) {
            out(COM1, in(COM1));
            echoed++;
        }
        room += 5;
        has_room();
    }
    room = 16;
    has_room();
    assert_int_equal(line_used, PASTE);
    for (unsigned i = 0; i < PASTE; i++)
        assert_int_equal(line[i], pattern(i));
}

static void test_kept_for_the_next(void **state)
{
    (void)state;
    console_detach(&guest);
    paste(0, 1024);
    assert_false(in(COM1 + 5) & 1);
    console_attach(&guest);
    read_and_compare(0, 1024);
}

static void test_not_in_front(void **state)
{
    static struct domain behind;

    (void)state;
    assert_false(console_put(&behind, 'x')); /* waits */
    console_room(&behind);
    assert_int_equal(line_used, 0);
    console_attach(&behind); /* somebody is in front */
    assert_true(console_put(&guest, 'y'));
    assert_int_equal(line[0], 'y');
}

static void test_no_port(void **state)
{
    (void)state;
    console_init(NULL);
    assert_true(console_put(&guest, 'x'));
    assert_int_equal(line_used, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_paste_into_a_sleeper),
        TEST(test_paste_into_a_slow_reader),
        TEST(test_hold_and_release),
        TEST(test_full_transmitter),
        TEST(test_echo),
        TEST(test_kept_for_the_next),
        TEST(test_not_in_front),
        TEST(test_no_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
