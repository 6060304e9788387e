/*
 * Interrupts through Intel's IOMMU: a message names an entry of a table, and that says which CPU
 * and vector it goes to, and who may send it. An entry that is absent blocks, and so is each
 * message of the format that names CPU and vector itself.
 *
 * The first entries are for the lines of Caisson's I/O APIC, which sends messages as devices do.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Interrupt
 * Remapping Table Entry", "I/OxAPIC Programming".
 */
#include "arch/x86/ioapic.h"
#include "arch/x86/lapic.h"
#include "iommu/vtd.h"
#include "lib/bitmap.h"
#include "lib/log.h"
#include "mm/heap.h"

#define TABLE_ORDER    3
#define TABLE_SIZE     10  /* 2^(it + 1) entries, for the register */
#define FIRST          256 /* behind those of the I/O APIC */
#define TABLE_X2APIC   (1ul << 11)
#define ENTRY_LEVEL    (1ul << 4)
#define ENTRY_VECTOR   16
#define ENTRY_ID       32 /* of a CPU; without x2APIC it has 8 bits, 8 bits further up */
#define ENTRY_ID_OLD   40
#define ENTRY_VERIFIES (1ul << 18) /* who sends it */

_Static_assert(VTD_ROUTES * sizeof(struct vtd_entry) == PAGE_SIZE << TABLE_ORDER, "all of it");
_Static_assert(VTD_ROUTES == 2 << TABLE_SIZE, "and the unit knows");

/* What a device writes for its first one: the entry's number, and that more are told by the data.
 */
#define MESSAGE        0xFEE00018u
#define MESSAGE_NUMBER 5

#define DEVICES ((VTD_ROUTES - FIRST) / IOMMU_ROUTES) /* that there are entries for */
_Static_assert(DEVICES <= 64, "a bit each in routes_used");

static struct vtd_unit *ioapic_unit; /* boot only, like the next one */
static uint64_t ioapic_sender;       /* the high half of its entries */

static uint64_t low_half(const struct vtd_unit *u, uint8_t vector, uint32_t apic_id)
{
    return VTD_PRESENT | (uint64_t)vector << ENTRY_VECTOR |
           (uint64_t)apic_id << (u->x2apic ? ENTRY_ID : ENTRY_ID_OLD);
}

/* An entry can name that CPU. */
static bool reaches(const struct vtd_unit *u, uint32_t apic_id)
{
    return apic_id < UINT8_MAX || u->x2apic;
}

/* The half that says who may send it comes first, and stays while the entry is somebody's. */
static bool set(struct vtd_unit *u, unsigned n, uint64_t low, uint64_t high)
{
    struct vtd_entry *e = &u->interrupts[n];

    __atomic_store_n(&e->high, high, __ATOMIC_SEQ_CST);
    __atomic_store_n(&e->low, low, __ATOMIC_SEQ_CST);
    vtd_written(u, e, sizeof(*e));
    return vtd_forget_interrupts(u);
}

/* For ioapic.c: the pin's message goes by the entry of the same number. */
static int remap_pin(uint8_t pin, uint8_t vector, uint32_t apic_id, bool level)
{
    uint64_t low = low_half(ioapic_unit, vector, apic_id) | (level ? ENTRY_LEVEL : 0);

    if (!reaches(ioapic_unit, apic_id))
        return -ERANGE;
    return set(ioapic_unit, pin, low, ioapic_sender) ? 0 : -ENODEV;
}

void vtd_let_ioapic(struct vtd_unit *u, const uint16_t *bdf)
{
    if (!bdf)
        log_warn("iommu: DMAR does not say how the I/O APIC is called");
    u->forgeable = !bdf;
    ioapic_unit = u;
    ioapic_sender = bdf ? *bdf | ENTRY_VERIFIES : 0;
    ioapic_remap(remap_pin);
}

bool vtd_remap_start(struct vtd_unit *u)
{
    struct vtd_entry *table = heap_pages(TABLE_ORDER, OWNER_CAISSON);

    if (!table)
        return false;
    vtd_written(u, table, PAGE_SIZE << TABLE_ORDER);
    u->x2apic = VTD_ECAP_HAS_X2APIC(u->ecap) && lapic_reaches(UINT8_MAX);
    vtd_write64(u, VTD_INTERRUPTS,
                heap_to_maddr(table).v | TABLE_SIZE | (u->x2apic ? TABLE_X2APIC : 0));
    if (!vtd_command(u, VTD_SET_INTERRUPTS, true) || !vtd_forget_interrupts(u) ||
        !vtd_command(u, VTD_REMAPS, true))
        return false;
    u->interrupts = table;
    return true;
}

/* ---- Those of a device that a domain has ---- */

bool vtd_take_routes(struct vtd_unit *u, struct iommu_use *use)
{
    uint64_t n = bitmap_next_clear(u->routes_used, DEVICES, 0);

    if (n == DEVICES) {
        log_warn("iommu: %s: its unit has interrupts for %u devices only",
                 pci_name(&use->device->at).text, DEVICES);
        return false;
    }
    bitmap_set(u->routes_used, n);
    use->first_route = (uint16_t)(FIRST + n * IOMMU_ROUTES);
    return true;
}

bool vtd_shut_routes(struct vtd_unit *u, const struct iommu_use *use)
{
    bool done = true;

    for (unsigned i = 0; i < IOMMU_ROUTES; i++) {
        if (u->interrupts[use->first_route + i].low & VTD_PRESENT)
            done &= set(u, use->first_route + i, 0, 0);
    }
    return done;
}

bool vtd_drop_routes(struct vtd_unit *u, struct iommu_use *use)
{
    bool done = vtd_shut_routes(u, use);

    bitmap_clear(u->routes_used, (use->first_route - FIRST) / IOMMU_ROUTES);
    return done;
}

int vtd_route(struct iommu_use *use, unsigned index, uint32_t apic_id, uint8_t vector,
              struct msi_message *out)
{
    struct vtd_unit *u = use->unit;

    if (!reaches(u, apic_id))
        return -ERANGE;
    *out = (struct msi_message){ MESSAGE | (uint32_t)use->first_route << MESSAGE_NUMBER, index };
    return set(u, use->first_route + index, low_half(u, vector, apic_id),
               use->device->at.bdf | ENTRY_VERIFIES)
               ? 0
               : -ENODEV;
}

void vtd_unroute(struct iommu_use *use, unsigned index)
{
    struct vtd_unit *u = use->unit;

    if (!set(u, use->first_route + index, 0, 0))
        pci_stop(use->device);
}
