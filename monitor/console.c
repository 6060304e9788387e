/*
 * The operator's console. See monitor/console.h.
 */
#include "monitor/console.h"
#include <stddef.h>
#include "domain/domain.h"
#include "drivers/uart.h"

/* Holds a whole paste: the far end need not know of flow control for 64 KiB to arrive. */
#define INPUT_BYTES 131072 /* a power of two */
#define HOLD_AT     (INPUT_BYTES - INPUT_BYTES / 4)
#define RELEASE_AT  (INPUT_BYTES / 2)

static struct uart *port; /* boot only */
static struct domain *front;
static bool held;         /* RTS is off */
static bool output_waits; /* the port refused a byte of the domain's */
static struct {
    uint8_t byte[INPUT_BYTES];
    uint32_t head, tail; /* tail is written at; both run on */
} input;

static uint32_t input_used(void)
{
    return input.tail - input.head;
}

static void hold(bool on)
{
    if (on != held)
        uart_hold(port, on);
    held = on;
}

/* Gives the guest as much of the input as its UART takes. */
static void feed(void)
{
    while (front && input_used() &&
           machine_console_give(&front->machine, input.byte[input.head % INPUT_BYTES]))
        input.head++;
    if (input_used() < RELEASE_AT)
        hold(false);
}

/* The same from outside the domain: its lock is taken, as before all of the console's work. */
static void feed_from_outside(void)
{
    struct domain *d = front;

    if (!d)
        return;
    spin_lock(&d->lock);
    feed();
    spin_unlock(&d->lock);
}

static void received(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len && input_used() < INPUT_BYTES; i++)
        input.byte[input.tail++ % INPUT_BYTES] = data[i];
    if (input_used() > HOLD_AT)
        hold(true);
    feed_from_outside();
}

static void sent(void)
{
    if (!output_waits || !front)
        return;
    output_waits = false;
    spin_lock(&front->lock);
    machine_console_kick(&front->machine);
    spin_unlock(&front->lock);
}

void console_init(struct uart *u)
{
    port = u;
    if (!u)
        return;
    uart_on_receive(u, received);
    uart_on_room(u, sent);
}

void console_attach(struct domain *d)
{
    if (front)
        return;
    front = d;
    output_waits = false;
    feed_from_outside();
}

/* The next one comes to the front; what it wanted to say waits in its UART. */
void console_detach(struct domain *d)
{
    if (front != d)
        return;
    front = domain_next(NULL) == d ? domain_next(d) : domain_next(NULL);
    output_waits = true;
    sent();
    feed_from_outside();
}

bool console_put(struct domain *d, uint8_t byte)
{
    if (!port)
        return true;
    if (d != front)
        return false;
    if (uart_try_write(port, &byte, 1))
        return true;
    output_waits = true;
    return false;
}

void console_room(struct domain *d)
{
    if (d == front)
        feed();
}
