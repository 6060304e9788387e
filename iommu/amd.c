/*
 * AMD's IOMMU: the units, what they are told to do, and what they tell. What each device may is
 * iommu/amd_device.c's.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) Specification, "Commands", "Event Logging",
 * "MMIO Registers".
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
    REG_ABILITIES = 0x30,
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
#define ABILITY_ALL       (1u << 6) /* FORGET_ALL */
#define STATUS_OVERFLOW   (1u << 0)
#define STATUS_CLEAR      0x7         /* what is cleared by writing ones */
#define RING_4K           (8ul << 56) /* with 256 places */
#define RING_BYTES        4096

#define COMMAND_BYTES     16
#define COMMAND_WAIT      (1ul << 60 | 1) /* ... and writes a word to memory */
#define FORGET_ALL        (8ul << 60)
#define PAGES_OF(tag)     ((uint64_t)(tag) << 32)
#define PAGES_TABLES      2ul                 /* and of the tables that lead to them */
#define PAGES_BLOCK       1ul                 /* more than one */
#define PAGES_ALL         0x7FFFFFFFFFFFF001l /* instead of an address: of the whole tag */
#define EVENT_BYTES       16
#define EVENT_KIND(e)     ((unsigned)((e) >> 60))
#define EVENT_NAMES(e)    (0x39Eu >> EVENT_KIND(e) & 1) /* kinds 1 to 4, 7 to 9: a device's */
#define USELESS           4096 /* events of devices that had been stopped before, or of nobody */
#define EVENT_IS_WRITE(e) ((e) >> 53 & 1)

/* What a unit and we share: a page each. */
struct shared {
    uint64_t commands[RING_BYTES / 8];
    volatile uint64_t events[RING_BYTES / 8];
    volatile uint64_t done;
};
#define SHARED_ORDER 2

/* Set up by the boot CPU, which also takes the interrupts. Commands: iommu.c's lock, from then on.
 */
static struct unit {
    struct amd_unit info;
    volatile uint8_t *regs;
    struct shared *shared;
    unsigned command, event; /* bytes into the rings */
    bool answers;
    unsigned useless;
} units[UNITS];
static unsigned unit_count;

static void write64(const struct unit *u, unsigned reg, uint64_t value)
{
    mmio_write32(u->regs + reg, (uint32_t)value);
    mmio_write32(u->regs + reg + 4, (uint32_t)(value >> 32));
}

/* ---- What the firmware says ---- */

uint8_t amd_add(const struct amd_unit *info)
{
    for (unsigned i = 0; i < unit_count; i++) {
        if (units[i].info.base.v == info->base.v)
            return (uint8_t)(i + 1);
    }
    if (unit_count == UNITS) {
        log_warn("iommu: more than %u units, the others stay off", UNITS);
        return 0;
    }
    units[unit_count] = (struct unit){ .info = *info };
    return (uint8_t)++unit_count;
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

/* False if it does not answer, from then on. */
static bool carry_out(struct unit *u)
{
    if (!u->answers)
        return false;
    u->shared->done = 0;
    command(u, COMMAND_WAIT | heap_to_maddr((const void *)&u->shared->done).v, 1);
    for (unsigned i = 0; i < PATIENCE && !u->shared->done; i++)
        cpu_relax();
    u->answers = u->shared->done;
    return u->answers;
}

static bool forget(struct unit *u, uint16_t bdf)
{
    if (!u->answers)
        return false;
    command(u, AMD_FORGET_ENTRY | bdf, 0);
    command(u, AMD_FORGET_ROUTES | bdf, 0);
    return carry_out(u);
}

bool amd_forget(uint8_t unit, uint16_t bdf)
{
    bool done = true;

    for (unsigned i = 0; i < unit_count; i++) {
        if (!unit || unit == i + 1)
            done &= forget(&units[i], bdf);
    }
    return done;
}

bool amd_answers(uint8_t unit)
{
    return unit && units[unit - 1].answers;
}

bool amd_one_segment(void)
{
    for (unsigned i = 1; i < unit_count; i++) {
        if (units[i].info.segment != units[0].info.segment)
            return false;
    }
    return true;
}

/* The block around a page. The lowest bit from 12 on that is clear tells its size. */
static uint64_t block_of(gfn_t g)
{
    uint64_t bytes = PAGE_SIZE << iommu_order_least();

    return (gfn_to_gpa(g).v & ~(bytes - 1)) | (bytes / 2 - PAGE_SIZE) | PAGES_BLOCK;
}

void *amd_unit(uint8_t unit)
{
    return &units[unit - 1];
}

/* A block, or all. */
bool amd_flush(const struct iommu_use *use, gfn_t start, uint64_t frames)
{
    uint64_t what = frames == 1 ? block_of(start) : PAGES_ALL;
    struct unit *u = use->unit;

    if (u->answers)
        command(u, AMD_FORGET_PAGES | PAGES_OF(use->tag), what | PAGES_TABLES);
    return carry_out(u);
}

/* ---- Events ---- */

/* A device that goes on after it was stopped, with what its entry does not silence, would have the
 * boot CPU do nothing else. */
static void shut_ears(const struct unit *u)
{
    uint32_t control = mmio_read32(u->regs + REG_CONTROL);

    if (control & CONTROL_INTERRUPT)
        log_error("iommu: a device goes on after it was stopped: no more is told of that unit");
    mmio_write32(u->regs + REG_CONTROL, control & ~CONTROL_INTERRUPT);
}

/* The ring's size bounds the tail, whatever is read there. */
static void take_events(struct unit *u)
{
    static bool told;
    unsigned tail = mmio_read32(u->regs + REG_EVENT_TAIL) % RING_BYTES & ~(EVENT_BYTES - 1);

    for (; u->event != tail; u->event = (u->event + EVENT_BYTES) % RING_BYTES) {
        const volatile uint64_t *e = &u->shared->events[u->event / 8];
        uint64_t event = e[0];

        if (EVENT_NAMES(event))
            u->useless += iommu_note_fault(u->info.segment, (uint16_t)event,
                                           EVENT_IS_WRITE(event) ? IOMMU_WRITE : IOMMU_READ, e[1]);
        else
            u->useless++;
        if (!EVENT_NAMES(event) && !told)
            log_warn("iommu: event %016lx %016lx; said once", event, e[1]);
        told |= !EVENT_NAMES(event);
    }
    mmio_write32(u->regs + REG_EVENT_HEAD, tail);
    if (u->useless >= USELESS)
        shut_ears(u);
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

void amd_hear_again(void *unit)
{
    struct unit *u = unit;

    u->useless = 0;
    if (!u->answers || mmio_read32(u->regs + REG_CONTROL) & CONTROL_INTERRUPT)
        return;
    start_events(u);
    mmio_write32(u->regs + REG_CONTROL, mmio_read32(u->regs + REG_CONTROL) | CONTROL_INTERRUPT);
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

/* The first four of the firmware's flags are bits of the control register, elsewhere. */
static uint32_t control_bits(uint8_t flags)
{
    return (flags & 1u) << 1 | (flags & 2u) << 7 | (flags & 4u) << 7 | (flags & 8u) << 8;
}

/* What a unit that firmware had on keeps is forgotten: all of it, or where it cannot be told so
 * each device's entry. The mappings go when a tag is used. */
static bool forget_all(struct unit *u)
{
    u->answers = true;
    bool done = carry_out(u);

    if (done && mmio_read32(u->regs + REG_ABILITIES) & ABILITY_ALL) {
        command(u, FORGET_ALL, 0);
        return carry_out(u);
    }
    for (const struct pci_device *d = pci_next(NULL); d && done; d = pci_next(d)) {
        command(u, AMD_FORGET_ENTRY | d->at.bdf, 0);
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
    write64(u, REG_TABLE, amd_device_table());
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

static bool has_registers(uint64_t start, uint64_t end)
{
    for (const struct unit *u = units; u < units + unit_count; u++)
        if (u->info.base.v < end && start < u->info.base.v + REG_BYTES)
            return true;
    return false;
}

static const struct iommu_driver driver = {
    .share = amd_share,
    .attach = amd_attach,
    .detach = amd_detach,
    .block = amd_block,
    .silence = amd_silence,
    .flush = amd_flush,
    .route = amd_route,
    .unroute = amd_unroute,
    .has_registers = has_registers,
};

const struct iommu_driver *amd_start(const uint8_t *ivrs, uint32_t length)
{
    int vector = irq_alloc_vector(interrupt);
    unsigned on = 0;

    unit_count = 0;
    if (!amd_make_table()) {
        log_error("iommu: no memory for it: devices reach all memory");
        return NULL;
    }
    ivrs_read(ivrs, length);
    for (struct unit *u = units; u < units + unit_count; u++) {
        on += start_unit(u);
        route_interrupt(u, vector);
    }
    log_at(on < unit_count ? LOG_ERROR : LOG_INFO,
           "iommu: AMD-Vi: %u of %u units answer: devices behind them reach nothing", on,
           unit_count);
    return on ? &driver : NULL;
}
