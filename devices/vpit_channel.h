/*
 * One channel of the 8254: counting element, gate, OUT, and what a guest reads of them.
 *
 * Times are input clocks since the domain's start. Whoever asks a channel for something at clock t
 * has brought it there with vpit_channel_advance(); to read it, it is enough that no count is to be
 * loaded by then.
 */
#ifndef CAISSON_DEVICES_VPIT_CHANNEL_H
#define CAISSON_DEVICES_VPIT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#define VPIT_NEVER INT64_MAX

struct vpit_channel {
    uint8_t mode; /* 0..5 */
    uint8_t rw;   /* 1 low byte, 2 high byte, 3 low then high */
    bool bcd;
    bool gate;
    bool loaded;         /* the counting element holds a count of this mode */
    bool counting;       /* false: stopped by the gate, or by half a write */
    int64_t start;       /* clock at which `count` was loaded; moved on over pauses */
    int64_t frozen;      /* clocks counted so far, while not counting */
    uint32_t count;      /* 1..65536, in the counting element */
    uint64_t rises;      /* rising edges of OUT since start that have been seen */
    bool has_next;       /* a count has been written that is not loaded yet */
    uint32_t next;       /* that count */
    int64_t next_at;     /* when it will be; VPIT_NEVER: at the gate's next rising edge, or none */
    uint8_t written_low; /* first byte of a two-byte write */
    bool write_high;     /* the second is due */
    bool read_high;      /* the next byte to be read is the high one */
    uint8_t latched_bytes; /* bytes of `latch` that are still to be read */
    uint16_t latch;
    bool status_latched;
    uint8_t status;
};

/* Brings a channel to clock t; true: OUT rose by counting meanwhile. */
bool vpit_channel_advance(struct vpit_channel *c, int64_t t);
/* When OUT rises next, or something happens on which that depends. */
int64_t vpit_channel_deadline(const struct vpit_channel *c);
bool vpit_channel_out(const struct vpit_channel *c, int64_t t);

/* A control word for this channel: mode and form; the count has to be written anew. 0, which is
 * none, makes it as after power-on. */
void vpit_channel_set_mode(struct vpit_channel *c, uint8_t word);
void vpit_channel_set_gate(struct vpit_channel *c, bool level, int64_t t);
void vpit_channel_latch_count(struct vpit_channel *c, int64_t t);
void vpit_channel_latch_status(struct vpit_channel *c, int64_t t);
/* One access to the counter's register: a byte. */
uint32_t vpit_channel_read(struct vpit_channel *c, int64_t t);
void vpit_channel_write(struct vpit_channel *c, uint8_t value, int64_t t);

#endif
