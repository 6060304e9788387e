/*
 * The PC's MC146818 real-time clock and its CMOS memory.
 *
 * Registers: 0 index (port 0x70), 1 data (port 0x71). The time is kept as seconds since 1970 and
 * the domain's clock; the registers are made from it when they are read.
 */
#ifndef CAISSON_DEVICES_VRTC_H
#define CAISSON_DEVICES_VRTC_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/device.h"

#define VRTC_BYTES 128

struct vrtc {
    struct device dev;
    struct line irq;
    bool irq_level; /* as last told to irq */
    uint8_t index;
    uint8_t cmos[VRTC_BYTES]; /* alarm, B, C and memory; the time only while the clock stands */
    int64_t epoch;            /* seconds since 1970 at `base` */
    int64_t base;             /* ns; seconds change at base + k * 1e9 */
    int64_t seen;             /* ns up to which the flags of register C are right */
};

/* epoch: the time of day at `now`, in UTC seconds since 1970. */
void vrtc_init(struct vrtc *r, struct line irq, int64_t epoch, uint64_t now);

/* Writes what a PC's firmware tells of the memory into CMOS. low: end of RAM below 4 GiB;
 * high: bytes of RAM from 4 GiB on. */
void vrtc_set_memory(struct vrtc *r, uint64_t low, uint64_t high);

#endif
