/*
 * The walk over all buses.
 *
 * A bridge leads only to buses with higher numbers than its own, so the numbers are gone through
 * once, upwards: whatever bridges say, the work is bounded by 256 buses. Where there is an MCFG,
 * each bus that it tells of is looked at, whether a bridge leads there or not: large machines have
 * several root buses, and their firmware names them in AML only.
 *
 * Sources: PCI Local Bus Specification 3.0, "Configuration Space Organization"; PCI-to-PCI Bridge
 * Architecture Specification, "Bus Number Registers"; PCI Firmware Specification, "MCFG Table
 * Description".
 */
#include "pci/walk.h"

#include "arch/x86/acpi.h"
#include "lib/bitmap.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/heap.h"
#include "pci/pci.h"

#define BUSES     256
#define SLOTS     32
#define FUNCTIONS 8
#define BUS_SHIFT 20 /* ECAM: bytes of a bus */
#define MULTI     0x80
#define HEADERS   3 /* kinds */
#define PER_PAGE  (PAGE_SIZE / sizeof(struct pci_device))

/* Boot only; read by all afterwards. */
static struct config_segment segments[ACPI_MCFGS + 1]; /* the last one: by ports */
static struct pci_device *first, *last;
static unsigned device_count;
static bool full;                             /* one has been left out */
static uint64_t reached[BITMAP_WORDS(BUSES)]; /* of the segment that is walked */

const struct pci_device *pci_next(const struct pci_device *d)
{
    return d ? d->next : first;
}

struct pci_device *pci_find(uint16_t segment, uint16_t bdf)
{
    struct pci_device *d = first;

    while (d && (d->at.bdf != bdf || d->at.segment->number != segment))
        d = d->next;
    return d;
}

const struct pci_device *pci_above(const struct pci_device *d)
{
    const struct pci_device *b = first;

    while (b &&
           !(b->secondary && b->secondary == CONFIG_BUS(&d->at) && b->at.segment == d->at.segment))
        b = b->next;
    return b;
}

struct pci_name pci_name(const struct config_place *at)
{
    struct pci_name name = { "" };
    size_t n = 0;

    if (at->segment->number)
        n = fmt_sn(name.text, sizeof(name.text), "%04x:", at->segment->number);
    fmt_sn(name.text + n, sizeof(name.text) - n, "%02x:%02x.%x", CONFIG_BUS(at),
           at->bdf / FUNCTIONS % SLOTS, at->bdf % FUNCTIONS);
    return name;
}

/* Devices come page by page. NULL: there are no more. */
static struct pci_device *new_device(void)
{
    static struct pci_device *page;
    struct pci_device *d;

    if (device_count % PER_PAGE == 0)
        page = heap_pages(0, OWNER_CAISSON);
    if (!page || device_count == PCI_MOST)
        return NULL;
    d = page + device_count++ % PER_PAGE;
    *(last ? &last->next : &first) = d;
    last = d;
    return d;
}

/* Ones: nobody. Zero, or one for "not ready yet", is no vendor either. */
static bool answers(uint32_t id)
{
    uint16_t vendor = (uint16_t)id;

    return vendor != 0xFFFF && vendor > 1;
}

static void follow_bridge(struct pci_device *d)
{
    uint32_t buses = config_read32(&d->at, CONFIG_BUSES);
    uint8_t secondary = (uint8_t)(buses >> 8), end = (uint8_t)(buses >> 16);

    if (secondary <= CONFIG_BUS(&d->at) || end < secondary || end >= d->at.segment->end ||
        bitmap_test(reached, secondary)) {
        log_warn("pci: bridge %s to buses %02x to %02x: not higher ones, or another's",
                 pci_name(&d->at).text, secondary, end);
        return;
    }
    d->secondary = secondary;
    d->subordinate = end;
    bitmap_set(reached, secondary);
}

static void take_device(const struct config_place *at, uint32_t id, uint8_t header)
{
    struct pci_device *d = new_device();

    full = !d;
    if (full) {
        log_warn("pci: no room for %s and those behind it", pci_name(at).text);
        return;
    }
    d->at = *at;
    d->owner = PCI_UNOWNED;
    d->id = id;
    d->class = config_read32(at, CONFIG_CLASS);
    d->revision = (uint8_t)d->class;
    d->class >>= 8;
    uint32_t interrupt = config_read32(at, CONFIG_LINE);
    d->line = (uint8_t)interrupt;
    d->pin = (uint8_t)(interrupt >> 8);
    d->header = header & ~MULTI;
    if (d->header >= HEADERS) {
        log_warn("pci: %s has an unknown header", pci_name(at).text);
        return;
    }
    bar_read(d);
    capability_read(d);
    if (d->header)
        follow_bridge(d);
}

/* A slot without function 0 is empty. */
static void look_at_slot(struct config_place at)
{
    unsigned functions = 1;

    for (unsigned f = 0; f < functions && !full; f++, at.bdf++) {
        uint32_t id = config_read32(&at, CONFIG_ID);
        uint8_t header;

        if (!answers(id))
            continue;
        header = (uint8_t)config_read16(&at, CONFIG_HEADER);
        if (f == 0 && header & MULTI)
            functions = FUNCTIONS;
        take_device(&at, id, header);
    }
}

static void walk_segment(const struct config_segment *s)
{
    memset(reached, 0, sizeof(reached));
    bitmap_set(reached, s->from);
    for (unsigned bus = s->from; bus < s->end; bus++) {
        if (!s->ecam && !bitmap_test(reached, bus))
            continue;
        for (unsigned slot = 0; slot < SLOTS; slot++)
            look_at_slot((struct config_place){ s, (uint16_t)((bus * SLOTS + slot) * FUNCTIONS) });
    }
}

/* The host bridge, as a first look whether the two ways lead to the same. */
static uint32_t first_id(const struct config_segment *s)
{
    return config_read32(&(struct config_place){ s, 0 }, CONFIG_ID);
}

/* Walks what an entry of the MCFG tells of. True if bus 0 is done with. ports: or NULL. */
static bool walk_mcfg(struct config_segment *s, const struct acpi_mcfg *m,
                      const struct config_segment *ports, pci_reserved_fn reserved)
{
    uint64_t bytes = (uint64_t)(m->last_bus + 1u - m->first_bus) << BUS_SHIFT;
    maddr_t start = maddr(m->base.v + ((uint64_t)m->first_bus << BUS_SHIFT));

    *s = (struct config_segment){ NULL, m->first_bus, m->last_bus + 1u, m->segment };
    bool has_first = !s->from && !s->number;
    if (reserved(start, bytes))
        s->ecam = aspace_map(start, bytes, ASPACE_UC);
    if (!s->ecam || (has_first && ports && first_id(s) != first_id(ports))) {
        log_warn("pci: MCFG: no configuration space at 0x%lx", start.v);
        return false;
    }
    walk_segment(s);
    return has_first;
}

void pci_start(const struct pci_use *uses, unsigned count, pci_reserved_fn reserved)
{
    struct config_segment *ports = config_by_ports() ? &segments[ACPI_MCFGS] : NULL;
    bool has_first = false;

    first = last = NULL;
    device_count = 0;
    full = false;
    segments[ACPI_MCFGS].end = BUSES;
    for (unsigned i = 0; i < acpi.mcfg_count; i++)
        has_first |= walk_mcfg(&segments[i], &acpi.mcfg[i], ports, reserved);
    if (ports && !has_first)
        walk_segment(ports);
    for (unsigned i = 0; i < count; i++)
        bar_note_use(first, &uses[i]);
    for (struct pci_device *d = first; d; d = d->next)
        bar_measure(d);
    log_info("pci: %u devices, found by %s", device_count,
             has_first ? "MCFG"
             : ports   ? "ports"
                       : "nothing");
}
