/*
 * The tables by which Intel's IOMMU finds what a device may reach: a root table with a context
 * table for each bus, and in that an entry for each device. All entries are absent, which blocks;
 * buses without devices have one context table together, in which a name can be silenced.
 *
 * Some devices work for the firmware: a USB controller whose keyboard it passes off as a PS/2 one,
 * or the processor's own graphics, which read the picture from there. They have small tables of
 * that memory, and reach nothing else.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Root
 * Entry", "Context Entry", "Second-Level Paging Entries", "Reserved Memory Region Reporting
 * Structure".
 */
#include "iommu/vtd.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "pci/pci.h"

#define BUSES      256
#define ADDRESS    0x000FFFFFFFFFF000ul
#define READ_WRITE 3ul
#define LARGE      0x80ul
#define PAGE_BITS  12
#define INDEX_BITS 9
#define SPAN(l)    (1ul << (PAGE_BITS + INDEX_BITS * (l))) /* of an entry at this level */
#define MOST       (SPAN(2) * 4) /* bytes of a region; none honest has more */

static struct vtd_entry *new_table(const struct vtd_unit *u)
{
    struct vtd_entry *table = heap_pages(0, OWNER_CAISSON);

    if (table)
        vtd_written(u, table, PAGE_SIZE);
    return table;
}

static void set_root(const struct vtd_unit *u, unsigned bus, const struct vtd_entry *contexts)
{
    u->root[bus].low = heap_to_maddr(contexts).v | VTD_PRESENT;
}

struct vtd_entry *vtd_entry_of(const struct vtd_unit *u, uint16_t bdf)
{
    struct vtd_entry *contexts = heap_from_maddr(maddr(u->root[bdf >> 8].low & ADDRESS));

    return &contexts[bdf & 0xFF];
}

bool vtd_make_tables(struct vtd_unit *u)
{
    u->root = new_table(u);
    u->elsewhere = new_table(u);
    if (!u->root || !u->elsewhere)
        return false;
    for (unsigned bus = 0; bus < BUSES; bus++)
        set_root(u, bus, u->elsewhere);
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
        struct vtd_entry *contexts;

        if (vtd_unit_of(d) != u || vtd_entry_of(u, d->at.bdf) - (d->at.bdf & 0xFF) != u->elsewhere)
            continue;
        contexts = new_table(u);
        if (!contexts)
            return false;
        set_root(u, CONFIG_BUS(&d->at), contexts);
    }
    vtd_written(u, u->root, PAGE_SIZE);
    return true;
}

/* ---- What the firmware wants to be reached ---- */

static void write_entry(const struct vtd_unit *u, uint64_t *entry, uint64_t value)
{
    *entry = value;
    vtd_written(u, entry, sizeof(*entry));
}

/* Maps what one entry at this level can map, at its own address. False: no memory. */
static bool map_one(const struct vtd_unit *u, uint64_t *table, uint64_t address, unsigned level)
{
    for (unsigned l = VTD_LEVELS(u->cap) - 1;; l--) {
        uint64_t *entry = &table[address >> (PAGE_BITS + INDEX_BITS * l) & 511];

        if (l == level) {
            write_entry(u, entry, address | READ_WRITE | (l ? LARGE : 0));
            return true;
        }
        if (!*entry) {
            const void *below = new_table(u);

            if (!below)
                return false;
            write_entry(u, entry, heap_to_maddr(below).v | READ_WRITE);
        }
        if (*entry & LARGE) /* another region, of which firmware says that it overlaps */
            return true;
        table = heap_from_maddr(maddr(*entry & ADDRESS));
    }
}

static bool map_region(const struct vtd_unit *u, uint64_t *table, const struct dmar_region *r)
{
    for (uint64_t at = r->start, level; at < r->end; at += SPAN(level)) {
        level = VTD_CAP_HAS_2M(u->cap) && !(at & (SPAN(1) - 1)) && r->end - at >= SPAN(1);
        if (!map_one(u, table, at, (unsigned)level))
            return false;
    }
    return true;
}

/* NULL, or why this cannot be given away. It must be nobody's: neither ours nor a domain's. */
static const char *region_fault(const struct vtd_unit *u, const struct dmar_region *r)
{
    if (!VTD_LEVELS(u->cap))
        return "the IOMMU knows no such tables";
    if (r->end > SPAN(VTD_LEVELS(u->cap)) || r->end > 1ul << VTD_CAP_BITS(u->cap))
        return "the IOMMU cannot lead there";
    if (r->end - r->start > MOST)
        return "that is too much";
    for (uint64_t at = r->start; at < r->end; at += PAGE_SIZE) {
        if (frame_owner(maddr_to_mfn(maddr(at))) != OWNER_RESERVED)
            return "it is not the firmware's alone";
    }
    return NULL;
}

/* The table of a device that has none yet, under a number of its own. NULL: there is none left. */
static uint64_t *make_present(struct vtd_unit *u, struct vtd_entry *e)
{
    uint64_t *table = NULL;

    if (u->kept < VTD_KEPT_MOST)
        table = (uint64_t *)new_table(u);
    if (!table)
        return NULL;
    e->high = (uint64_t)(VTD_FIRST_KEPT(u->cap) + u->kept++) << VTD_DOMAIN_SHIFT |
              (VTD_LEVELS(u->cap) - 2);
    e->low = heap_to_maddr(table).v | VTD_PRESENT;
    vtd_written(u, e, sizeof(*e));
    return table;
}

bool vtd_open(struct vtd_unit *u, const struct pci_device *d, const struct dmar_region *r)
{
    struct vtd_entry *e = vtd_entry_of(u, d->at.bdf);
    const char *fault = region_fault(u, r);
    uint64_t *table = NULL;

    if (!fault)
        table = e->low ? heap_from_maddr(maddr(e->low & ADDRESS)) : make_present(u, e);
    if (!fault && (!table || !map_region(u, table, r)))
        fault = "no memory for its tables";
    if (fault)
        log_warn("iommu: %s does not reach 0x%lx to 0x%lx, as the firmware wants (RMRR): %s",
                 pci_name(&d->at).text, r->start, r->end - 1, fault);
    return !fault;
}
