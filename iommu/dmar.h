/*
 * What the firmware tells of Intel's IOMMUs (VT-d): where they are, which devices each one has, and
 * which memory it goes on using itself by way of some devices.
 */
#ifndef CAISSON_IOMMU_DMAR_H
#define CAISSON_IOMMU_DMAR_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

struct pci_device;

/* A list of devices in the table, which stays where it is. */
struct dmar_devices {
    const uint8_t *at;
    uint32_t bytes;
    uint16_t segment;
};

/* A unit: registers, and devices; with `all` also those of its segment that no other one has. */
struct dmar_unit {
    maddr_t base;
    bool all;
    struct dmar_devices devices;
};

/* Memory that the firmware wants these devices to reach: from start up to before end. */
struct dmar_region {
    uint64_t start, end;
    struct dmar_devices devices;
};

/* Calls vtd_add() and vtd_keep(), below, for what there is. Logs and passes over what is broken. */
void dmar_read(const uint8_t *bytes, uint32_t length);

/* Whether the list has this device: by its name, or as one behind a bridge that it names. */
bool dmar_has(const struct dmar_devices *list, const struct pci_device *d);

/* Under which name the I/O APIC with this id sends its messages. False: the list has none such. */
bool dmar_ioapic(const struct dmar_devices *list, uint8_t id, uint16_t *bdf);

/* vtd.c. Called by dmar_read() for each. */
void vtd_add(const struct dmar_unit *unit);
void vtd_keep(const struct dmar_region *region);

#endif
