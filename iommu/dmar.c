/*
 * The firmware's table of Intel's IOMMUs.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture Specification, "BIOS
 * Considerations": "DMA Remapping Reporting Structure", "Device Scope Structure".
 */
#include "iommu/dmar.h"

#include "lib/log.h"
#include "pci/pci.h"

#define STRUCTURES 48 /* where they begin */
#define UNIT_ALL   1  /* a flag */

/* What every structure begins with. */
struct head {
    uint16_t type, bytes;
} __attribute__((packed));

struct unit {
    struct head head;
    uint8_t flags, size;
    uint16_t segment;
    uint64_t base;
} __attribute__((packed));

struct region {
    struct head head;
    uint16_t reserved, segment;
    uint64_t start, last;
} __attribute__((packed));

/* One of a list of devices: the bus where the way to it begins, and the steps of that way. */
struct scope {
    uint8_t type, bytes, flags, unused, id, bus;
    struct step {
        uint8_t slot, function;
    } steps[];
};

enum { UNIT = 0, REGION = 1, PORTS = 2, KINDS = 7 };
enum { SCOPE_DEVICE = 1, SCOPE_BRIDGE = 2, SCOPE_IOAPIC = 3 };

/* By type: its name, how many bytes it has before its list of devices, and whether there is one.
 * Those for caches of devices' own, distances, and names of devices are only looked over. */
static const struct {
    const char *name;
    uint16_t bytes;
    bool list;
} kinds[KINDS] = {
    [UNIT] = { "DRHD", sizeof(struct unit), true },
    [REGION] = { "RMRR", sizeof(struct region), true },
    [PORTS] = { "ATSR", 8, true },
    { "RHSA", 20, false },
    { "ANDD", 8, false },
    { "SATC", 8, true },
    { "SIDP", 8, true },
};

/* ---- Lists of devices ---- */

/* NULL at the end, or where one cannot be. Moves *at on. */
static const struct scope *next_scope(const struct dmar_devices *list, uint32_t *at)
{
    const struct scope *s = (const struct scope *)(list->at + *at);
    uint32_t left = list->bytes - *at;

    if (left < sizeof(*s) + sizeof(struct step) || s->bytes > left || s->bytes % 2 ||
        s->bytes < sizeof(*s) + sizeof(struct step))
        return NULL;
    *at += s->bytes;
    return s;
}

/* How far it can be read; what is behind is cut off, with a line. */
static void check_list(struct dmar_devices *list, const char *name)
{
    uint32_t at = 0;

    while (next_scope(list, &at))
        continue;
    if (at != list->bytes)
        log_warn("iommu: DMAR: %s: its list of devices is broken, the rest ignored", name);
    list->bytes = at;
}

/* The device at the end of the way. A bridge leads to a higher bus than its own (pci/walk.c), so
 * no way comes round. False: there is no such bridge. */
static bool follow(const struct scope *s, uint16_t segment, uint16_t *bdf)
{
    unsigned steps = (s->bytes - sizeof(*s)) / sizeof(struct step), bus = s->bus;

    for (unsigned i = 0; i < steps; i++) {
        const struct pci_device *bridge = i ? pci_find(segment, *bdf) : NULL;

        if (i && (!bridge || !bridge->secondary))
            return false;
        if (bridge)
            bus = bridge->secondary;
        *bdf = (uint16_t)(bus << 8 | (s->steps[i].slot & 31u) << 3 | (s->steps[i].function & 7u));
    }
    return true;
}

static bool is_behind(const struct pci_device *d, const struct pci_device *bridge)
{
    return bridge && pci_leads_to(bridge, d);
}

bool dmar_has(const struct dmar_devices *list, const struct pci_device *d)
{
    const struct scope *s;
    uint32_t at = 0;
    uint16_t bdf = 0;

    if (d->at.segment->number != list->segment)
        return false;
    while ((s = next_scope(list, &at))) {
        if ((s->type != SCOPE_DEVICE && s->type != SCOPE_BRIDGE) || !follow(s, list->segment, &bdf))
            continue;
        if (bdf == d->at.bdf ||
            (s->type == SCOPE_BRIDGE && is_behind(d, pci_find(list->segment, bdf))))
            return true;
    }
    return false;
}

bool dmar_ioapic(const struct dmar_devices *list, uint8_t id, uint16_t *bdf)
{
    const struct scope *s;
    uint32_t at = 0;

    while ((s = next_scope(list, &at))) {
        if (s->type == SCOPE_IOAPIC && s->id == id)
            return follow(s, list->segment, bdf);
    }
    return false;
}

/* ---- The table ---- */

static void read_unit(const struct unit *u, struct dmar_devices *list)
{
    list->segment = u->segment;
    vtd_add(&(struct dmar_unit){ maddr(u->base), u->flags & UNIT_ALL, *list });
}

static void read_region(const struct region *r, struct dmar_devices *list)
{
    list->segment = r->segment;
    if (r->last < r->start || r->start & ~PAGE_MASK || ~r->last & ~PAGE_MASK ||
        r->last == UINT64_MAX)
        log_warn("iommu: DMAR: RMRR from 0x%lx to 0x%lx: not whole pages, ignored", r->start,
                 r->last);
    else
        vtd_keep(&(struct dmar_region){ r->start, r->last + 1, *list });
}

static void read_structure(const struct head *h)
{
    struct dmar_devices list;

    if (h->type >= KINDS)
        return;
    if (h->bytes < kinds[h->type].bytes) {
        log_warn("iommu: DMAR: %s of %u bytes, ignored", kinds[h->type].name, h->bytes);
        return;
    }
    list = (struct dmar_devices){ (const uint8_t *)h + kinds[h->type].bytes,
                                  h->bytes - kinds[h->type].bytes, 0 };
    if (kinds[h->type].list)
        check_list(&list, kinds[h->type].name);
    if (h->type == UNIT)
        read_unit((const struct unit *)h, &list);
    if (h->type == REGION)
        read_region((const struct region *)h, &list);
}

void dmar_read(const uint8_t *bytes, uint32_t length)
{
    for (uint32_t at = STRUCTURES; at < length;) {
        const struct head *h = (const struct head *)(bytes + at);

        if (length - at < sizeof(*h) || h->bytes < sizeof(*h) || h->bytes > length - at) {
            log_warn("iommu: DMAR: broken at byte %u, the rest ignored", at);
            return;
        }
        read_structure(h);
        at += h->bytes;
    }
}
