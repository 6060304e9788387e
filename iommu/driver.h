/*
 * What a kind of IOMMU does for iommu.c, and what that does for it. iommu.c holds its lock around
 * each call, and has checked what is not the hardware's own affair.
 */
#ifndef CAISSON_IOMMU_DRIVER_H
#define CAISSON_IOMMU_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "pci/pci.h"
#include "virt/slat.h"
#include "virt/virt.h"

#define IOMMU_USES   64 /* devices that domains have */
#define IOMMU_ROUTES 32 /* interrupts of a device, whatever it could send: as MSI has at most */

/* A device that a domain has. */
struct iommu_use {
    struct pci_device *device; /* NULL: this place is free */
    struct slat *tables;
    uint16_t owner;
    uint16_t tag;    /* 1 to IOMMU_USES: of the owner, for caches in the IOMMU; nobody's is 0 */
    unsigned faults; /* of late: since */
    uint64_t since;  /* this TSC */
    void *unit;      /* the driver's: behind which it is */
    void *routes;    /* AMD's: where its interrupts go */
    uint16_t first_route; /* the same of VT-d: the first of IOMMU_ROUTES in its unit's table */
};

/* A unit may keep a mapping that was larger before a page was cut out of it, now or long ago, and
 * forgets it only if told of all of it. So it is never told of less than the block of this order
 * around a page. */
static inline unsigned iommu_order_least(void)
{
    return virt_caps.slat_1g ? ORDER_1G : ORDER_2M;
}

struct iommu_driver {
    /* Tables are made from here on that it can read too (virt_caps.slat). */
    void (*share)(void);
    /* Lets the device through to the tables. 0, or nothing has changed: -ENODEV it is not behind
     * such a unit; -EOPNOTSUPP, with a line in the log that says why; -ENOMEM. */
    int (*attach)(struct iommu_use *u);
    /* Blocks it, as it was at first. Nothing of it is under way when this returns; or false: its
     * unit does not answer, and may go on by all that it knows. */
    bool must_check (*detach)(struct iommu_use *u);
    /* Blocks it, and hears no more of what it tries, until it is detached. */
    void (*block)(struct iommu_use *u);
    /* The same of one that no domain has, and that is blocked already: it only hears no more. */
    void (*silence)(uint16_t bdf);
    /* Its unit keeps nothing of these frames' mappings for its tag, also not of larger ones that
     * they were a part of. False: it does not answer. */
    bool must_check (*flush)(const struct iommu_use *u, gfn_t start, uint64_t frames);
    /* As iommu_route() and iommu_unroute(); index is checked. */
    int (*route)(struct iommu_use *u, unsigned index, uint32_t apic_id, uint8_t vector,
                 struct msi_message *out);
    void (*unroute)(struct iommu_use *u, unsigned index);
    /* Between these addresses of the machine's are some of its units' registers. */
    bool (*has_registers)(uint64_t start, uint64_t end);
};

enum iommu_try { IOMMU_READ, IOMMU_WRITE, IOMMU_INTERRUPT };

/* From the interrupt of a unit: a device tried what it may not. address: or the interrupt's number.
 * True: it had been stopped for that before. Takes the lock. */
bool iommu_note_fault(uint16_t segment, uint16_t bdf, enum iommu_try what, uint64_t address);

#endif
