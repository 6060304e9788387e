/* links: devices/vuart.c devices/vuart_fifo.c tests/fakes/panic.c */
/*
 * The 16550A, register by register, with a peer that can be full.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "devices/vuart.h"
#include "tests/fakes/line.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };

static struct vuart uart;
static struct fake_line irq;

/* The peer: takes `space` bytes, and has `queue` to give. */
static char sent[70000];
static unsigned sent_count, space, rooms;
static const char *queue;
static unsigned queued;

static bool transmit(void *ctx, uint8_t byte)
{
    (void)ctx;
    if (space == 0)
        return false;
    space--;
    sent[sent_count++] = (char)byte;
    return true;
}

static void room(void *ctx, uint64_t now)
{
    (void)ctx;
    rooms++;
    while (queued && vuart_receive(&uart, (uint8_t)*queue, now)) {
        queue++;
        queued--;
    }
}

static const struct vuart_peer peer = { .transmit = transmit, .room = room };

static int setup(void **state)
{
    (void)state;
    sent_count = rooms = queued = 0;
    space = sizeof sent;
    memset(sent, 0, sizeof sent);
    vuart_init(&uart, fake_line(&irq), &peer);
    return 0;
}

static uint8_t in(uint32_t offset)
{
    return reg_read(&uart.dev, offset, 0);
}

static void out(uint32_t offset, uint8_t value)
{
    reg_write(&uart.dev, offset, value, 0);
}

static void receive(const char *text)
{
    while (*text)
        assert_true(vuart_receive(&uart, (uint8_t)*text++, 0));
}

static void test_power_on(void **state)
{
    static const uint8_t expect[] = { 0, 0, 0x01, 0, 0, 0x60, 0xb0, 0 };

    (void)state;
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(in(i), expect[i]);
    assert_int_equal(uart.dev.ops->deadline(&uart.dev), TIME_NEVER);
}

static void test_plain_registers(void **state)
{
    (void)state;
    out(SCR, 0xa5);
    assert_int_equal(in(SCR), 0xa5);
    out(IER, 0xff);
    assert_int_equal(in(IER), 0x0f);
    out(MCR, 0xff);
    assert_int_equal(in(MCR), 0x1f);
    out(LSR, 0);
    assert_int_equal(in(LSR), 0x60);
    out(LCR, 0x83);
    out(0, 0x34);
    out(1, 0x12);
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(1), 0x12);
    out(LCR, 0x03);
    assert_int_equal(in(IER), 0x0f);
    assert_int_equal(uart.divisor, 0x1234);
    assert_int_equal(sent_count, 0);
}

/* What Linux's 8250 driver looks at to tell a 16550A from its kin. */
static void test_linux_finds_a_16550a(void **state)
{
    (void)state;
    out(MCR, 0x1a);
    assert_int_equal(in(MSR)&0xf0, 0x90);
    out(MCR, 0);
    out(2, 0x01);
    assert_int_equal(in(IIR) >> 6, 3);
    out(LCR, 0x80);
    assert_int_not_equal(in(2), 0); /* no EFR: not a 16C950 */
    out(LCR, 0xbf);
    assert_int_not_equal(in(2), 0); /* not a 16650 */
    out(LCR, 0);
    out(2, 0x21);
    assert_int_equal(in(IIR)&0x20, 0); /* no 64-byte FIFO: not a 16750 */
    out(2, 0);
    assert_int_equal(in(IIR) >> 6, 0);
}

static void test_out2_gates_the_line(void **state)
{
    (void)state;
    out(IER, 0x02);
    assert_false(irq.level);
    out(MCR, 0x08);
    assert_true(irq.level);
    out(MCR, 0x18);
    assert_false(irq.level);
}

static void test_thre_interrupt(void **state)
{
    (void)state;
    out(MCR, 0x08);
    out(IER, 0x02);
    assert_int_equal(in(IIR), 0x02);
    assert_int_equal(in(IIR), 0x01); /* reading it was its end */
    assert_false(irq.level);
    out(RBR, 'x');
    assert_true(irq.level);
    assert_int_equal(in(IIR), 0x02);
    out(IER, 0);
    out(IER, 0x02); /* enabling it anew raises it again */
    assert_int_equal(in(IIR), 0x02);
    assert_memory_equal(sent, "x", 1);
}

static void test_full_peer_loses_nothing(void **state)
{
    (void)state;
    out(2, 0x01);
    out(MCR, 0x08);
    out(IER, 0x02);
    in(IIR);
    space = 1;
    for (char c = 'a'; c < 'a' + 16; c++)
        out(RBR, (uint8_t)c);
    assert_int_equal(sent_count, 1);
    assert_int_equal(in(LSR)&0x60, 0);
    assert_false(irq.level);
    space = 5;
    vuart_kick(&uart, 0);
    assert_int_equal(in(LSR)&0x60, 0);
    space = 100;
    uart.dev.ops->tick(&uart.dev, 0);
    assert_int_equal(in(LSR)&0x60, 0x60);
    assert_true(irq.level);
    assert_memory_equal(sent, "abcdefghijklmnop", 16);
    assert_int_equal(sent_count, 16);
}

static void test_64k_each_way(void **state)
{
    static char text[65536];
    uint32_t seed = 3;

    (void)state;
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
    out(2, 0xc1);
    queue = text;
    queued = sizeof text;
    space = 0;
    room(NULL, 0);
    for (unsigned i = 0; i < sizeof text; i++) {
        while (!(in(LSR)&0x20)) { /* the guest waits for THRE, the peer comes round */
            space = 3;
            vuart_kick(&uart, 0);
        }
        assert_int_equal(in(LSR)&1, 1);
        out(RBR, in(RBR));
    }
    space = 100;
    vuart_kick(&uart, 0);
    assert_int_equal(sent_count, sizeof text);
    assert_memory_equal(sent, text, sizeof text);
    assert_int_equal(in(LSR), 0x60);
}

static void test_receive_without_fifo(void **state)
{
    (void)state;
    out(MCR, 0x08);
    out(IER, 0x01);
    receive("a");
    assert_false(vuart_receive(&uart, 'b', 0));
    assert_int_equal(in(IIR), 0x04);
    assert_int_equal(in(LSR), 0x61);
    rooms = 0;
    assert_int_equal(in(RBR), 'a');
    assert_int_equal(rooms, 1);
    assert_int_equal(in(IIR), 0x01);
    assert_int_equal(in(RBR), 0);
}

/* What comes while its interrupt is off is told of as soon as that is on. */
static void test_receive_while_disabled(void **state)
{
    (void)state;
    out(2, 0x01);
    out(MCR, 0x08);
    for (char c = 'a'; c <= 'c'; c++) {
        receive((const char[]){ c, 0 });
        assert_false(irq.level);
        assert_int_equal(in(IIR), 0xc1);
        out(IER, 0x01);
        assert_true(irq.level);
        assert_int_equal(in(IIR), 0xc4);
        out(IER, 0);
        assert_false(irq.level);
    }
    for (char c = 'a'; c <= 'c'; c++)
        assert_int_equal(in(RBR), c);
    assert_int_equal(in(LSR), 0x60);
}

static void test_trigger_levels(void **state)
{
    static const uint8_t levels[4] = { 1, 4, 8, 14 };

    (void)state;
    out(MCR, 0x08);
    out(IER, 0x01);
    for (unsigned t = 0; t < 4; t++) {
        out(2, (uint8_t)(t << 6 | 0x07));
        for (unsigned i = 1; i < levels[t]; i++)
            receive("x");
        assert_false(irq.level);
        receive("x");
        assert_int_equal(in(IIR), 0xc4);
        in(RBR);
        assert_int_equal(in(IIR), 0xc1);
    }
    out(2, 0x03);
    receive("0123456789abcdef");
    assert_false(vuart_receive(&uart, 'g', 0));
}

static void test_receive_timeout(void **state)
{
    /* 115,200 baud, 8N1: four characters of ten bits */
    const uint64_t timeout = 4 * 10 * 16 * 1000000000ull / 1843200;

    (void)state;
    out(LCR, 0x83);
    out(0, 1);
    out(1, 0);
    out(LCR, 0x03);
    out(2, 0x81);
    out(MCR, 0x08);
    out(IER, 0x01);
    vuart_receive(&uart, 'a', 1000);
    vuart_receive(&uart, 'b', 2000);
    assert_int_equal(uart.dev.ops->deadline(&uart.dev), 2000 + timeout);
    uart.dev.ops->tick(&uart.dev, 2000 + timeout - 1);
    assert_false(irq.level);
    uart.dev.ops->tick(&uart.dev, 2000 + timeout);
    assert_true(irq.level);
    assert_int_equal(uart.dev.ops->deadline(&uart.dev), TIME_NEVER);
    assert_int_equal(reg_read(&uart.dev, IIR, 2000 + timeout), 0xcc);
    assert_int_equal(reg_read(&uart.dev, RBR, 2000 + timeout), 'a');
    assert_false(irq.level);
    assert_int_equal(uart.dev.ops->deadline(&uart.dev), 2000 + 2 * timeout);
}

static void test_interrupt_priorities(void **state)
{
    (void)state;
    out(2, 0x01);
    out(MCR, 0x18);
    for (unsigned i = 0; i < 17; i++)
        out(RBR, (uint8_t)i); /* one more than there is room for */
    out(MCR, 0x08);           /* the modem lines have moved */
    out(IER, 0x0f);
    assert_int_equal(in(IIR), 0xc6);
    assert_int_equal(in(LSR), 0x63);
    assert_int_equal(in(LSR), 0x61); /* told once */
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(in(IIR), 0xc4);
        assert_int_equal(in(RBR), i);
    }
    assert_int_equal(in(IIR), 0xc2);
    assert_int_equal(in(IIR), 0xc0);
    assert_true(irq.level);
    in(MSR);
    assert_int_equal(in(IIR), 0xc1);
    assert_false(irq.level);
}

static void test_loopback_data(void **state)
{
    (void)state;
    out(MCR, 0x10);
    out(RBR, 'q');
    assert_int_equal(sent_count, 0);
    assert_int_equal(in(LSR), 0x61);
    assert_false(vuart_receive(&uart, 'z', 0)); /* the cable is cut meanwhile */
    out(RBR, 'r');
    assert_int_equal(in(LSR), 0x63); /* overrun */
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(RBR), 'q');
    rooms = 0;
    out(MCR, 0);
    assert_int_equal(rooms, 1);
}

static void test_loopback_modem(void **state)
{
    static const struct {
        uint8_t mcr, msr;
    } steps[] = {
        { 0x10, 0x0b }, /* CTS, DSR, DCD of the peer fall */
        { 0x11, 0x22 }, /* DTR is DSR */
        { 0x12, 0x13 }, /* RTS is CTS; DSR falls */
        { 0x14, 0x41 }, /* OUT1 is RI, whose rise is no event; CTS falls */
        { 0x18, 0x8c }, /* OUT2 is DCD; RI falls */
        { 0x18, 0x80 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        out(MCR, steps[i].mcr);
        assert_int_equal(in(MSR), steps[i].msr);
    }
}

static void test_fcr_clears(void **state)
{
    (void)state;
    out(2, 0x01);
    receive("abc");
    out(2, 0x03);
    assert_int_equal(in(LSR), 0x60);
    space = 0;
    out(RBR, 'x');
    assert_int_equal(in(LSR), 0x00);
    out(2, 0x05);
    assert_int_equal(in(LSR), 0x60);
    receive("abc");
    out(2, 0x00); /* switching over clears, too */
    assert_int_equal(in(LSR), 0x60);
    receive("a");
    out(2, 0x02); /* means nothing without bit 0 */
    assert_int_equal(in(RBR), 'a');
}

static void test_foreign_accesses(void **state)
{
    (void)state;
    assert_int_equal(uart.dev.ops->read(&uart.dev, 8, 1, 0), UINT32_MAX);
    assert_int_equal(sent_count, 0);
}

static void test_any_bytes(void **state)
{
    uint32_t seed = 11;
    uint64_t now = 0;

    (void)state;
    for (unsigned i = 0; i < 300000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned pick = seed >> 27;
        now += seed >> 8 & 0xffff;
        space = seed >> 12 & 3;
        sent_count = 0;
        if (pick & 1)
            reg_write(&uart.dev, pick >> 1 & 7, (uint8_t)(seed >> 16), now);
        else if (pick & 2)
            reg_read(&uart.dev, pick >> 2, now);
        else
            uart.dev.ops->tick(&uart.dev, now);
    }
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_power_on),
        T(test_plain_registers),
        T(test_linux_finds_a_16550a),
        T(test_out2_gates_the_line),
        T(test_thre_interrupt),
        T(test_full_peer_loses_nothing),
        T(test_64k_each_way),
        T(test_receive_without_fifo),
        T(test_receive_while_disabled),
        T(test_trigger_levels),
        T(test_receive_timeout),
        T(test_interrupt_priorities),
        T(test_loopback_data),
        T(test_loopback_modem),
        T(test_fcr_clears),
        T(test_foreign_accesses),
        T(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
