/*
 * The machine's serial ports: 16550 at COM1 and COM2.
 *
 * One port may serve two masters: the log writes lines to it (they must come out, even in a
 * panic), a guest's console writes bytes (they may have to wait, but none is lost) and gets what
 * is received.
 */
#ifndef CAISSON_DRIVERS_UART_H
#define CAISSON_DRIVERS_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_TX_BYTES  16384 /* a power of two */
#define UART_LOG_BYTES 4096  /* of these: for the log alone */

#define UART_COM1 0x3F8 /* ports */
#define UART_COM2 0x2F8

struct uart;

/* Finds COM1 or COM2 (com: 1, 2) and sets it to baud, 8 bits, no parity, one stop bit. NULL if
 * nothing answers there. What is written is queued, and goes by and by with later writes and with
 * uart_irq(). Boot only. */
struct uart *uart_open(unsigned com, uint32_t baud);

/* A log sink: to all open ports, with a carriage return before each newline, on a line of its own
 * even if a guest's output stopped in the middle of one. What does not fit waits for the line at
 * boot and in a panic; between, it is left out and counted: locks are held then. */
void uart_write(const char *text, size_t len);

/* Takes as many bytes as there is room for, as they are; returns how many. Never waits. */
size_t uart_try_write(struct uart *u, const void *data, size_t len);

/* fn gets what is received, in uart_irq(). Boot only. */
void uart_on_receive(struct uart *u, void (*fn)(const uint8_t *data, size_t len));

/* fn is called, in uart_irq(), when there is room again after uart_try_write() took less than all.
 * Boot only. */
void uart_on_room(struct uart *u, void (*fn)(void));

/* Asks the other side to pause (RTS off) or to go on. For a reader who runs out of room. */
void uart_hold(struct uart *u, bool hold);

/* From now on a line of the log is on the wire before uart_write() returns: for who looks for
 * a hang. */
void uart_send_at_once(struct uart *u);

/* Leaves what comes to the port, or takes it again: for a reader who has no room at all. */
void uart_stop(struct uart *u, bool stop);

/* From now on nobody waits for the line, whether or not it has an interrupt. */
void uart_never_wait(struct uart *u);

/* The ISA line to route to uart_irq(): 4 or 3. Then uart_use_interrupts(). */
unsigned uart_isa_line(const struct uart *u);
void uart_use_interrupts(struct uart *u);

/* The interrupt of either port. Calling it at other times does no harm: it is polling. */
void uart_irq(void);

/* Sends what the rings hold and polls from now on; takes no lock. For panic and the end. */
void uart_go_polled(void);

#endif
