/*
 * AMD's IOMMU: all devices blocked, and a look at who tries.
 *
 * One table has an entry for each device that there could be; all units share it. An entry of a
 * device that reaches nothing is valid, with page tables that hold nothing and permission for
 * nothing, and with interrupt remapping that lets nothing through. What is valid in no way would
 * be let through as it is.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) Specification, "Device Table Entry Format",
 * "Commands", "Event Logging", "MMIO Registers".
 */
#include "iommu/amd.h"

#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "lib/log.h"
#include "mm/aspace.h"
#include "mm/heap.h"
#include "pci/pci.h"

#define UNITS    8
#define PATIENCE 1000000

/* Registers, and bits of them. */
enum {
    REG_TABLE = 0x00,
    REG_COMMANDS = 0x08,
    REG_EVENTS = 0x10,
    REG_CONTROL = 0x18,
    REG_EXCLUDED = 0x20, /* a range that would be let through */
    REG_COMMAND_HEAD = 0x2000,
    REG_COMMAND_TAIL = 0x2008,
    REG_EVENT_HEAD = 0x2010,
    REG_EVENT_TAIL = 0x2018,
    REG_STATUS = 0x2020,
    REG_BYTES = 0x4000,
};
#define CONTROL_ON        (1u << 0)
#define CONTROL_EVENTS    (1u << 2)
#define CONTROL_INTERRUPT (1u << 3)
#define CONTROL_COHERENT  (1u << 10)
#define CONTROL_COMMANDS  (1u << 12)
#define STATUS_OVERFLOW   (1u << 0)
#define STATUS_CLEAR      0x7         /* what is cleared by writing ones */
#define RING_4K           (8ul << 56) /* with 256 places */
#define RING_BYTES        4096

/* An entry of the device table. */
struct entry {
    uint64_t memory, domain, interrupts, unused;
};
#define ENTRIES          0x10000
#define TABLE_ORDER      9
#define ENTRY_VALID      3ul              /* the entry, and its page tables */
#define ENTRY_LEVELS     (4ul << 9)       /* of page tables */
#define ENTRY_SILENT     (1ul << 34)      /* no events */
#define ENTRY_REMAPS     1ul              /* interrupts, and of these no kind is let through */
#define SETTINGS_LOW(s)  ((s)&7ul)        /* INIT, ExtINT and NMI are let through */
#define SETTINGS_MID(s)  ((s) >> 4 & 3ul) /* system management messages */
#define SETTINGS_HIGH(s) ((s) >> 6 & 3ul) /* LINT0 and LINT1 are let through */

#define COMMAND_BYTES     16
#define COMMAND_WAIT      (1ul << 60 | 1) /* ... and writes a word to memory */
#define COMMAND_FORGET    (2ul << 60)     /* what is kept of a device's entry */
#define EVENT_BYTES       16
#define EVENT_KIND(e)     ((unsigned)((e) >> 60))
#define EVENT_FAULT       2
#define EVENT_IS_WRITE(e) ((e) >> 53 & 1)

/* What a unit and we share: a page each. */
struct shared {
    uint64_t commands[RING_BYTES / 8];
    volatile uint64_t events[RING_BYTES / 8];
    volatile uint64_t done;
};
#define SHARED_ORDER 2

/* Set up by the boot CPU, which also takes the interrupts. */
static struct unit {
    struct amd_unit info;
    volatile uint8_t *regs;
    struct shared *shared;
    unsigned command, event; /* bytes into the rings */
} units[UNITS];
static unsigned unit_count;
static struct entry *table;

static void write64(const struct unit *u, unsigned reg, uint64_t value)
{
    mmio_write32(u->regs + reg, (uint32_t)value);
    mmio_write32(u->regs + reg + 4, (uint32_t)(value >> 32));
}

/* ---- What the firmware says ---- */

void amd_add(const struct amd_unit *info)
{
    for (unsigned i = 0; i < unit_count; i++) {
        if (units[i].info.base.v == info->base.v)
            return;
    }
    if (unit_count == UNITS)
        log_warn("iommu: more than %u units, the others stay off", UNITS);
    else
        units[unit_count++] = (struct unit){ .info = *info };
}

void amd_set(uint16_t from, uint16_t to, uint8_t settings)
{
    for (unsigned bdf = from; settings && bdf <= to; bdf++) {
        table[bdf].domain |= SETTINGS_MID(settings) << 40;
        table[bdf].interrupts |= SETTINGS_LOW(settings) << 56 | SETTINGS_HIGH(settings) << 62;
    }
}

void amd_let_ioapic(uint16_t bdf)
{
    table[bdf].interrupts &= ~ENTRY_REMAPS;
}

/* ---- Commands ---- */

static void command(struct unit *u, uint64_t first, uint64_t second)
{
    uint64_t *place = &u->shared->commands[u->command / 8];

    place[0] = first;
    place[1] = second;
    u->command = (u->command + COMMAND_BYTES) % RING_BYTES;
    mmio_write32(u->regs + REG_COMMAND_TAIL, u->command);
}

/* False if it does not answer. */
static bool carry_out(struct unit *u)
{
    u->shared->done = 0;
    command(u, COMMAND_WAIT | heap_to_maddr((const void *)&u->shared->done).v, 1);
    for (unsigned i = 0; i < PATIENCE && !u->shared->done; i++)
        cpu_relax();
    return u->shared->done;
}

/* ---- Events ---- */

/* A device that nobody owns has no business of its own: it is stopped. Nothing more is heard of it,
 * also if it does not stop, or is none that the walk has found. */
static void count_fault(struct unit *u, uint64_t event, uint64_t address)
{
    uint16_t bdf = (uint16_t)event;
    struct pci_device *d = pci_find(u->info.segment, bdf);

    table[bdf].domain |= ENTRY_SILENT;
    command(u, COMMAND_FORGET | bdf, 0);
    if (!d || d->faults++)
        return;
    log_warn("iommu: %s %s 0x%lx, which it was not given: blocked, and stopped",
             pci_name(&d->at).text, EVENT_IS_WRITE(event) ? "wrote to" : "read from", address);
    pci_stop(d);
}

/* The ring's size bounds the tail, whatever is read there. */
static void take_events(struct unit *u)
{
    static bool told;
    unsigned tail = mmio_read32(u->regs + REG_EVENT_TAIL) % RING_BYTES & ~(EVENT_BYTES - 1);

    for (; u->event != tail; u->event = (u->event + EVENT_BYTES) % RING_BYTES) {
        const volatile uint64_t *e = &u->shared->events[u->event / 8];
        uint64_t event = e[0];

        if (EVENT_KIND(event) == EVENT_FAULT)
            count_fault(u, event, e[1]);
        else if (!told)
            log_warn("iommu: event %016lx %016lx; said once", event, e[1]);
        told |= EVENT_KIND(event) != EVENT_FAULT;
    }
    mmio_write32(u->regs + REG_EVENT_HEAD, tail);
}

/* Its address is written anew after it ran over, which empties it. */
static void start_events(struct unit *u)
{
    uint32_t control = mmio_read32(u->regs + REG_CONTROL) & ~CONTROL_EVENTS;

    mmio_write32(u->regs + REG_CONTROL, control);
    mmio_write32(u->regs + REG_STATUS, STATUS_CLEAR);
    u->event = 0;
    write64(u, REG_EVENTS, heap_to_maddr((const void *)u->shared->events).v | RING_4K);
    mmio_write32(u->regs + REG_CONTROL, control | CONTROL_EVENTS);
}

static void interrupt(void)
{
    for (struct unit *u = units; u < units + unit_count; u++) {
        uint32_t status = mmio_read32(u->regs + REG_STATUS);

        mmio_write32(u->regs + REG_STATUS, status & STATUS_CLEAR & ~STATUS_OVERFLOW);
        take_events(u);
        if (status & STATUS_OVERFLOW)
            start_events(u);
    }
}

/* ---- At boot ---- */

static bool make_table(void)
{
    void *no_pages = heap_pages(0, OWNER_CAISSON);

    table = heap_pages(TABLE_ORDER, OWNER_CAISSON);
    if (!table || !no_pages)
        return false;
    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = (struct entry){ .memory = ENTRY_VALID | ENTRY_LEVELS | heap_to_maddr(no_pages).v,
                                   .interrupts = ENTRY_REMAPS };
    return true;
}

/* The first four of the firmware's flags are bits of the control register, elsewhere. */
static uint32_t control_bits(uint8_t flags)
{
    return (flags & 1u) << 1 | (flags & 2u) << 7 | (flags & 4u) << 7 | (flags & 8u) << 8;
}

/* What a unit that firmware had on keeps of entries is forgotten, device by device. */
static bool forget_all(struct unit *u)
{
    bool done = carry_out(u);

    for (const struct pci_device *d = pci_next(NULL); d && done; d = pci_next(d)) {
        command(u, COMMAND_FORGET | d->at.bdf, 0);
        done = carry_out(u);
    }
    return done;
}

static bool start_unit(struct unit *u)
{
    u->regs = aspace_map(u->info.base, REG_BYTES, ASPACE_UC);
    u->shared = heap_pages(SHARED_ORDER, OWNER_CAISSON);
    if (!u->regs || !u->shared)
        return false;
    mmio_write32(u->regs + REG_CONTROL, 0);
    write64(u, REG_EXCLUDED, 0);
    write64(u, REG_TABLE,
            heap_to_maddr(table).v | (sizeof(struct entry) * ENTRIES / PAGE_SIZE - 1));
    write64(u, REG_COMMANDS, heap_to_maddr(u->shared->commands).v | RING_4K);
    mmio_write32(u->regs + REG_CONTROL, control_bits(u->info.flags) | CONTROL_COHERENT |
                                            CONTROL_COMMANDS | CONTROL_INTERRUPT);
    start_events(u);
    mmio_write32(u->regs + REG_CONTROL, mmio_read32(u->regs + REG_CONTROL) | CONTROL_ON);
    return forget_all(u);
}

/* Without an interrupt faults are blocked all the same, and nobody hears of them. */
static void route_interrupt(const struct unit *u, int vector)
{
    struct pci_device *d = pci_find(u->info.segment, u->info.bdf);

    if (!d || vector < 0 || !pci_route_message(d, (uint8_t)vector, lapic_id()))
        log_warn("iommu: no interrupt for the unit at 0x%lx", u->info.base.v);
}

void amd_start(const uint8_t *ivrs, uint32_t length)
{
    int vector = irq_alloc_vector(interrupt);
    unsigned on = 0;

    unit_count = 0;
    if (!make_table()) {
        log_error("iommu: no memory for it: devices reach all memory");
        return;
    }
    ivrs_read(ivrs, length);
    for (struct unit *u = units; u < units + unit_count; u++) {
        on += start_unit(u);
        route_interrupt(u, vector);
    }
    log_at(on < unit_count ? LOG_ERROR : LOG_INFO,
           "iommu: AMD-Vi: %u of %u units answer: devices behind them reach nothing", on,
           unit_count);
}
