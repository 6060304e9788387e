/*
 * A 16550A UART. Source: National Semiconductor, "PC16550D Universal Asynchronous
 * Receiver/Transmitter with FIFOs"; that OUT2 gates the interrupt is the PC's wiring.
 */
#include "devices/vuart.h"

#define UART_HZ 1843200 /* the crystal; a bit takes 16 * divisor of its clocks */

#define IER_RX   0x01
#define IER_THRE 0x02
#define IER_LINE 0x04
#define IER_MSR  0x08
#define IER_BITS 0x0f

#define IIR_NONE    0x01
#define IIR_MSR     0x00
#define IIR_THRE    0x02
#define IIR_RX      0x04
#define IIR_LINE    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO    0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_BITS     0xc9 /* that are kept */

#define LCR_DLAB 0x80

#define MCR_OUT2     0x08
#define MCR_LOOPBACK 0x10
#define MCR_BITS     0x1f

#define LSR_READY   0x01
#define LSR_OVERRUN 0x02
#define LSR_THRE    0x20
#define LSR_EMPTY   0x40

#define MSR_CTS  0x10
#define MSR_DSR  0x20
#define MSR_RI   0x40
#define MSR_DCD  0x80
#define MSR_PEER (MSR_CTS | MSR_DSR | MSR_DCD) /* the other side is always there */
#define MSR_TERI 0x04                          /* the delta bit that only RI's falling edge sets */

static const uint8_t trigger_levels[4] = { 1, 4, 8, 14 };

static bool fifo_enabled(const struct vuart *u)
{
    return u->fcr & FCR_ENABLE;
}

/* Without FIFOs there is one holding register each way. */
static unsigned capacity(const struct vuart *u)
{
    return fifo_enabled(u) ? VUART_FIFO : 1;
}

/* ---- Status ---- */

static uint8_t line_status(const struct vuart *u)
{
    uint8_t lsr = u->overrun;

    if (u->rx.count)
        lsr |= LSR_READY;
    if (u->tx.count == 0)
        lsr |= LSR_THRE | LSR_EMPTY;
    return lsr;
}

/* The modem inputs: in loopback the four outputs come back, DTR as DSR and RTS as CTS. */
static uint8_t modem_inputs(uint8_t mcr)
{
    if (!(mcr & MCR_LOOPBACK))
        return MSR_PEER;
    return (mcr & 0x01 ? MSR_DSR : 0) | (mcr & 0x02 ? MSR_CTS : 0) | (mcr & 0x0c) << 4;
}

static unsigned trigger(const struct vuart *u)
{
    return fifo_enabled(u) ? trigger_levels[u->fcr >> 6] : 1;
}

/* What IIR says, less the FIFO bits: the pending interrupt of the highest priority. */
static uint8_t interrupt(const struct vuart *u)
{
    if ((u->ier & IER_LINE) && u->overrun)
        return IIR_LINE;
    if ((u->ier & IER_RX) && u->rx.count >= trigger(u))
        return IIR_RX;
    if ((u->ier & IER_RX) && u->timed_out)
        return IIR_TIMEOUT;
    if ((u->ier & IER_THRE) && u->thre_irq)
        return IIR_THRE;
    if ((u->ier & IER_MSR) && u->msr_delta)
        return IIR_MSR;
    return IIR_NONE;
}

static void update(struct vuart *u)
{
    bool gate = (u->mcr & (MCR_OUT2 | MCR_LOOPBACK)) == MCR_OUT2;
    bool level = gate && interrupt(u) != IIR_NONE;

    if (level == u->irq_level)
        return;
    u->irq_level = level;
    line_set(&u->irq, level);
}

/* Four characters, as the guest has set speed and format. */
static uint64_t timeout_ns(const struct vuart *u)
{
    uint64_t bits = 7 + (u->lcr & 3) + (u->lcr >> 2 & 1) + (u->lcr >> 3 & 1);
    uint64_t divisor = u->divisor ? u->divisor : 1;

    return 4 * bits * divisor * 16 * 1000000000 / UART_HZ;
}

static bool timeout_runs(const struct vuart *u)
{
    return fifo_enabled(u) && u->rx.count && !u->timed_out;
}

static void check_timeout(struct vuart *u, uint64_t now)
{
    if (timeout_runs(u) && now - u->rx_at >= timeout_ns(u))
        u->timed_out = true;
}

/* ---- Sending and receiving ---- */

static bool looping(const struct vuart *u)
{
    return u->mcr & MCR_LOOPBACK;
}

static void take_in(struct vuart *u, uint8_t byte, uint64_t now)
{
    vuart_fifo_push(&u->rx, byte);
    u->rx_at = now;
    u->timed_out = false;
}

/* In loopback bytes arrive whether there is room or not: the one way to an overrun. */
static void loop_back(struct vuart *u, uint8_t byte, uint64_t now)
{
    if (u->rx.count < capacity(u))
        take_in(u, byte, now);
    else
        u->overrun = LSR_OVERRUN;
}

static bool send(struct vuart *u, uint8_t byte, uint64_t now)
{
    if (looping(u))
        loop_back(u, byte, now);
    else if (u->peer.transmit)
        return u->peer.transmit(u->peer.ctx, byte);
    return true;
}

/* Sends what the peer takes. */
static void drain(struct vuart *u, uint64_t now)
{
    if (u->tx.count == 0)
        return;
    while (u->tx.count && send(u, vuart_fifo_head(&u->tx), now))
        vuart_fifo_pop(&u->tx);
    if (u->tx.count == 0)
        u->thre_irq = true;
}

static bool can_receive(const struct vuart *u)
{
    return !looping(u) && u->rx.count < capacity(u);
}

static void make_room(struct vuart *u, uint64_t now)
{
    if (u->peer.room && can_receive(u))
        u->peer.room(u->peer.ctx, now);
}

bool vuart_receive(struct vuart *u, uint8_t byte, uint64_t now)
{
    if (!can_receive(u))
        return false;
    take_in(u, byte, now);
    update(u);
    return true;
}

void vuart_kick(struct vuart *u, uint64_t now)
{
    drain(u, now);
    update(u);
}

/* ---- Registers ---- */

/* The receive FIFO's next byte; an empty one reads 0. */
static uint8_t read_rbr(struct vuart *u, uint64_t now)
{
    uint8_t byte = u->rx.count ? vuart_fifo_pop(&u->rx) : 0;

    u->timed_out = false;
    u->rx_at = now;
    update(u);
    make_room(u, now);
    return byte;
}

static uint8_t read_iir(struct vuart *u)
{
    uint8_t id = interrupt(u);

    if (id == IIR_THRE)
        u->thre_irq = false; /* reading is its acknowledgement */
    return id | (fifo_enabled(u) ? IIR_FIFO : 0);
}

/* Reading forgets the overrun, and only then has anything changed: a guest asks for this register
 * before every byte that it sends. */
static uint8_t read_lsr(struct vuart *u)
{
    uint8_t lsr = line_status(u);

    if (u->overrun) {
        u->overrun = 0;
        update(u);
    }
    return lsr;
}

static uint8_t read_msr(struct vuart *u)
{
    uint8_t msr = modem_inputs(u->mcr) | u->msr_delta;

    u->msr_delta = 0;
    return msr;
}

static uint8_t read_register(struct vuart *u, uint32_t offset, uint64_t now)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (offset) {
    case 0:
        return dlab ? (uint8_t)u->divisor : read_rbr(u, now);
    case 1:
        return dlab ? u->divisor >> 8 : u->ier;
    case 2:
        return read_iir(u);
    case 3:
        return u->lcr;
    case 4:
        return u->mcr;
    case 6:
        return read_msr(u);
    default:
        return u->scr;
    }
}

/* Only a guest that does not wait for THRE finds the transmitter full; its byte is lost then, as
 * on the chip. */
static void write_thr(struct vuart *u, uint8_t byte, uint64_t now)
{
    u->thre_irq = false;
    if (u->tx.count < capacity(u))
        vuart_fifo_push(&u->tx, byte);
    drain(u, now);
}

/* Enabling the THRE interrupt while the transmitter is empty raises it at once. */
static void write_ier(struct vuart *u, uint8_t value)
{
    bool enables_thre = value & ~u->ier & IER_THRE;

    u->ier = value & IER_BITS;
    if (enables_thre && u->tx.count == 0)
        u->thre_irq = true;
}

static void clear_rx(struct vuart *u)
{
    u->rx.count = 0;
    u->timed_out = false;
}

static void clear_tx(struct vuart *u)
{
    if (u->tx.count)
        u->thre_irq = true;
    u->tx.count = 0;
}

/* Switching the FIFOs on or off clears them; the other bits count only with bit 0 set. */
static void write_fcr(struct vuart *u, uint8_t value, uint64_t now)
{
    bool toggles = (value ^ u->fcr) & FCR_ENABLE;
    bool on = value & FCR_ENABLE;

    if (toggles || (on && (value & FCR_CLEAR_RX)))
        clear_rx(u);
    if (toggles || (on && (value & FCR_CLEAR_TX)))
        clear_tx(u);
    u->fcr = on ? value & FCR_BITS : 0;
    update(u);
    make_room(u, now);
}

static void write_mcr(struct vuart *u, uint8_t value, uint64_t now)
{
    uint8_t before = modem_inputs(u->mcr);
    bool leaves_loop = looping(u) && !(value & MCR_LOOPBACK);

    u->mcr = value & MCR_BITS;
    uint8_t after = modem_inputs(u->mcr);
    u->msr_delta |= (before ^ after) >> 4 & ~MSR_TERI;
    if (before & ~after & MSR_RI)
        u->msr_delta |= MSR_TERI;
    update(u);
    if (leaves_loop)
        make_room(u, now);
}

static void set_divisor(struct vuart *u, uint16_t mask, uint16_t value)
{
    u->divisor = (u->divisor & ~mask) | value;
}

static void write_register(struct vuart *u, uint32_t offset, uint8_t value, uint64_t now)
{
    bool dlab = u->lcr & LCR_DLAB;

    switch (offset) {
    case 0:
        if (dlab)
            set_divisor(u, 0x00ff, value);
        else
            write_thr(u, value, now);
        break;
    case 1:
        if (dlab)
            set_divisor(u, 0xff00, (uint16_t)(value << 8));
        else
            write_ier(u, value);
        break;
    case 2:
        write_fcr(u, value, now);
        break;
    case 3:
        u->lcr = value;
        break;
    case 4:
        write_mcr(u, value, now);
        break;
    case 7:
        u->scr = value;
        break;
    default: /* LSR and MSR are written in factory tests only */
        break;
    }
}

static __attribute__((noinline)) uint32_t read_other(struct vuart *u, uint32_t offset, uint64_t now)
{
    if (offset > 7)
        return UINT32_MAX;
    if (offset == 5)
        return read_lsr(u);
    check_timeout(u, now);
    uint8_t value = read_register(u, offset, now);
    update(u);
    return value;
}

/* Before each byte that it sends a guest asks for the LSR, mostly with nothing received. */
static uint32_t vuart_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vuart *u = container_of(dev, struct vuart, dev);

    (void)size;
    if (offset == 5 && !u->rx.count && !u->overrun)
        return u->tx.count ? 0 : LSR_THRE | LSR_EMPTY;
    return read_other(u, offset, now);
}

static void vuart_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                        uint64_t now)
{
    struct vuart *u = container_of(dev, struct vuart, dev);

    (void)size;
    if (offset > 7)
        return;
    check_timeout(u, now);
    write_register(u, offset, (uint8_t)value, now);
    update(u);
}

static void vuart_tick(struct device *dev, uint64_t now)
{
    struct vuart *u = container_of(dev, struct vuart, dev);

    check_timeout(u, now);
    vuart_kick(u, now);
}

/* The receive time-out, if it would be noticed. A full peer is no deadline: it kicks. */
static uint64_t vuart_deadline(const struct device *dev)
{
    const struct vuart *u = container_of(dev, struct vuart, dev);

    if (!(u->ier & IER_RX) || !timeout_runs(u) || u->rx.count >= trigger(u))
        return TIME_NEVER;
    return u->rx_at + timeout_ns(u);
}

/* Power-on state. Bytes that wait to be sent are not lost with it: they were sent before. */
static void vuart_reset(struct device *dev, uint64_t now)
{
    struct vuart *u = container_of(dev, struct vuart, dev);
    struct vuart fresh = { .dev = u->dev,
                           .irq = u->irq,
                           .irq_level = u->irq_level,
                           .peer = u->peer,
                           .tx = u->tx,
                           .divisor = 12,
                           .rx_at = now };

    *u = fresh;
    update(u);
}

static const struct device_ops ops = {
    .read = vuart_read,
    .write = vuart_write,
    .tick = vuart_tick,
    .deadline = vuart_deadline,
    .reset = vuart_reset,
    .timeless = 1u << 5, /* LSR */
};

void vuart_init(struct vuart *u, struct line irq, const struct vuart_peer *peer)
{
    *u = (struct vuart){ .dev.ops = &ops, .irq = irq, .peer = *peer };
    vuart_reset(&u->dev, 0);
}
