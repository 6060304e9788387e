/*
 * The machine's IOMMUs: AMD's (AMD-Vi) and Intel's (VT-d). What a device may reach, and what
 * becomes of one that tries for more.
 *
 * A device that a domain has goes by the domain's own second-level page table, which the IOMMU
 * walks as the processor does: there is no second table to disagree with it. So whoever takes
 * something out of that table has both forget it before he lets go of the frame.
 */
#ifndef CAISSON_IOMMU_IOMMU_H
#define CAISSON_IOMMU_IOMMU_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"

struct msi_message;
struct pci_device;
struct slat;

/* From here on devices reach nothing: no memory, and no interrupt but those by way of an I/O APIC.
 * What one tries is blocked, counted with it (struct pci_device) and told of; if it goes on, it is
 * stopped. Does nothing, with a line in the log, where there is no IOMMU that Caisson can drive.
 * Wants pci_start(), and runs before the other CPUs do. Boot only. */
void iommu_start(void);
/* Devices are held back, and can be given to domains. */
bool iommu_is_on(void);
/* Page tables of domains are made so that it can walk them. Behind virt_probe(), before the first
 * domain. Boot only. */
void iommu_share(void);

/* Some of these addresses of the machine's are registers of an IOMMU's. */
bool iommu_has_registers(uint64_t start, uint64_t end);

/* The functions below take the IOMMU's lock; a p2m's may be held. */

/* From here on d reads and writes by these tables, whose domain is owner, and no longer as it was
 * stopped. It sends no interrupt before it is routed. It must not be bus master yet. 0, or nothing
 * has changed: -ENODEV: no IOMMU of ours is in its way; -EBUSY: a domain has it, or another domain
 * (or Caisson) one that cannot be kept apart from it; -ENOSPC; -ENOMEM, charged to owner;
 * -EOPNOTSUPP. The log has said why. */
int must_check iommu_attach(struct pci_device *d, struct slat *s, uint16_t owner);
/* It reaches nothing again, is no bus master, and nothing of what it did is under way any more; or
 * else s->lost, as for iommu_flush(). Harmless if it is not attached. Boot CPU. */
void iommu_detach(struct pci_device *d);

/* No device of owner's reaches these frames by what the tables said before. Called after the tables
 * were changed and before the frames are anybody else's; with s->devices 0 there is no need.
 * Waits, for a bounded time. A unit that does not answer may still let its devices reach them:
 * these are stopped, and s->lost says that nobody is to get what they reached. */
void iommu_flush(uint16_t owner, gfn_t start, uint64_t frames);

/* The device, which is attached, may send interrupt `index` of its own, and it comes to that CPU
 * with that vector. *out is what the device is to write for it. 0; -EINVAL: no such index;
 * -ERANGE: no such CPU for this IOMMU; -ENODEV: not attached, or stopped, as it is now if its unit
 * does not answer. *out is the same for an index each time. */
int must_check iommu_route(struct pci_device *d, unsigned index, uint32_t apic_id, uint8_t vector,
                           struct msi_message *out);
/* And no longer: none is under way when this returns. */
void iommu_unroute(struct pci_device *d, unsigned index);
/* ioapic_route_line(), which may change an entry of the IOMMU's. */
int must_check iommu_route_line(unsigned irq, uint32_t apic_id, uint8_t vector);

#endif
