/*
 * PCI's configuration space by mechanism 1: a host bridge, and, for a guest's own firmware, the
 * functions of a PIIX4 that tell where what it knows is.
 *
 * Registers: 0 address (port 0xCF8, 32 bits), 4..7 data (ports 0xCFC..0xCFF, any width). What is
 * not there reads all ones, as a PCI bus does when no device answers.
 * Source: PCI Local Bus Specification, "Configuration Mechanism #1" and "Configuration Space
 * Organization".
 */
#ifndef CAISSON_DEVICES_VPCI_H
#define CAISSON_DEVICES_VPCI_H

#include <stdint.h>
#include "devices/device.h"

#define VPCI_ADDRESS 0
#define VPCI_DATA    4
#define VPCI_SIZE    8 /* ports */

struct vpci {
    struct device dev;
    uint16_t pm_base;
    uint32_t address; /* as last written; bit 31: accesses to the data are configuration cycles */
};

/* pm_base: port of the power management, which the PIIX4 says; 0: there is none. */
void vpci_init(struct vpci *p, uint16_t pm_base);

#endif
