/*
 * The I/O APIC: from a line's level to a message for the local APICs.
 *
 * An edge-triggered entry sends a message at each rising edge, and forgets edges while masked. A
 * level-triggered one sends while the line is asserted, then holds back (remote IRR) until the EOI
 * of its vector comes back.
 */
#include "devices/vioapic.h"
#include "lib/assert.h"
#include "lib/likely.h"

/* Registers behind select and window. */
#define REG_ID          0x00
#define REG_VERSION     0x01
#define REG_ARBITRATION 0x02
#define REG_ENTRIES     0x10 /* two for each pin: low, high */

/* Fields of a redirection entry. */
#define ENTRY_STATUS     (1UL << 12) /* read-only, never busy here */
#define ENTRY_REMOTE_IRR (1UL << 14) /* read-only */
#define ENTRY_LEVEL      (1UL << 15)
#define ENTRY_MASKED     (1UL << 16)
#define ENTRY_WRITABLE   (0xFF0000000001FFFFUL & ~(ENTRY_STATUS | ENTRY_REMOTE_IRR))

static void deliver(struct vioapic *v, uint64_t entry)
{
    struct apic_message m = {
        .dest = entry >> 56,
        .mode = entry >> 8 & 7,
        .shorthand = APIC_TO_DEST,
        .vector = entry & 0xFF,
        .logical = entry >> 11 & 1,
        .level = (entry & ENTRY_LEVEL) != 0,
    };

    if (m.dest == 0xFF && !m.logical)
        m.dest = APIC_DEST_ALL;
    v->bus->deliver(v->bus->ctx, &m);
}

/* Sends what a level-triggered pin is owed, if anything; true if so. */
static bool serve_level(struct vioapic *v, unsigned pin)
{
    uint64_t *entry = &v->entry[pin];

    if (!(*entry & ENTRY_LEVEL) || *entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR))
        return false;
    if (!(v->lines >> pin & 1))
        return false;
    *entry |= ENTRY_REMOTE_IRR;
    deliver(v, *entry);
    return true;
}

void vioapic_set_irq(void *ctx, unsigned pin, bool level)
{
    struct vioapic *v = ctx;
    uint32_t bit = 1u << pin;
    bool rising;

    ASSERT(pin < VIOAPIC_PINS);
    rising = level && !(v->lines & bit);
    v->lines = level ? v->lines | bit : v->lines & ~bit;
    if (v->entry[pin] & ENTRY_LEVEL)
        serve_level(v, pin);
    else if (rising && !(v->entry[pin] & ENTRY_MASKED))
        deliver(v, v->entry[pin]);
}

void vioapic_settle(struct vioapic *v)
{
    bool sent = false;

    while (v->again && !sent) {
        unsigned pin = (unsigned)__builtin_ctz(v->again);

        v->again &= v->again - 1;
        sent = serve_level(v, pin);
    }
    if (v->again)
        v->bus->look(v->bus->ctx);
}

void vioapic_eoi(struct vioapic *v, uint8_t vector)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        uint64_t *entry = &v->entry[pin];

        if ((*entry & 0xFF) != vector || !(*entry & ENTRY_REMOTE_IRR))
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        v->again |= 1u << pin;
        if (unlikely(v->watched >> pin & 1))
            v->ended.set(v->ended.ctx, pin, false);
    }
    vioapic_settle(v);
}

/* ---- Registers ---- */

static uint32_t window_read(const struct vioapic *v)
{
    unsigned n = v->select - REG_ENTRIES;

    switch (v->select) {
    case REG_ID:
    case REG_ARBITRATION: /* what arbitration starts from is the ID */
        return (uint32_t)v->id << 24;
    case REG_VERSION:
        return VIOAPIC_VERSION | (VIOAPIC_PINS - 1) << 16;
    default:
        if (v->select < REG_ENTRIES || n / 2 >= VIOAPIC_PINS)
            return 0;
        return v->entry[n / 2] >> n % 2 * 32;
    }
}

/* Turning an entry to edge-triggered forgets its remote IRR: so Linux frees a stuck pin. */
static void write_entry(struct vioapic *v, unsigned pin, unsigned half, uint32_t value)
{
    uint64_t mask = (half ? 0xFFFFFFFF00000000UL : 0xFFFFFFFFUL) & ENTRY_WRITABLE;
    uint64_t *entry = &v->entry[pin];

    *entry = (*entry & ~mask) | ((uint64_t)value << half * 32 & mask);
    if (!(*entry & ENTRY_LEVEL))
        *entry &= ~ENTRY_REMOTE_IRR;
    serve_level(v, pin);
}

static void window_write(struct vioapic *v, uint32_t value)
{
    unsigned n = v->select - REG_ENTRIES;

    if (v->select == REG_ID)
        v->id = value >> 24 & 0xF;
    else if (v->select >= REG_ENTRIES && n / 2 < VIOAPIC_PINS)
        write_entry(v, n / 2, n % 2, value);
}

static uint32_t mmio_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vioapic *v = (struct vioapic *)dev;
    uint32_t value;

    (void)now;
    if (offset == VIOAPIC_SELECT)
        value = v->select;
    else if (offset == VIOAPIC_WINDOW)
        value = window_read(v);
    else
        return ~0u;
    return size == 4 ? value : value & ((1u << size * 8) - 1);
}

/* The select register is written by bytes too, as its upper 24 bits are reserved. */
static void mmio_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    struct vioapic *v = (struct vioapic *)dev;

    (void)now;
    if (offset == VIOAPIC_SELECT)
        v->select = value & 0xFF;
    else if (offset == VIOAPIC_WINDOW && size == 4)
        window_write(v, value);
    else if (offset == VIOAPIC_EOI)
        vioapic_eoi(v, value & 0xFF);
}

static void reset(struct device *dev, uint64_t now)
{
    struct vioapic *v = (struct vioapic *)dev;

    (void)now;
    v->select = 0;
    v->again = 0;
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        v->entry[pin] = ENTRY_MASKED;
}

static const struct device_ops vioapic_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .reset = reset,
};

void vioapic_init(struct vioapic *v, uint8_t id, const struct vioapic_bus *bus)
{
    *v = (struct vioapic){ .dev.ops = &vioapic_ops, .bus = bus, .id = id & 0xF };
    reset(&v->dev, 0);
}
