/*
 * The PC's 8254 interval timer with the system control port that carries channel 2's gate.
 *
 * Registers: 0..2 counters, 3 control word (ports 0x40..0x43), 4 system control (port 0x61).
 *
 * All counts derive from the absolute time, so nothing drifts however late tick() comes. Rising
 * edges of OUT0 that were missed meanwhile are coalesced: a call delivers one edge at most, and the
 * next one is due when it would have been anyway.
 */
#ifndef CAISSON_DEVICES_VPIT_H
#define CAISSON_DEVICES_VPIT_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/device.h"
#include "devices/vpit_channel.h"

#define VPIT_HZ       1193182 /* 14.31818 MHz / 12 */
#define VPIT_CHANNELS 3

struct vpit {
    struct device dev;
    struct line out0;
    bool out0_level; /* as last told to out0 */
    uint8_t control; /* port 0x61, the bits that can be written */
    int64_t settled; /* the first clock at which OUT0 rises or a count is loaded, after the last */
    struct vpit_channel channel[VPIT_CHANNELS];
};

/* After power-on no channel counts before it is programmed. */
void vpit_init(struct vpit *pit, struct line out0, uint64_t now);

#endif
