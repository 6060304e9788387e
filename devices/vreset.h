/*
 * The chipset's two reset switches.
 *
 * Registers: 0 reset control (port 0xCF9), 1 system control port A (port 0x92: fast A20 and INIT).
 * The A20 bit is kept and changes nothing: the gate is always open.
 */
#ifndef CAISSON_DEVICES_VRESET_H
#define CAISSON_DEVICES_VRESET_H

#include <stdint.h>
#include "devices/device.h"

struct vreset {
    struct device dev;
    struct line reset; /* pulsed: high, then low */
    uint8_t control;   /* port 0xCF9 */
    uint8_t port_a;    /* port 0x92 */
};

void vreset_init(struct vreset *r, struct line reset);

#endif
