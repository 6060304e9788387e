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

static void received(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len && input_used() < INPUT_BYTES; i++)
        input.byte[input.tail++ % INPUT_BYTES] = data[i];
    if (input_used() > HOLD_AT)
        hold(true);
    feed();
}

static void sent(void)
{
    if (!output_waits || !front)
        return;
    output_waits = false;
    machine_console_kick(&front->machine);
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
    front = d;
    output_waits = false;
    feed();
}

bool console_put(struct domain *d, uint8_t byte)
{
    if (!port || d != front)
        return true;
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
