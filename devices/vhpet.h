/*
 * A high precision event timer: a counter of 64 bits at 12.5 MHz and three timers that compare.
 *
 * Registers, of 32 or 64 bits: 0x000 capabilities, 0x010 configuration, 0x020 interrupt status,
 * 0x0F0 counter; from 0x100 on 32 bytes for each timer: configuration, comparator. Every timer is
 * of 64 bits and may be periodic; none sends messages (FSB). Source: Intel, "IA-PC HPET
 * Specification" 1.0a, "Register Definitions".
 *
 * Everything derives from the absolute time; matches that were missed are one, and a period keeps
 * its phase. What a tiny period costs is bounded by whoever asks for the deadline.
 */
#ifndef CAISSON_DEVICES_VHPET_H
#define CAISSON_DEVICES_VHPET_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/device.h"

#define VHPET_SIZE    0x400
#define VHPET_TIMERS  3
#define VHPET_TICK_NS 80
#define VHPET_ID      0x8086A201u /* vendor; legacy replacement, 64 bits, 3 timers, revision 1 */

struct vhpet_timer {
    uint64_t config; /* what of it can be written */
    uint64_t comparator;
    uint64_t period; /* as last written; added to the comparator at each match, if it is periodic */
    uint64_t match;  /* tick of the domain's time at which they next match; VHPET_NEVER */
    bool out;        /* what it adds to the level of its pin */
};
#define VHPET_NEVER UINT64_MAX

struct vhpet {
    struct device dev;
    struct line pins;   /* n: input of the I/O APIC; in legacy replacement 0 and 8, of ISA */
    struct line legacy; /* up: IRQ 0 and 8 are this device's, and not the PIT's and the RTC's */
    uint32_t high;      /* pins that are up */
    uint8_t config;
    uint8_t status;
    uint64_t base; /* the counter, less the domain's ticks if it runs */
    struct vhpet_timer timer[VHPET_TIMERS];
};

/* It stands at 0, as after power-on. pins.n is not looked at. */
void vhpet_init(struct vhpet *h, struct line pins, struct line legacy);
/* Are IRQ 0 and 8 its own? */
bool vhpet_replaces_legacy(const struct vhpet *h);

#endif
