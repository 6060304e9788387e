/*
 * What local APICs and the I/O APIC say to each other: one message for interrupts of devices and
 * of processors alike, as on the bus of the hardware (SDM, "Local APIC", "Interrupt Command
 * Register (ICR)"; 82093AA, "I/O Redirection Table Registers").
 *
 * Who sends a message decides nothing about who gets it: the machine asks every local APIC with
 * vlapic_matches() and delivers by mode.
 */
#ifndef CAISSON_DEVICES_APIC_H
#define CAISSON_DEVICES_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Delivery modes, as encoded in bits 10:8 of ICR, LVT and redirection entries. */
enum apic_mode {
    APIC_FIXED = 0,
    APIC_LOWEST = 1, /* any one of those that match */
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6, /* vector is the page number to start at */
    APIC_EXTINT = 7,  /* the vector comes from the 8259 */
};

/* Destination shorthands, as in bits 19:18 of the ICR. */
enum apic_shorthand { APIC_TO_DEST, APIC_TO_SELF, APIC_TO_ALL, APIC_TO_OTHERS };

#define APIC_DEST_ALL 0xFFFFFFFFu /* physical broadcast; the 8-bit 0xFF is widened to this */

struct vlapic;
struct apic_message {
    const struct vlapic *from; /* the sender, for shorthands; NULL: the I/O APIC */
    uint32_t dest;             /* meaningful with APIC_TO_DEST */
    enum apic_mode mode;
    enum apic_shorthand shorthand;
    uint8_t vector;
    bool logical; /* dest is a logical destination */
    bool level;   /* level-triggered: an EOI will be broadcast */
};

#endif
