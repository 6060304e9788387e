/*
 * Intel's IOMMUs: which there are, and how each is started.
 *
 * Each unit has tables of its own, all absent. A unit that the firmware left on stays on while they
 * are put in the place of the firmware's, so that there is no moment in which all is let through.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Set Root
 * Table Pointer Operation", "Enabling DMA Remapping", "Protected Memory Enable Register".
 */
#include "iommu/vtd.h"

#include "arch/x86/acpi.h"
#include "arch/x86/irq.h"
#include "lib/log.h"
#include "mm/aspace.h"
#include "mm/heap.h"
#include "pci/pci.h"

#define UNITS     32
#define REGIONS   32
#define ROOT_MODE (3ul << 10) /* of the root table's register: another kind of table */
#define PROTECTS  (1u << 31)

static struct vtd_unit units[UNITS];
static unsigned unit_count;
static struct dmar_region regions[REGIONS];
static unsigned region_count;

/* ---- What the firmware says ---- */

void vtd_add(const struct dmar_unit *info)
{
    for (unsigned i = 0; i < unit_count; i++) {
        if (units[i].info.base.v == info->base.v) {
            log_warn("iommu: DMAR: the unit at 0x%lx comes twice", info->base.v);
            return;
        }
    }
    if (unit_count == UNITS)
        log_warn("iommu: more than %u units, the others stay off", UNITS);
    else
        units[unit_count++] = (struct vtd_unit){ .info = *info };
}

struct vtd_unit *vtd_unit_of(const struct pci_device *d)
{
    struct vtd_unit *rest = NULL;

    for (struct vtd_unit *u = units; u < units + unit_count; u++) {
        if (dmar_has(&u->info.devices, d))
            return u;
        if (u->info.all && u->info.devices.segment == d->at.segment->number)
            rest = u;
    }
    return rest;
}

void vtd_keep(const struct dmar_region *region)
{
    if (region_count == REGIONS)
        log_warn("iommu: DMAR: more than %u regions (RMRR), the others are out of reach", REGIONS);
    else
        regions[region_count++] = *region;
}

bool vtd_is_kept(const struct pci_device *d)
{
    for (const struct dmar_region *r = regions; r < regions + region_count; r++) {
        if (dmar_has(&r->devices, d))
            return true;
    }
    return false;
}

bool vtd_all_have(uint64_t bits)
{
    for (const struct vtd_unit *u = units; u < units + unit_count; u++) {
        if (u->on && bits & ~u->ecap)
            return false;
    }
    return true;
}

static void open_regions(struct vtd_unit *u)
{
    for (const struct dmar_region *r = regions; r < regions + region_count; r++) {
        for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
            if (dmar_has(&r->devices, d) && vtd_unit_of(d) == u && vtd_open(u, d, r))
                log_info("iommu: %s works for the firmware: it reaches 0x%lx to 0x%lx (RMRR)",
                         pci_name(&d->at).text, r->start, r->end - 1);
        }
    }
}

/* ---- At boot ---- */

/* As far as the last of its registers. */
static bool map_registers(struct vtd_unit *u)
{
    uint64_t bytes = PAGE_SIZE;

    for (unsigned look = 0; look < 2; look++) {
        u->regs = aspace_map(u->info.base, bytes, ASPACE_UC);
        if (!u->regs)
            return false;
        u->cap = vtd_read64(u, VTD_CAP);
        u->ecap = vtd_read64(u, VTD_ECAP);
        if (u->cap == UINT64_MAX)
            return false;
        bytes = VTD_CAP_FAULT_REGS(u->cap) + VTD_CAP_FAULTS(u->cap) * VTD_RECORD_BYTES;
        if (bytes <= PAGE_SIZE)
            break;
    }
    return true;
}

static void tell(const struct vtd_unit *u)
{
    uint32_t version = vtd_read32(u, VTD_VERSION);

    log_info("iommu: VT-d %u.%u at 0x%lx: %lu-bit addresses, tables of%s%s levels%s%s, %u domains",
             version >> 4 & 15, version & 15, u->info.base.v, VTD_CAP_BITS(u->cap),
             VTD_CAP_HAS_3_LEVELS(u->cap) ? " 3" : "", VTD_CAP_HAS_4_LEVELS(u->cap) ? " 4" : "",
             VTD_CAP_HAS_2M(u->cap) ? ", 2M" : "", VTD_CAP_HAS_1G(u->cap) ? ", 1G" : "",
             VTD_CAP_DOMAINS(u->cap));
}

/* What the firmware had on and cannot stay on: each of the bits, if it is set. */
static bool end_firmware(const struct vtd_unit *u)
{
    static const uint32_t bits[] = { VTD_REMAPS, VTD_OLD_INTERRUPTS, VTD_TRANSLATES };
    uint32_t status = vtd_read32(u, VTD_STATUS);

    if (!(vtd_read64(u, VTD_ROOT) & ROOT_MODE))
        status &= ~VTD_TRANSLATES; /* our table takes its place at once */
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        if (status & bits[i] && !vtd_command(u, bits[i], false))
            return false;
    }
    return true;
}

static bool translate(struct vtd_unit *u)
{
    vtd_write64(u, VTD_ROOT, heap_to_maddr(u->root).v);
    return vtd_command(u, VTD_SET_ROOT, true) && vtd_forget(u) &&
           vtd_command(u, VTD_TRANSLATES, true);
}

/* From here on the tables say who reaches what, also where firmware shut memory before. */
static void end_protection(const struct vtd_unit *u)
{
    if (vtd_read32(u, VTD_PROTECTED) & PROTECTS)
        vtd_write32(u, VTD_PROTECTED, 0);
}

/* NULL, or why it is not on. */
static const char *start_unit(struct vtd_unit *u)
{
    if (!map_registers(u))
        return "it does not answer";
    tell(u);
    if (!VTD_ECAP_HAS_QUEUE(u->ecap))
        return "it takes no commands from memory";
    if (!vtd_make_tables(u))
        return "no memory for its tables";
    open_regions(u);
    if (!end_firmware(u) || !vtd_queue_start(u) || !translate(u))
        return "it does not do as it is told";
    end_protection(u);
    if (!acpi.dmar.remaps_interrupts || !VTD_ECAP_REMAPS(u->ecap) || !vtd_remap_start(u))
        log_warn("iommu: VT-d at 0x%lx: devices can send any interrupt", u->info.base.v);
    return NULL;
}

/* Caisson's I/O APIC sends its messages through a unit that names it, or that has all the rest. */
static void let_ioapic(void)
{
    struct vtd_unit *rest = NULL;
    uint16_t bdf = 0;

    for (struct vtd_unit *u = units; u < units + unit_count; u++) {
        if (dmar_ioapic(&u->info.devices, acpi.ioapic_id, &bdf)) {
            if (u->interrupts)
                vtd_let_ioapic(u, &bdf);
            return;
        }
        if (u->info.all && !u->info.devices.segment)
            rest = u;
    }
    if (rest && rest->interrupts)
        vtd_let_ioapic(rest, NULL);
}

static void interrupt(void)
{
    for (struct vtd_unit *u = units; u < units + unit_count; u++) {
        if (u->on)
            vtd_take_faults(u);
    }
}

/* ---- For iommu.c ---- */

/* Whoever has this name, behind whichever unit; but no domain's device in another segment. */
static void silence(uint16_t bdf)
{
    for (struct vtd_unit *u = units; u < units + unit_count; u++) {
        struct vtd_entry *e = u->on ? vtd_entry_of(u, bdf) : NULL;

        if (!e || e->low & VTD_SILENT ||
            (e->low & VTD_PRESENT && e->high >> VTD_DOMAIN_SHIFT < VTD_FIRST_KEPT(u->cap)))
            continue;
        e->low |= VTD_SILENT;
        vtd_written(u, e, sizeof(*e));
        vtd_forget(u);
    }
}

static bool flush(const struct iommu_use *use, gfn_t start, uint64_t frames)
{
    return vtd_forget_pages(use->unit, use->tag, start, frames);
}

static bool has_registers(uint64_t start, uint64_t end)
{
    for (const struct vtd_unit *u = units; u < units + unit_count; u++)
        if (u->info.base.v < end && start < u->info.base.v + PAGE_SIZE)
            return true;
    return false;
}

static const struct iommu_driver driver = {
    .share = vtd_share,
    .attach = vtd_attach,
    .detach = vtd_detach,
    .block = vtd_block,
    .silence = silence,
    .flush = flush,
    .route = vtd_route,
    .unroute = vtd_unroute,
    .has_registers = has_registers,
};

const struct iommu_driver *vtd_start(const uint8_t *dmar, uint32_t length)
{
    int vector = irq_alloc_vector(interrupt);
    unsigned on = 0;

    unit_count = region_count = 0;
    dmar_read(dmar, length);
    for (struct vtd_unit *u = units; u < units + unit_count; u++) {
        const char *fault = start_unit(u);

        u->on &= !fault;
        on += u->on;
        if (fault)
            log_error("iommu: VT-d at 0x%lx: %s", u->info.base.v, fault);
        else
            vtd_fault_start(u, vector);
    }
    let_ioapic();
    log_at(on < unit_count ? LOG_ERROR : LOG_INFO,
           "iommu: VT-d: %u of %u units answer: devices behind them reach nothing", on, unit_count);
    return on ? &driver : NULL;
}
