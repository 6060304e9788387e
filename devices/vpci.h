/*
 * PCI's configuration space by mechanism 1, with a host bridge and nothing behind it.
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
    uint32_t address; /* as last written; bit 31: accesses to the data are configuration cycles */
};

void vpci_init(struct vpci *p);

#endif
