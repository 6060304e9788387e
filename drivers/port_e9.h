/*
 * Port 0xE9: where Bochs and QEMU take debugging output; nothing on a real machine.
 */
#ifndef CAISSON_DRIVERS_PORT_E9_H
#define CAISSON_DRIVERS_PORT_E9_H

#include <stdbool.h>
#include <stddef.h>

/* Whether somebody listens: the port then reads as its own number. */
bool port_e9_present(void);

/* A log sink. */
void port_e9_write(const char *text, size_t len);

#endif
