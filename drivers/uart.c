/*
 * The 16550, with its FIFOs and a transmit ring of our own.
 *
 * Writers put bytes into the ring; the transmitter takes 16 at a time, whenever its FIFO is empty:
 * in the interrupt, or at once when a writer finds it idle. The interrupt is therefore a matter
 * of speed and not of correctness, and the same code works without it. Nobody waits for the line
 * once guests run: guests come again, and the log has a part of the ring for itself. Before that
 * who logs waits when the ring is full, or for each line where uart_send_at_once() was called.
 *
 * Source: PC16550D data sheet (National Semiconductor), "Registers" and "FIFO Interrupt Mode
 * Operation". Lock: one for each port, below the log's.
 */
#include "drivers/uart.h"

#include <stdbool.h>
#include "arch/x86/insn.h"
#include "drivers/tty.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "lib/spinlock.h"

#define CLOCK_BAUD  115200 /* divisor 1 */
#define FIFO_BYTES  16
#define AROUND_LINE 128     /* bytes that may come before a line of the log, and its CR */
#define PATIENCE    1000000 /* polls of a transmitter that never gets empty: give up, do not hang */

enum { REG_DATA, REG_IER, REG_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };
enum { REG_DIVISOR_LOW = 0, REG_DIVISOR_HIGH = 1, REG_IIR = 2 };

#define IER_RX         0x01
#define IER_TX         0x02
#define FCR_ENABLE     0x01
#define FCR_CLEAR      0x06
#define FCR_TRIGGER_8  0x80
#define LCR_8N1        0x03
#define LCR_DIVISOR    0x80
#define MCR_DTR        0x01
#define MCR_RTS        0x02
#define MCR_OUT2       0x08 /* on a PC: lets the interrupt out */
#define LSR_DATA_READY 0x01
#define LSR_TX_EMPTY   0x20 /* room for a FIFO's worth */
#define LSR_TX_IDLE    0x40 /* and the last bit is on the line */
#define LSR_ABSENT     0xFF

struct uart {
    uint16_t port;
    uint8_t isa_line;
    bool open, interrupts, at_once;
    bool never_wait; /* locks are held: what does not fit is left out */
    bool stopped;    /* nobody reads */
    uint8_t ier;     /* as written last */
    unsigned lost;   /* lines of the log */
    struct spinlock lock;
    struct ring tx;
    bool refused;   /* uart_try_write() has turned bytes away since there was room */
    struct tty tty; /* behind somebody's console output */
    void (*receive)(const uint8_t *data, size_t len);
    void (*room)(void);
};

#define UARTS 2
static uint8_t tx_bytes[UARTS][UART_TX_BYTES]; /* each under its port's lock */
static struct uart uarts[UARTS] = {
    { .lock = SPINLOCK_RANK("uart", LOCK_UART),
      .port = UART_COM1,
      .isa_line = 4,
      .tx = RING_IN(tx_bytes[0]) },
    { .lock = SPINLOCK_RANK("uart", LOCK_UART),
      .port = UART_COM2,
      .isa_line = 3,
      .tx = RING_IN(tx_bytes[1]) },
};

static bool unlocked; /* set once, in a panic */

static void uart_lock(struct uart *u)
{
    if (!unlocked)
        spin_lock(&u->lock);
}

static void uart_unlock(struct uart *u)
{
    if (!unlocked)
        spin_unlock(&u->lock);
}

static uint8_t uart_in(const struct uart *u, unsigned reg)
{
    return inb(u->port + reg);
}

static void uart_out(const struct uart *u, unsigned reg, uint8_t value)
{
    outb(u->port + reg, value);
}

static uint32_t uart_queued(const struct uart *u)
{
    return ring_used(&u->tx);
}

/* Fills the transmitter's FIFO if it is empty. The interrupt for "empty again" is asked for only
 * while there is something to send. In a panic another pCPU may empty the ring meanwhile. */
static void uart_push(struct uart *u)
{
    uint8_t byte;

    if (!uart_queued(u) || !(uart_in(u, REG_LSR) & LSR_TX_EMPTY))
        return;
    for (unsigned i = 0; i < FIFO_BYTES && ring_take_any(&u->tx, &byte); i++)
        uart_out(u, REG_DATA, byte);
}

static void uart_ask_for_interrupts(struct uart *u)
{
    uint8_t ier = (u->stopped ? 0 : IER_RX) | (uart_queued(u) ? IER_TX : 0);

    if (u->interrupts && ier != u->ier)
        uart_out(u, REG_IER, u->ier = ier);
}

/* On a PC only an edge makes an interrupt. The chip has one line for all causes: where the next
 * came before the last was served it has not fallen. So it is made to fall. */
static void uart_ask_anew(struct uart *u)
{
    if (u->interrupts)
        uart_out(u, REG_IER, u->ier = 0);
    uart_ask_for_interrupts(u);
}

/* Sends until `most` bytes at most are left, or the port turns out to be dead. */
static void uart_drain(struct uart *u, uint32_t most)
{
    for (unsigned i = 0; uart_queued(u) > most && i < PATIENCE; i++) {
        uint32_t before = uart_queued(u);

        uart_push(u);
        if (uart_queued(u) != before)
            i = 0;
        else
            cpu_relax();
    }
    if (uart_queued(u) > most)
        ring_clear(&u->tx);
}

static void uart_put(struct uart *u, char c)
{
    if (!ring_room(&u->tx))
        uart_drain(u, UART_TX_BYTES - FIFO_BYTES);
    ring_put(&u->tx, (uint8_t)c);
}

/* Up to the next newline in one go, as far as there is room. */
static void uart_put_text(struct uart *u, const char *text, size_t len)
{
    while (len) {
        size_t n = 0;

        while (n < len && text[n] != '\n')
            n++;
        n = ring_write(&u->tx, text, n);
        text += n;
        len -= n;
        if (!len)
            return;
        if (*text == '\n')
            uart_put(u, '\r');
        uart_put(u, *text++);
        len--;
    }
}

static void uart_tell_lost(struct uart *u)
{
    char text[80];
    size_t n = fmt_sn(text, sizeof(text), "%scaisson: %u lines are left out here, `log` has them\n",
                      log_mark(), u->lost);

    uart_put_text(u, text, n);
    u->lost = 0;
}

/* Each newline becomes two bytes, and something may have to come before the line. */
static bool uart_has_room_for(const struct uart *u, size_t len)
{
    return ring_room(&u->tx) >= len + AROUND_LINE;
}

static void uart_write_one(struct uart *u, const char *text, size_t len)
{
    uart_lock(u);
    if (u->never_wait && !uart_has_room_for(u, len)) {
        u->lost++;
        uart_unlock(u);
        return;
    }
    for (const char *s = tty_begin_line(&u->tty); *s; s++)
        uart_put(u, *s);
    if (u->lost)
        uart_tell_lost(u);
    uart_put_text(u, text, len);
    if (u->at_once)
        uart_drain(u, 0);
    else
        uart_push(u);
    uart_ask_for_interrupts(u);
    uart_unlock(u);
}

void uart_write(const char *text, size_t len)
{
    for (unsigned i = 0; i < UARTS; i++) {
        if (uarts[i].open)
            uart_write_one(&uarts[i], text, len);
    }
}

size_t uart_try_write(struct uart *u, const void *data, size_t len)
{
    uart_lock(u);
    uint32_t room = ring_room(&u->tx), most = room > UART_LOG_BYTES ? room - UART_LOG_BYTES : 0;
    size_t taken = ring_write(&u->tx, data, len < most ? len : most);
    u->refused |= taken < len;
    tty_passed(&u->tty, data, taken);
    uart_push(u);
    uart_ask_for_interrupts(u);
    uart_unlock(u);
    return taken;
}

/* Reads what has come. A port that has died says "ready" for ever, hence the bound. */
static size_t uart_pull(struct uart *u, uint8_t *data, size_t size)
{
    size_t n = 0;

    while (n < size && (uart_in(u, REG_LSR) & LSR_DATA_READY))
        data[n++] = uart_in(u, REG_DATA);
    return n;
}

static void uart_serve(struct uart *u)
{
    uint8_t data[4 * FIFO_BYTES];
    size_t n;

    uart_lock(u);
    uart_in(u, REG_IIR); /* ends a transmitter interrupt */
    n = u->stopped ? 0 : uart_pull(u, data, sizeof(data));
    uart_push(u);
    uart_ask_anew(u);
    bool room = u->refused && uart_queued(u) <= UART_TX_BYTES / 2;
    if (room)
        u->refused = false;
    uart_unlock(u);
    if (n && u->receive)
        u->receive(data, n);
    if (room && u->room)
        u->room();
}

void uart_irq(void)
{
    for (unsigned i = 0; i < UARTS; i++) {
        if (uarts[i].open)
            uart_serve(&uarts[i]);
    }
}

/* A register that keeps what is written is somebody; a bus without a device reads as ones. */
static bool uart_present(const struct uart *u)
{
    if (uart_in(u, REG_LSR) == LSR_ABSENT)
        return false;
    uart_out(u, REG_SCRATCH, 0x5A);
    return uart_in(u, REG_SCRATCH) == 0x5A;
}

/* What the FIFO holds is lost when it is cleared, and when an emulator is switched off. */
static void uart_wait_idle(const struct uart *u)
{
    for (unsigned i = 0; i < PATIENCE && !(uart_in(u, REG_LSR) & LSR_TX_IDLE); i++)
        cpu_relax();
}

struct uart *uart_open(unsigned com, uint32_t baud)
{
    struct uart *u = &uarts[com - 1];
    uint32_t divisor = baud && baud <= CLOCK_BAUD ? CLOCK_BAUD / baud : 1;

    ASSERT(com >= 1 && com <= UARTS);
    if (divisor > UINT16_MAX || !uart_present(u))
        return NULL;
    uart_wait_idle(u);
    uart_out(u, REG_IER, u->ier = 0);
    uart_out(u, REG_LCR, LCR_DIVISOR | LCR_8N1);
    uart_out(u, REG_DIVISOR_LOW, divisor & 0xFF);
    uart_out(u, REG_DIVISOR_HIGH, divisor >> 8);
    uart_out(u, REG_LCR, LCR_8N1);
    uart_out(u, REG_FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_8);
    uart_out(u, REG_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
    u->tty = (struct tty){ 0 };
    u->open = true;
    return u;
}

void uart_on_receive(struct uart *u, void (*fn)(const uint8_t *data, size_t len))
{
    u->receive = fn;
}

void uart_on_room(struct uart *u, void (*fn)(void))
{
    u->room = fn;
}

void uart_stop(struct uart *u, bool stop)
{
    uart_lock(u);
    u->stopped = stop;
    uart_ask_for_interrupts(u);
    uart_unlock(u);
}

void uart_never_wait(struct uart *u)
{
    u->never_wait = true;
    u->at_once = false;
}

void uart_hold(struct uart *u, bool hold)
{
    uart_lock(u);
    uart_out(u, REG_MCR, MCR_DTR | MCR_OUT2 | (hold ? 0 : MCR_RTS));
    uart_unlock(u);
}

unsigned uart_isa_line(const struct uart *u)
{
    return u->isa_line;
}

void uart_send_at_once(struct uart *u)
{
    uart_lock(u);
    u->at_once = true;
    uart_drain(u, 0);
    uart_unlock(u);
}

void uart_use_interrupts(struct uart *u)
{
    uart_lock(u);
    u->interrupts = true;
    uart_ask_for_interrupts(u);
    uart_unlock(u);
}

void uart_go_polled(void)
{
    unlocked = true;
    for (unsigned i = 0; i < UARTS; i++) {
        uarts[i].interrupts = uarts[i].never_wait = false;
        uarts[i].at_once = true;
        if (!uarts[i].open)
            continue;
        uart_out(&uarts[i], REG_IER, 0);
        uart_drain(&uarts[i], 0);
        uart_wait_idle(&uarts[i]);
    }
}
