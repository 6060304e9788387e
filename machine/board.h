/*
 * What a board is: its port map, and the devices that are plugged in. For the files of machine/.
 */
#ifndef CAISSON_MACHINE_BOARD_H
#define CAISSON_MACHINE_BOARD_H

#include "machine/machine.h"

/* `base` is the device's own number of the first register. */
struct port_range {
    uint16_t first, last;
    enum machine_device device; /* or DEV_NONE, DEV_ABSENT, DEV_ZEROS */
    uint32_t base;
};

struct board {
    /* Hottest first; where two ranges meet the first one answers. The last one has every port. */
    const struct port_range *ports;
    /* Initialises its devices, and enters them in m->device[]. */
    void (*plug)(struct machine *m, const struct machine_config *config);
};

/* Who answers at a port. */
struct port board_find_port(const struct machine *m, uint16_t number);

/* The two that every board has: the reset control, and ACPI's power management with its interrupt
 * line (connected to nothing: none). */
void board_plug_power(struct machine *m, struct line sci);
/* A line that resets the machine. */
struct line board_reset_line(struct machine *m);

#endif
