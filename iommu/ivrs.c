/*
 * What the firmware tells of AMD's IOMMUs: where they are, and which devices need settings.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) Specification, "I/O Virtualization ACPI Table".
 */
#include "iommu/amd.h"
#include "lib/log.h"

#define BLOCKS      48 /* where they begin */
#define BLOCK_LEAST 24
#define IVHD        0x10 /* a unit's; the other two are the same with more */
#define IVHD_MORE   0x11
#define IVHD_ACPI   0x40
#define IVMD_ALL    0x20 /* memory to be kept for devices: all, one, or from one to another */
#define IVMD_RANGE  0x22
#define HEAD        24 /* of a unit's block, and with more */
#define HEAD_MORE   40
#define ACPI_LEAST  22 /* of an entry with a device's name; the last of them is its length */
#define IOAPIC      1

struct block {
    uint8_t type, flags;
    uint16_t bytes, bdf, more; /* where its capability is; of memory: the last one */
    uint64_t base;
    uint16_t segment;
} __attribute__((packed));

/* Of 4 bytes, or 8. */
struct entry {
    uint8_t type;
    uint16_t bdf;
    uint8_t settings, handle;
    uint16_t other; /* the name that it sends under */
    uint8_t variety;
} __attribute__((packed));

enum {
    ENTRY_ALL = 1,
    ENTRY_SELECT = 2,
    ENTRY_START = 3,
    ENTRY_END = 4,
    ENTRY_ALIAS = 66,
    ENTRY_ALIAS_START = 67,
    ENTRY_MORE = 70,
    ENTRY_MORE_START = 71,
    ENTRY_SPECIAL = 72,
    ENTRY_ACPI = 240,
};

/* 0: it is cut off. left: at least one byte. */
static uint32_t entry_bytes(const uint8_t *at, uint32_t left)
{
    uint32_t bytes = 4u << (*at >> 6);

    if (*at == ENTRY_ACPI)
        bytes = left < ACPI_LEAST ? ACPI_LEAST : ACPI_LEAST + at[ACPI_LEAST - 1];
    return bytes > left ? 0 : bytes;
}

struct range {
    uint16_t from;
    uint8_t settings;
    bool alias; /* all of it sends under this name: */
    uint16_t other;
};

/* r: the range that has begun last. */
static void read_device(uint8_t unit, const struct entry *e, struct range *r)
{
    switch (e->type) {
    case ENTRY_ALL:
        amd_set(unit, 0, UINT16_MAX, e->settings);
        return;
    case ENTRY_START:
    case ENTRY_MORE_START:
        *r = (struct range){ .from = e->bdf, .settings = e->settings };
        return;
    case ENTRY_ALIAS_START:
        *r = (struct range){ e->bdf, e->settings, true, e->other };
        return;
    case ENTRY_END:
        amd_set(unit, r->from, e->bdf, r->settings);
        if (r->alias)
            amd_alias(r->from, e->bdf, r->other);
        return;
    case ENTRY_ALIAS:
        amd_set(unit, e->other, e->other, e->settings);
        amd_alias(e->bdf, e->bdf, e->other);
        amd_set(unit, e->bdf, e->bdf, e->settings);
        return;
    case ENTRY_SELECT:
    case ENTRY_MORE:
        amd_set(unit, e->bdf, e->bdf, e->settings);
        return;
    case ENTRY_SPECIAL:
        amd_set(unit, e->other, e->other, e->settings);
        if (e->variety == IOAPIC)
            amd_let_ioapic(e->other);
        return;
    }
}

static void read_devices(uint8_t unit, const uint8_t *at, const uint8_t *end)
{
    struct range range = { 0 };

    for (uint32_t bytes; at < end; at += bytes) {
        bytes = entry_bytes(at, (uint32_t)(end - at));
        if (!bytes) {
            log_warn("iommu: IVRS: an entry of type %u is cut off", *at);
            return;
        }
        read_device(unit, (const struct entry *)at, &range);
    }
}

/* Memory that these devices are to reach always, for something that the firmware does with them. */
static void read_memory(const struct block *b)
{
    uint16_t from = b->type == IVMD_ALL ? 0 : b->bdf;
    uint16_t to = b->type == IVMD_ALL ? UINT16_MAX : b->type == IVMD_RANGE ? b->more : b->bdf;

    log_warn("iommu: memory that the firmware keeps for devices (IVMD) is out of reach");
    amd_keep(from, to);
}

void ivrs_read(const uint8_t *bytes, uint32_t length)
{
    for (uint32_t at = BLOCKS; at < length;) {
        const struct block *b = (const struct block *)(bytes + at);

        if (length - at < BLOCK_LEAST || b->bytes < BLOCK_LEAST || b->bytes > length - at) {
            log_warn("iommu: IVRS: broken at byte %u, the rest ignored", at);
            return;
        }
        at += b->bytes;
        if (b->type == IVHD || b->type == IVHD_MORE || b->type == IVHD_ACPI) {
            uint8_t unit =
                amd_add(&(struct amd_unit){ maddr(b->base), b->segment, b->bdf, b->flags });
            read_devices(unit, (const uint8_t *)b + (b->type == IVHD ? HEAD : HEAD_MORE),
                         bytes + at);
        } else if (b->type >= IVMD_ALL && b->type <= IVMD_RANGE) {
            read_memory(b);
        }
    }
}
