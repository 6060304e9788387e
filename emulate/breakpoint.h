/*
 * The guest's breakpoints over accesses that Caisson makes in its place: of those the processor
 * sees nothing.
 *
 * Whoever carries an instruction out arms this before if the guest may have breakpoints, and asks
 * afterwards. The emulator tells of each access.
 */
#ifndef CAISSON_EMULATE_BREAKPOINT_H
#define CAISSON_EMULATE_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "virt/virt.h"

struct breakpoints {
    struct virt_breakpoints set;
    bool ports;   /* CR4.DE: there are some for ports */
    bool armed;   /* one of them is enabled; without this nothing need be told */
    uint32_t met; /* so far, enabled or not: bits of DR6 */
};

/* Takes over what the guest has set; `armed` says whether that is anything. */
void breakpoints_take(struct breakpoints *b, const struct virt_vcpu *v);
/* Disarms. What DR6 is to say, or 0: no enabled one has been met, there is no #DB. */
uint32_t breakpoints_end(struct breakpoints *b);

void breakpoints_memory(struct breakpoints *b, gva_t at, unsigned size, bool write);
void breakpoints_port(struct breakpoints *b, uint16_t port, unsigned size);

#endif
