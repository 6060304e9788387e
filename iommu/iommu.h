/*
 * The machine's IOMMUs: AMD's so far. What a device may reach, and what becomes of one that tries
 * for more.
 */
#ifndef CAISSON_IOMMU_IOMMU_H
#define CAISSON_IOMMU_IOMMU_H

/* From here on devices reach nothing: no memory, and no interrupt but those by way of an I/O APIC.
 * What one tries is blocked, counted with it (struct pci_device) and told of; if it goes on, it is
 * stopped. Does nothing, with a line in the log, where there is no IOMMU that Caisson can drive.
 * Wants pci_start(), and runs before the other CPUs do. Boot only. */
void iommu_start(void);

#endif
