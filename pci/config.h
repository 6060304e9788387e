/*
 * A function's configuration space: 256 bytes through ports 0xCF8 and 0xCFC, or 4096 in memory
 * (ECAM), where the firmware's MCFG says.
 *
 * What is not there reads as all ones and takes writes silently.
 */
#ifndef CAISSON_PCI_CONFIG_H
#define CAISSON_PCI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 256 buses at most, with one way to all of them. */
struct config_segment {
    volatile uint8_t *ecam; /* of bus `from`; NULL: by the ports */
    unsigned from, end;     /* buses: from this one on, up to before that one */
    uint16_t number;
};

struct config_place {
    const struct config_segment *segment;
    uint16_t bdf; /* bus, 5 bits of slot, 3 bits of function */
};

#define CONFIG_BUS(at) ((uint8_t)((at)->bdf >> 8))

/* The registers that each function has. */
enum {
    CONFIG_ID = 0x00,
    CONFIG_COMMAND = 0x04,
    CONFIG_STATUS = 0x06,
    CONFIG_CLASS = 0x08,      /* revision, then three bytes of class */
    CONFIG_CACHE_LINE = 0x0C, /* its size; then latency, header, test */
    CONFIG_HEADER = 0x0E,
    CONFIG_BAR = 0x10,
    CONFIG_BUSES = 0x18, /* of a bridge: its own, the one behind, the last one behind */
    CONFIG_SUBSYSTEM = 0x2C,
    CONFIG_ROM = 0x30,
    CONFIG_CAPABILITIES = 0x34,
    CONFIG_BRIDGE_ROM = 0x38,
    CONFIG_LINE = 0x3C, /* of an interrupt; then its pin */
    CONFIG_FIRST_CAPABILITY = 0x40,
    CONFIG_EXTENDED = 0x100,
};

#define CONFIG_BYTES          256
#define CONFIG_EXTENDED_BYTES 4096

/* True if something answers at the ports. Boot only. */
bool config_by_ports(void);

/* offset: a multiple of the width, and inside the space that the place has. Whoever writes owns the
 * device, and writes zeroes to what is cleared by writing ones, such as all of the status. */
uint32_t config_read32(const struct config_place *p, unsigned offset);
uint16_t config_read16(const struct config_place *p, unsigned offset);
void config_write32(const struct config_place *p, unsigned offset, uint32_t value);

#endif
