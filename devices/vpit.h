/*
 * The PC's 8254 interval timer with the system control port that carries channel 2's gate.
 *
 * Registers: 0..2 counters, 3 control word (ports 0x40..0x43), 4 system control (port 0x61).
 *
 * All counts derive from the absolute time, so nothing drifts however late tick() comes. Rising
 * edges of OUT0 that were missed meanwhile are coalesced: a call delivers one edge at most, the
 * others are counted in `missed`, and the next one is due when it would have been anyway.
 */
#ifndef CAISSON_DEVICES_VPIT_H
#define CAISSON_DEVICES_VPIT_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/device.h"

#define VPIT_HZ       1193182 /* 14.31818 MHz / 12 */
#define VPIT_CHANNELS 3

/* Times are input clocks since the domain's start. */
struct vpit_channel {
    uint8_t mode; /* 0..5 */
    uint8_t rw;   /* 1 low byte, 2 high byte, 3 low then high */
    bool bcd;
    bool gate;
    bool loaded;           /* the counting element holds a count of this mode */
    bool counting;         /* false: stopped by the gate, or by half a write */
    int64_t start;         /* clock at which `count` was loaded; moved on over pauses */
    int64_t frozen;        /* clocks counted so far, while not counting */
    uint32_t count;        /* 1..65536, in the counting element */
    uint64_t rises;        /* rising edges of OUT since start that have been seen */
    bool has_next;         /* a count has been written that is not loaded yet */
    uint32_t next;         /* that count, and */
    int64_t next_at;       /* when it will be; INT64_MAX: at the gate's next rising edge */
    uint8_t written_low;   /* first byte of a two-byte write */
    bool write_high;       /* the second is due */
    bool read_high;        /* the second byte of a two-byte read is due */
    uint8_t latched_bytes; /* bytes of `latch` that are still to be read */
    uint16_t latch;
    bool status_latched;
    uint8_t status;
};

struct vpit {
    struct device dev;
    struct line out0;
    bool out0_level; /* as last told to out0 */
    uint8_t control; /* port 0x61, the bits that can be written */
    uint64_t missed; /* edges of OUT0 that were coalesced */
    struct vpit_channel channel[VPIT_CHANNELS];
};

/* After power-on no channel counts before it is programmed. */
void vpit_init(struct vpit *pit, struct line out0, uint64_t now);

#endif
