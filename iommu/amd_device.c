/*
 * AMD's IOMMU: what each device may.
 *
 * One table has an entry for each device that there could be; all units share it. An entry of a
 * device that reaches nothing is valid, with page tables that hold nothing and permission for
 * nothing, and with interrupt remapping that lets nothing through. What is valid in no way would
 * be let through as it is.
 *
 * A domain's device is given the domain's nested page tables. The formats are made for that: in an
 * entry for the processor bits 9 to 11 and 59 to 62 are free, where the IOMMU has the level of the
 * table that the entry leads to, and its permissions; the rest it finds where the processor does.
 * It wants 52 to 58 to be zero.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) Specification, "Device Table Entry Format",
 * "I/O Page Tables for Host Translations", "Sharing AMD64 Processor and I/O Page Tables",
 * "Interrupt Remapping Tables".
 */
#include "iommu/amd.h"

#include "lib/log.h"
#include "mm/heap.h"
#include "virt/virt.h"

/* An entry of the device table. */
struct entry {
    uint64_t memory, domain, interrupts, unused;
};
#define ENTRIES          0x10000
#define TABLE_ORDER      9
#define ENTRY_VALID      3ul              /* the entry, and its page tables */
#define ENTRY_LEVELS     (4ul << 9)       /* of page tables */
#define ENTRY_REACHES    (3ul << 61)      /* may read, may write, if the page tables say so too */
#define ENTRY_SILENT     (1ul << 34)      /* no events */
#define ENTRY_REMAPS     1ul              /* interrupts, and of these no kind is let through */
#define ENTRY_ROUTES     (5ul << 1)       /* but those in its table, which has 2^5 places, */
#define ENTRY_ROUTED     (2ul << 60)      /* are sent where that says */
#define SETTINGS_LOW(s)  ((s)&7ul)        /* INIT, ExtINT and NMI are let through */
#define SETTINGS_MID(s)  ((s) >> 4 & 3ul) /* system management messages */
#define SETTINGS_HIGH(s) ((s) >> 6 & 3ul) /* LINT0 and LINT1 are let through */

_Static_assert(IOMMU_ROUTES == 1 << 5, "as ENTRY_ROUTES says");

/* An entry of a device's interrupt table, in its short form. */
#define ROUTE_ON     1u
#define ROUTE_TO(id) ((id) << 8)
#define ROUTE_AS(v)  ((uint32_t)(v) << 16)
#define MOST_ID      0xFEu /* of a CPU: eight bits, and 255 is everybody */

/* Of nested page tables, for the unit: virt_caps.slat. */
#define PAGE_RIGHTS (1ul | 1ul << 61) /* read, and twice that is write */
#define TABLE_ALL   (3ul << 61)
#define TABLE_LEVEL (1ul << 9)

/* What the firmware says of each name. */
struct about {
    uint8_t unit; /* 0: it is not behind one */
    uint8_t settings;
    bool other, kept; /* it shares its name with another; memory is kept for it */
};
#define ABOUT_ORDER 6

_Static_assert(sizeof(struct about) * ENTRIES <= PAGE_SIZE << ABOUT_ORDER, "four bytes each");

static struct entry *table; /* made at boot; then iommu.c's lock */
static struct about *about; /* boot only; read afterwards */
static maddr_t no_pages;    /* page tables that hold nothing */

/* ---- At boot ---- */

static uint64_t settings_of(uint16_t bdf)
{
    return SETTINGS_LOW(about[bdf].settings) << 56 | SETTINGS_HIGH(about[bdf].settings) << 62;
}

static uint64_t messages_of(uint16_t bdf)
{
    return SETTINGS_MID(about[bdf].settings) << 40;
}

bool amd_make_table(void)
{
    void *nothing = heap_pages(0, OWNER_CAISSON);

    table = heap_pages(TABLE_ORDER, OWNER_CAISSON);
    about = heap_pages(ABOUT_ORDER, OWNER_CAISSON);
    if (!table || !about || !nothing)
        return false;
    no_pages = heap_to_maddr(nothing);
    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = (struct entry){ .memory = ENTRY_VALID | ENTRY_LEVELS | no_pages.v,
                                   .interrupts = ENTRY_REMAPS };
    return true;
}

uint64_t amd_device_table(void)
{
    return heap_to_maddr(table).v | (sizeof(struct entry) * ENTRIES / PAGE_SIZE - 1);
}

void amd_set(uint8_t unit, uint16_t from, uint16_t to, uint8_t settings)
{
    for (unsigned bdf = from; bdf <= to; bdf++) {
        about[bdf].unit = unit;
        about[bdf].settings |= settings;
        table[bdf].domain |= messages_of((uint16_t)bdf);
        table[bdf].interrupts |= settings_of((uint16_t)bdf);
    }
}

void amd_alias(uint16_t from, uint16_t to, uint16_t other)
{
    for (unsigned bdf = from; bdf <= to; bdf++) {
        about[bdf].other |= bdf != other;
        about[other].other |= bdf != other;
    }
}

void amd_keep(uint16_t from, uint16_t to)
{
    for (unsigned bdf = from; bdf <= to; bdf++)
        about[bdf].kept = true;
}

void amd_let_ioapic(uint16_t bdf)
{
    table[bdf].interrupts &= ~ENTRY_REMAPS;
}

void amd_share(void)
{
    virt_caps.slat.rights = PAGE_RIGHTS;
    virt_caps.slat.table |= TABLE_ALL;
    virt_caps.slat.level = TABLE_LEVEL;
}

/* ---- A device given, and taken back ---- */

static const char *why_not(uint16_t bdf)
{
    if (!virt_caps.amd || virt_caps.slat.level != TABLE_LEVEL)
        return "the page tables of guests are not AMD's";
    if (!amd_one_segment())
        return "the machine has several PCI segments";
    if (about[bdf].other)
        return "it and another device send under one name";
    if (about[bdf].kept)
        return "the firmware keeps memory for it (IVMD)";
    if (!(table[bdf].interrupts & ENTRY_REMAPS))
        return "it is an I/O APIC";
    return NULL;
}

/* An entry is changed word by word while the unit may read it: what grants most comes last, and
 * goes first. */
static void set_word(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* The settings that the firmware wants are for Caisson's use of the device: a guest's sends no NMI
 * and no INIT. */
static void open_entry(const struct iommu_use *u)
{
    struct entry *e = &table[u->device->at.bdf];

    set_word(&e->domain, u->tag);
    set_word(&e->interrupts,
             ENTRY_REMAPS | ENTRY_ROUTES | ENTRY_ROUTED | heap_to_maddr(u->routes).v);
    set_word(&e->memory,
             ENTRY_VALID | ENTRY_LEVELS | ENTRY_REACHES | heap_to_maddr(u->tables->root).v);
}

static void close_entry(uint16_t bdf, uint64_t domain)
{
    struct entry *e = &table[bdf];

    set_word(&e->memory, ENTRY_VALID | ENTRY_LEVELS | no_pages.v);
    set_word(&e->interrupts, ENTRY_REMAPS | settings_of(bdf));
    set_word(&e->domain, messages_of(bdf) | domain);
}

int amd_attach(struct iommu_use *u)
{
    uint16_t bdf = u->device->at.bdf;
    const char *why = why_not(bdf);

    if (!amd_answers(about[bdf].unit))
        return -ENODEV;
    if (why) {
        log_warn("iommu: %s: %s", pci_name(&u->device->at).text, why);
        return -EOPNOTSUPP;
    }
    u->unit = amd_unit(about[bdf].unit);
    u->routes = heap_pages(0, u->owner);
    if (!u->routes)
        return -ENOMEM;
    open_entry(u);
    /* The firmware may have used the tag. */
    if (amd_forget(about[bdf].unit, bdf) && amd_flush(u, gfn(0), UINT64_MAX))
        return 0;
    close_entry(bdf, 0);
    u->tables->lost = true;
    heap_forsake(u->routes, u->owner);
    return -ENODEV;
}

/* It is no bus master any more. What a dead unit may still read stays as it is. */
bool amd_detach(struct iommu_use *u)
{
    uint16_t bdf = u->device->at.bdf;

    close_entry(bdf, 0);
    bool done = amd_forget(about[bdf].unit, bdf) && amd_flush(u, gfn(0), UINT64_MAX);
    if (done)
        heap_free_pages(u->routes, 0, u->owner);
    else
        heap_forsake(u->routes, u->owner);
    amd_hear_again(u->unit);
    return done;
}

void amd_block(struct iommu_use *u)
{
    uint16_t bdf = u->device->at.bdf;

    close_entry(bdf, ENTRY_SILENT); /* nor by what is kept for its tag */
    if (!amd_forget(about[bdf].unit, bdf))
        log_error("iommu: no answer when %s was stopped", pci_name(&u->device->at).text);
}

void amd_silence(uint16_t bdf)
{
    set_word(&table[bdf].domain, table[bdf].domain | ENTRY_SILENT);
    if (!amd_forget(about[bdf].unit, bdf))
        log_error("iommu: no answer when events were shut off");
}

/* ---- Its interrupts ---- */

static int set_route(struct iommu_use *u, unsigned index, uint32_t value)
{
    uint16_t bdf = u->device->at.bdf;

    __atomic_store_n((uint32_t *)u->routes + index, value, __ATOMIC_SEQ_CST);
    return amd_forget(about[bdf].unit, bdf) ? 0 : -ENODEV;
}

int amd_route(struct iommu_use *u, unsigned index, uint32_t apic_id, uint8_t vector,
              struct msi_message *out)
{
    if (apic_id > MOST_ID)
        return -ERANGE;
    *out = (struct msi_message){ MSI_ADDRESS, index };
    return set_route(u, index, ROUTE_ON | ROUTE_TO(apic_id) | ROUTE_AS(vector));
}

void amd_unroute(struct iommu_use *u, unsigned index)
{
    if (set_route(u, index, 0))
        pci_stop(u->device);
}
