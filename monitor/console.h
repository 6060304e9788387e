/*
 * The operator's console: the machine's serial line, lent to the domain in front.
 *
 * What the domain sends to its COM1 goes out as it is; what the operator types goes to its COM1.
 * Nothing is lost in either direction: a full transmitter holds the guest's UART up, and what the
 * guest is slow to read waits here, at last with RTS off.
 *
 * All of it runs on the boot CPU, from VM exits, idle, and the serial port's interrupt; no lock.
 */
#ifndef CAISSON_MONITOR_CONSOLE_H
#define CAISSON_MONITOR_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

struct domain;
struct uart;

/* u: the port; NULL where the machine has none: output goes nowhere then. Boot only. */
void console_init(struct uart *u);
/* A domain comes to the front if nobody is there, and goes; what is typed meanwhile is kept. */
void console_attach(struct domain *d);
void console_detach(struct domain *d);

/* Hooks of domain/domain.h. */
bool console_put(struct domain *d, uint8_t byte);
void console_room(struct domain *d);

#endif
