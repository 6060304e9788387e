/*
 * The registers of a colour adapter's display controller: a kernel that keeps its cursor there
 * reads back where it is. There is no screen behind them.
 *
 * Registers: 0 index (port 0x3D4), 1 data (port 0x3D5).
 */
#ifndef CAISSON_DEVICES_VCRTC_H
#define CAISSON_DEVICES_VCRTC_H

#include <stdint.h>
#include "devices/device.h"

#define VCRTC_REGISTERS 0x19 /* those of a VGA */

struct vcrtc {
    struct device dev;
    uint8_t index;
    uint8_t reg[VCRTC_REGISTERS];
};

void vcrtc_init(struct vcrtc *c);

#endif
