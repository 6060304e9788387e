/*
 * The PC's pair of 8259A interrupt controllers, cascaded through the master's input 2, with the
 * chipset's edge/level registers beside them.
 *
 * Registers: 0, 1 master (ports 0x20, 0x21); 2, 3 slave (0xA0, 0xA1); 4, 5 ELCR (0x4D0, 0x4D1).
 * After power-on all inputs are masked and nothing comes out before the guest's ICWs.
 */
#ifndef CAISSON_DEVICES_VPIC_H
#define CAISSON_DEVICES_VPIC_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/device.h"

struct vpic_chip {
    uint8_t irr, isr, imr; /* requested, in service, masked: one bit an input */
    uint8_t lines;         /* levels at the inputs */
    uint8_t elcr;          /* set: that input is level-triggered */
    uint8_t base;          /* ICW2: vector of input 0 */
    uint8_t lowest;        /* the input that has the lowest priority; 7 unless rotated */
    uint8_t icw;           /* the next data write is this ICW; 0: it is OCW1 */
    bool ready;            /* an initialisation sequence has been finished */
    bool is_master;
    bool wants_icw4, single, level; /* ICW1 */
    bool auto_eoi, nested;          /* ICW4; nested: special fully nested mode */
    bool rotate_auto;               /* rotate at each automatic EOI */
    bool special_mask;
    bool poll;     /* the next read is a poll */
    bool read_isr; /* what a read of the command register gives */
};

struct vpic {
    struct device dev;
    struct line intr; /* the CPU's INTR, or LINT0 of its local APIC */
    bool intr_level;  /* as last told to intr */
    struct vpic_chip chip[2];
};

void vpic_init(struct vpic *pic, struct line intr);

/* Input irq, 0..15; 2 is the cascade and goes nowhere. Made for a struct line with ctx = the vpic.
 */
void vpic_set_irq(void *ctx, unsigned irq, bool level);

/* True while INTR is asserted. */
bool vpic_pending(const struct vpic *pic);

/* The CPU's INTA cycle: the vector. With nothing to deliver it is that of a spurious interrupt:
 * input 7 of whichever chip was asked. */
int vpic_ack(struct vpic *pic);

#endif
