/*
 * A pretended PCI bus: functions of one's own at the ports of configuration space.
 */
#ifndef CAISSON_TESTS_FAKES_CONFIG_SPACE_H
#define CAISSON_TESTS_FAKES_CONFIG_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#define FAKE_FUNCTIONS                64
#define FAKE_BDF(bus, slot, function) ((uint16_t)((bus) << 8 | (slot) << 3 | (function)))

struct fake_function {
    uint16_t bdf;
    bool gone;           /* unplugged: all ones */
    uint32_t word[64];   /* configuration space */
    uint32_t sticks[64]; /* bits that can be written */
    unsigned writes;     /* of BARs and ROM so far */
    bool moved_live;     /* one was changed while it answered */
};
extern struct fake_function fake_function[FAKE_FUNCTIONS];
extern unsigned fake_function_count;
extern bool fake_bus_absent, fake_bus_crowded; /* no ports at all; every function is there */

/* Empties the bus, and puts it to the ports. */
void fake_bus_reset(void);
/* A new one, of this class, with ids and a header of this kind; nothing but its command sticks. */
struct fake_function *fake_device(uint16_t bdf, uint32_t class, uint8_t header);
/* A capability of one word. */
void fake_capability(struct fake_function *f, uint8_t at, uint8_t id, uint8_t next, uint16_t more);
/* A BAR that is so large. */
void fake_bar(struct fake_function *f, unsigned i, uint32_t value, uint32_t sticks);

#endif
