/* links: drivers/tty.c drivers/uart.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The serial driver against a pretended 16550: registers, FIFO, ring, back-pressure, a dead port.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include "arch/x86/insn.h"
#include "drivers/uart.h"

#define COM1 0x3F8

/* What the line has seen, and the chip. `busy`: reads of LSR until the transmitter is empty. */
static char line[65536];
static size_t line_length;
static struct {
    uint8_t reg[8], divisor_low, divisor_high;
    unsigned fifo, busy, overruns;
    uint8_t rx[256];
    unsigned rx_count, rx_at;
    int absent, dead;
    bool tx_cause; /* THRE has come, and nobody has cleared it */
    bool late;     /* a byte comes as soon as the FIFO has been found empty */
    bool asking;   /* its line to the interrupt controller, which counts edges */
    unsigned edges;
} chip;

static unsigned ports_read;

static uint8_t chip_lsr(void)
{
    uint8_t lsr = chip.rx_at < chip.rx_count ? 0x01 : 0;

    if (chip.dead)
        return lsr;
    if (chip.busy && --chip.busy == 0) {
        chip.fifo = 0;
        chip.tx_cause = true;
    }
    return lsr | (chip.fifo ? 0 : 0x60);
}

/* One line for all causes. */
static void chip_ask(void)
{
    bool rx = chip.rx_at < chip.rx_count;
    bool asking = (chip.reg[1] & 1 && rx) || (chip.reg[1] & 2 && chip.tx_cause);

    chip.edges += asking && !chip.asking;
    chip.asking = asking;
}

static uint32_t chip_read(unsigned reg)
{
    uint8_t lsr;

    if (reg == 0)
        return chip.rx[chip.rx_at++];
    if (reg == 2 && chip.rx_at == chip.rx_count) /* it tells what is received before THRE */
        chip.tx_cause = false;
    if (reg != 5)
        return chip.reg[reg];
    lsr = chip_lsr();
    if (chip.late && !(lsr & 0x01)) {
        chip.late = false;
        chip.rx_count++;
    }
    return lsr;
}

static uint32_t chip_in(uint16_t port, unsigned size)
{
    unsigned reg = port - COM1;
    uint32_t value;

    assert_int_equal(size, 1);
    ports_read++;
    if (reg > 7 || chip.absent)
        return 0xFF;
    value = chip_read(reg);
    chip_ask();
    return value;
}

static void chip_transmit(uint8_t byte)
{
    if (chip.fifo == 16)
        chip.overruns++;
    chip.fifo++;
    chip.tx_cause = false;
    chip.busy = 3;
    if (line_length < sizeof(line))
        line[line_length++] = (char)byte;
}

static void chip_out(uint16_t port, unsigned size, uint32_t value)
{
    unsigned reg = port - COM1;
    int divisor = chip.reg[3] & 0x80;

    assert_int_equal(size, 1);
    if (reg > 7)
        return;
    if (reg == 0 && divisor)
        chip.divisor_low = (uint8_t)value;
    else if (reg == 1 && divisor)
        chip.divisor_high = (uint8_t)value;
    else if (reg == 0)
        chip_transmit((uint8_t)value);
    else {
        chip.tx_cause |= reg == 1 && (value & ~chip.reg[1] & 2) && !chip.fifo;
        chip.reg[reg] = (uint8_t)value;
    }
    chip_ask();
}

static int chip_new(void **state)
{
    (void)state;
    memset(&chip, 0, sizeof(chip));
    line_length = 0;
    fake_in = chip_in;
    fake_out = chip_out;
    return 0;
}

static void opens_with_the_right_line_settings(void **state)
{
    (void)state;
    assert_non_null(uart_open(1, 9600));
    assert_int_equal(chip.divisor_low, 12);
    assert_int_equal(chip.divisor_high, 0);
    assert_int_equal(chip.reg[3], 0x03);
    assert_int_equal(chip.reg[1], 0);
    assert_int_equal(chip.reg[2] & 0x01, 0x01);
    assert_int_equal(chip.reg[4], 0x0B);
    assert_non_null(uart_open(1, 110));
    assert_int_equal(chip.divisor_high << 8 | chip.divisor_low, 1047);
}

static void notices_an_absent_port(void **state)
{
    (void)state;
    assert_null(uart_open(2, 115200));
    chip.absent = 1;
    assert_null(uart_open(1, 115200));
}

static void refuses_a_rate_that_does_not_fit(void **state)
{
    (void)state;
    assert_null(uart_open(1, 1));
    assert_non_null(uart_open(1, 115200));
}

static void polled_lines_come_out_whole(void **state)
{
    static const char text[] = "a line that is longer than one FIFO holds\nsecond\n";
    static const char want[] = "a line that is longer than one FIFO holds\r\nsecond\r\n";

    (void)state;
    uart_send_at_once(uart_open(1, 115200));
    uart_write(text, strlen(text));
    assert_int_equal(line_length, strlen(want));
    assert_memory_equal(line, want, strlen(want));
    assert_int_equal(chip.overruns, 0);
}

/* Until there are interrupts the line goes on with whatever is done next; and in a panic. */
static void early_lines_wait_in_the_ring(void **state)
{
    (void)state;
    uart_open(1, 115200);
    uart_write("0123456789abcdef, and more\n", 27);
    assert_int_equal(line_length, 16);
    assert_int_equal(chip.reg[1], 0);
    uart_write("x\n", 2);
    assert_int_equal(line_length, 16); /* the FIFO is not empty yet */
    for (unsigned i = 0; i < 10; i++)
        uart_irq();
    assert_int_equal(line_length, 31);
    assert_memory_equal(line, "0123456789abcdef, and more\r\nx\r\n", 31);
    assert_int_equal(chip.overruns, 0);
}

static void asks_for_tx_interrupts_while_it_has_bytes_only(void **state)
{
    struct uart *u = uart_open(1, 115200);

    (void)state;
    uart_use_interrupts(u);
    assert_int_equal(chip.reg[1], 0x01);
    assert_int_equal(uart_try_write(u, "0123456789abcdefXYZ", 19), 19);
    assert_int_equal(line_length, 16);
    assert_int_equal(chip.reg[1], 0x03);
    chip.busy = 0;
    chip.fifo = 0;
    uart_irq();
    assert_int_equal(line_length, 19);
    assert_int_equal(chip.reg[1], 0x01);
    assert_memory_equal(line, "0123456789abcdefXYZ", 19);
}

/* Bytes that are not taken are the caller's to bring again; taken ones come out in order. */
static void full_ring_pushes_back_and_loses_nothing(void **state)
{
    struct uart *u = uart_open(1, 115200);
    static char data[3 * UART_TX_BYTES];
    size_t sent = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 31 + i / 256);
    uart_use_interrupts(u);
    chip.dead = 1;
    sent = uart_try_write(u, data, sizeof(data));
    assert_int_equal(sent, UART_TX_BYTES - UART_LOG_BYTES);
    assert_int_equal(uart_try_write(u, data, 1), 0);
    chip.dead = 0;
    while (sent < sizeof(data) || line_length < sizeof(data)) {
        uart_irq();
        sent += uart_try_write(u, data + sent, sizeof(data) - sent);
    }
    assert_memory_equal(line, data, sizeof(data));
    assert_int_equal(chip.overruns, 0);
}

/* Guests that fill their part leave the log its own; when that is full too, lines are counted.
 * However slow the line is, nobody looks at the port more than a few times: locks are held
 * meanwhile. */
static void nobody_waits_while_guests_run(void **state)
{
    struct uart *u = uart_open(1, 115200);
    static char data[UART_TX_BYTES];
    unsigned most = 0, lines = 0;

    (void)state;
    memset(data, 'g', sizeof(data));
    uart_use_interrupts(u);
    uart_never_wait(u);
    chip.dead = 1;
    ports_read = 0;
    assert_int_equal(uart_try_write(u, data, sizeof(data)), UART_TX_BYTES - UART_LOG_BYTES);
    assert_in_range(ports_read, 1, 2);
    for (; lines < 100; lines++) {
        ports_read = 0;
        uart_write("a line of the log that takes fifty bytes, about so\n", 51);
        most = most < ports_read ? ports_read : most;
    }
    assert_in_range(most, 1, 2);
    chip.dead = 0;
    while (line_length < UART_TX_BYTES - UART_LOG_BYTES + 3000)
        uart_irq();
    for (unsigned i = 0; i < 1000; i++)
        uart_irq();
    size_t before = line_length;
    uart_write("seen\n", 5);
    for (unsigned i = 0; i < 100; i++)
        uart_irq();
    unsigned shown = (unsigned)(before - (UART_TX_BYTES - UART_LOG_BYTES) - 2) / 52;
    char want[128];
    int n = snprintf(want, sizeof(want),
                     "[1234] caisson: %u lines are left out here, `log` has them\r\nseen\r\n",
                     100 - shown);
    assert_in_range(shown, 70, 79);
    assert_int_equal(line_length - before, n);
    assert_memory_equal(line + before, want, (size_t)n);
}

static void log_waits_where_guests_do_not(void **state)
{
    struct uart *u = uart_open(1, 115200);
    static char data[UART_TX_BYTES - UART_LOG_BYTES];

    (void)state;
    memset(data, 'g', sizeof(data));
    uart_use_interrupts(u);
    chip.dead = 1;
    assert_int_equal(uart_try_write(u, data, sizeof(data)), sizeof(data));
    chip.dead = 0;
    uart_write("log\n", 4);
    uart_go_polled();
    assert_int_equal(line_length, sizeof(data) + 7); /* the guest was in the middle of a line */
    assert_memory_equal(line + sizeof(data), "\r\nlog\r\n", 7);
}

static void dead_transmitter_does_not_hang(void **state)
{
    (void)state;
    uart_send_at_once(uart_open(1, 115200));
    chip.dead = 1;
    uart_write("never seen\n", 11);
    assert_int_equal(line_length, 0);
}

static uint8_t got[256];
static size_t got_length;

static void receive(const uint8_t *data, size_t len)
{
    memcpy(got + got_length, data, len);
    got_length += len;
}

static void hands_over_what_is_received(void **state)
{
    struct uart *u = uart_open(1, 115200);

    (void)state;
    uart_on_receive(u, receive);
    for (unsigned i = 0; i < sizeof(chip.rx); i++)
        chip.rx[i] = (uint8_t)i;
    chip.rx_count = 200;
    for (unsigned i = 0; i < 4; i++)
        uart_irq();
    assert_int_equal(got_length, 200);
    assert_memory_equal(got, chip.rx, 200);
    uart_hold(u, true);
    assert_int_equal(chip.reg[4] & 0x02, 0);
    uart_hold(u, false);
    assert_int_equal(chip.reg[4] & 0x02, 0x02);
}

/* A reader without room gets nothing, and the chip is not asked; later all is there. */
static void stopped_reader_loses_nothing(void **state)
{
    struct uart *u = uart_open(1, 115200);

    (void)state;
    uart_on_receive(u, receive);
    uart_use_interrupts(u);
    got_length = 0;
    chip.rx_count = 10;
    uart_stop(u, true);
    assert_int_equal(chip.reg[1], 0);
    uart_irq();
    assert_int_equal(chip.rx_at, 0);
    uart_stop(u, false);
    assert_int_equal(chip.reg[1], 0x01);
    uart_irq();
    assert_int_equal(got_length, 10);
}

/* A byte that comes once all have been read, while the transmitter still has the line up: the line
 * does not fall when that has been served, and the controller looks at edges only. */
static void late_byte_makes_an_edge(void **state)
{
    struct uart *u = uart_open(1, 115200);

    (void)state;
    uart_on_receive(u, receive);
    uart_use_interrupts(u);
    got_length = 0;
    assert_int_equal(uart_try_write(u, "0123456789abcdefXYZ", 19), 19);
    chip.busy = chip.fifo = 0;
    chip.tx_cause = chip.late = true;
    chip.rx_count = 1;
    chip_ask();
    assert_int_equal(chip.edges, 1);
    uart_irq();
    assert_int_equal(line_length, 19);
    assert_int_equal(got_length, 1);
    assert_int_equal(chip.edges, 2);
    uart_irq();
    assert_int_equal(got_length, 2);
    assert_false(chip.asking);
}

/* A transmitter that is always empty, and keeps nothing that two could disagree about. */
static uint32_t fast_in(uint16_t port, unsigned size)
{
    (void)size;
    return port - COM1 == 5 ? 0x60 : 0;
}

static void fast_out(uint16_t port, unsigned size, uint32_t value)
{
    (void)port;
    (void)size;
    (void)value;
}

static void *write_lines(void *unused)
{
    for (unsigned i = 0; i < 100000; i++)
        uart_write("some words of one\n", 18);
    return unused;
}

/* In a panic nobody asks for locks, and another pCPU may be writing still: bytes may come twice or
 * be lost, but nothing panics anew. */
static void two_write_in_a_panic(void **state)
{
    pthread_t other;

    (void)state;
    uart_open(1, 115200);
    fake_in = fast_in;
    fake_out = fast_out;
    uart_go_polled();
    assert_int_equal(pthread_create(&other, NULL, write_lines, NULL), 0);
    write_lines(NULL);
    assert_int_equal(pthread_join(other, NULL), 0);
}

int main(void)
{
    /* uart_go_polled() is for good, and so nearly is uart_send_at_once(): hence the order. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(opens_with_the_right_line_settings, chip_new),
        cmocka_unit_test_setup(notices_an_absent_port, chip_new),
        cmocka_unit_test_setup(refuses_a_rate_that_does_not_fit, chip_new),
        cmocka_unit_test_setup(early_lines_wait_in_the_ring, chip_new),
        cmocka_unit_test_setup(polled_lines_come_out_whole, chip_new),
        cmocka_unit_test_setup(dead_transmitter_does_not_hang, chip_new),
        cmocka_unit_test_setup(asks_for_tx_interrupts_while_it_has_bytes_only, chip_new),
        cmocka_unit_test_setup(full_ring_pushes_back_and_loses_nothing, chip_new),
        cmocka_unit_test_setup(hands_over_what_is_received, chip_new),
        cmocka_unit_test_setup(stopped_reader_loses_nothing, chip_new),
        cmocka_unit_test_setup(late_byte_makes_an_edge, chip_new),
        cmocka_unit_test_setup(nobody_waits_while_guests_run, chip_new),
        cmocka_unit_test_setup(log_waits_where_guests_do_not, chip_new),
        cmocka_unit_test_setup(two_write_in_a_panic, chip_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
