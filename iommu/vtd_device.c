/*
 * A device that a domain has, behind Intel's IOMMU.
 *
 * Its entry leads to the domain's second-level page table, as the processor has it: where the unit
 * looks, entries of EPT and of AMD's nested tables are as its own. A unit with tables of 3 levels
 * is given what lies below the first entry of the fourth.
 *
 * A unit that does not look into the processor's caches, as in many a laptop, reads these tables
 * from memory: then all that is written to tables of domains is flushed (virt_caps.slat.flush).
 *
 * A device may say of an access that it needs not look into the processor's caches. Memory that was
 * cleared there would still show what it held before, so a unit that can is told to look all the
 * same, and otherwise the device is kept from saying so.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Context
 * Entry", "Second-Level Paging Entries", "Snoop Behavior"; PCI Express Base Specification, "Device
 * Control Register".
 */
#include "iommu/vtd.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "virt/virt.h"

#define ADDRESS      0x000FFFFFFFFFF000ul
#define ENTRIES      512
#define PAGE_SNOOPED (1ul << 11) /* of a mapping; who cannot do it has that bit reserved */

#define PCIE_CONTROL  8 /* in the capability */
#define PCIE_NO_SNOOP (1u << 11)

static bool snoops; /* all units do. Boot only */

void vtd_share(void)
{
    virt_caps.slat.flush |= !vtd_all_have(VTD_ECAP_COHERENT);
    snoops = vtd_all_have(VTD_ECAP_SNOOPS);
    if (!snoops)
        return;
    virt_caps.slat.x |= PAGE_SNOOPED;
    virt_caps.slat.no_x |= PAGE_SNOOPED;
}

/* The table that the unit begins with; 0: it reaches less than the domain has. */
static uint64_t table_for(const struct vtd_unit *u, const struct slat *s)
{
    if (VTD_LEVELS(u->cap) == 4)
        return heap_to_maddr(s->root).v;
    for (unsigned i = 1; i < ENTRIES; i++) {
        if (s->root[i] & VTD_PRESENT)
            return 0;
    }
    return s->root[0] & VTD_PRESENT ? s->root[0] & ADDRESS : 0;
}

static const char *why_not(const struct vtd_unit *u, const struct iommu_use *use)
{
    if (!u->interrupts)
        return "its interrupts cannot be told from others'";
    if (u->forgeable)
        return "it could send interrupts of Caisson's (DMAR does not name the I/O APIC)";
    if (VTD_CAP_CACHES(u->cap))
        return "the IOMMU, another hypervisor's, wants to hear of each new page";
    if (!VTD_LEVELS(u->cap) || !VTD_CAP_HAS_2M(u->cap) ||
        (virt_caps.slat_1g && !VTD_CAP_HAS_1G(u->cap)))
        return "the IOMMU does not know the pages that guests have";
    if (use->tag >= VTD_FIRST_KEPT(u->cap))
        return "the IOMMU knows too few domains";
    if (vtd_is_kept(use->device))
        return "the firmware goes on using it (RMRR)";
    return table_for(u, use->tables) ? NULL : "the domain has more memory than the IOMMU reaches";
}

/* The half that is not looked at while the other is absent comes first. */
static bool set_entry(struct vtd_unit *u, uint16_t bdf, uint64_t low, uint64_t high)
{
    struct vtd_entry *e = vtd_entry_of(u, bdf);

    __atomic_store_n(&e->low, low & ~VTD_PRESENT, __ATOMIC_SEQ_CST);
    __atomic_store_n(&e->high, high, __ATOMIC_SEQ_CST);
    __atomic_store_n(&e->low, low, __ATOMIC_SEQ_CST);
    vtd_written(u, e, sizeof(*e));
    return vtd_forget(u);
}

static void shut_no_snoop(const struct pci_device *d)
{
    unsigned at = d->cap[PCI_CAP_PCIE] + PCIE_CONTROL;

    if (d->cap[PCI_CAP_PCIE])
        config_write32(&d->at, at, config_read16(&d->at, at) & ~PCIE_NO_SNOOP);
}

int vtd_attach(struct iommu_use *use)
{
    struct vtd_unit *u = vtd_unit_of(use->device);
    const char *why = u && u->on ? why_not(u, use) : NULL;
    uint16_t bdf = use->device->at.bdf;

    if (!u || !u->on)
        return -ENODEV;
    if (why) {
        log_warn("iommu: %s: %s", pci_name(&use->device->at).text, why);
        return -EOPNOTSUPP;
    }
    if (!vtd_take_routes(u, use))
        return -ENOSPC;
    use->unit = u;
    if (!snoops)
        shut_no_snoop(use->device);
    if (set_entry(u, bdf, table_for(u, use->tables) | VTD_PRESENT,
                  (uint64_t)use->tag << VTD_DOMAIN_SHIFT | (VTD_LEVELS(u->cap) - 2)))
        return 0;
    use->tables->lost |= !set_entry(u, bdf, 0, 0);
    vtd_drop_routes(u, use);
    return -ENODEV;
}

/* It is no bus master any more. */
bool vtd_detach(struct iommu_use *use)
{
    struct vtd_unit *u = use->unit;
    bool done = set_entry(u, use->device->at.bdf, 0, 0);

    done &= vtd_drop_routes(u, use);
    vtd_hear_again(u);
    return done;
}

void vtd_block(struct iommu_use *use)
{
    struct vtd_unit *u = use->unit;
    bool done = set_entry(u, use->device->at.bdf, VTD_SILENT, 0);

    if (!vtd_shut_routes(u, use) || !done)
        log_error("iommu: no answer when %s was stopped", pci_name(&use->device->at).text);
}
