/*
 * AMD's IOMMUs, between the files of this room.
 */
#ifndef CAISSON_IOMMU_AMD_H
#define CAISSON_IOMMU_AMD_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

/* What the firmware says of one of them. */
struct amd_unit {
    maddr_t base; /* of its registers */
    uint16_t segment, bdf;
    uint8_t flags; /* for the control register */
};

/* ivrs.c. Reads the table, and calls the three below as it goes. Logs and passes over what is
 * broken. */
void ivrs_read(const uint8_t *bytes, uint32_t length);

/* amd.c. A unit, which may come several times; devices that need settings of their own; one that
 * is an I/O APIC, and sends interrupts under this name. */
void amd_add(const struct amd_unit *info);
void amd_set(uint16_t from, uint16_t to, uint8_t settings);
void amd_let_ioapic(uint16_t bdf);

void amd_start(const uint8_t *ivrs, uint32_t length);

#endif
