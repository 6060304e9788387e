/*
 * A virtual I/O APIC: 24 pins, each with a redirection entry.
 *
 * Sources: Intel 82093AA, "I/O Advanced Programmable Interrupt Controller"; for the EOI register
 * of version 0x20, Intel's ICH datasheets, "EOIR". Polarity is remembered and has no effect: a
 * line's true level is always "asserted".
 *
 * No locks: the machine serialises. It connects devices with struct line { vioapic_set_irq, v, pin
 * }.
 */
#ifndef CAISSON_DEVICES_VIOAPIC_H
#define CAISSON_DEVICES_VIOAPIC_H

#include "devices/apic.h"
#include "devices/device.h"

#define VIOAPIC_PINS    24
#define VIOAPIC_VERSION 0x20
#define VIOAPIC_SIZE    0x1000

/* Registers in memory. */
#define VIOAPIC_SELECT 0x00 /* IOREGSEL */
#define VIOAPIC_WINDOW 0x10 /* IOWIN */
#define VIOAPIC_EOI    0x40

struct vioapic_bus {
    void *ctx;
    /* An interrupt goes out; from is NULL, shorthand APIC_TO_DEST. */
    void (*deliver)(void *ctx, const struct apic_message *m);
    /* Another one waits: vioapic_settle() is wanted soon. */
    void (*look)(void *ctx);
};

struct vioapic {
    struct device dev;
    const struct vioapic_bus *bus;
    uint8_t id; /* bits 27:24 of register 0 */
    uint8_t select;
    uint32_t lines;    /* bit per pin: asserted now */
    uint32_t again;    /* bit per pin: its EOI has come, it is to be looked at */
    uint32_t watched;  /* bit per pin: somebody wants to know, */
    struct line ended; /* and its level is lowered then, with the pin's number */
    uint64_t entry[VIOAPIC_PINS];
};

/* bus must outlive it. */
void vioapic_init(struct vioapic *v, uint8_t id, const struct vioapic_bus *bus);
/* Sets the level at a pin (a struct line's set). */
void vioapic_set_irq(void *ctx, unsigned pin, bool level);
/* The EOI that a local APIC broadcasts: re-arms level-triggered entries with that vector. At most
 * one of them is sent again at once, as it may go to all vCPUs. */
void vioapic_eoi(struct vioapic *v, uint8_t vector);
/* Sends the next one. Nothing to do unless v->again. */
void vioapic_settle(struct vioapic *v);

#endif
