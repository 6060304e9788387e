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
#define IVMD        0x20 /* memory to be kept for devices, and two more kinds of that */
#define HEAD        24   /* of a unit's block, and with more */
#define HEAD_MORE   40
#define ACPI_LEAST  22 /* of an entry with a device's name; the last of them is its length */
#define IOAPIC      1

struct block {
    uint8_t type, flags;
    uint16_t bytes, bdf, capability;
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

static void read_devices(const uint8_t *at, const uint8_t *end)
{
    uint16_t from = 0;
    uint8_t range = 0; /* settings from there on */

    for (uint32_t bytes; at < end; at += bytes) {
        const struct entry *e = (const struct entry *)at;

        bytes = entry_bytes(at, (uint32_t)(end - at));
        if (!bytes) {
            log_warn("iommu: IVRS: an entry of type %u is cut off", *at);
            return;
        }
        if (e->type == ENTRY_ALL)
            amd_set(0, UINT16_MAX, e->settings);
        if (e->type == ENTRY_END)
            amd_set(from, e->bdf, range);
        if (e->type == ENTRY_START || e->type == ENTRY_ALIAS_START || e->type == ENTRY_MORE_START) {
            from = e->bdf;
            range = e->settings;
        }
        if (e->type == ENTRY_SELECT || e->type == ENTRY_MORE || e->type == ENTRY_ALIAS)
            amd_set(e->bdf, e->bdf, e->settings);
        if (e->type == ENTRY_SPECIAL || e->type == ENTRY_ALIAS)
            amd_set(e->other, e->other, e->settings);
        if (e->type == ENTRY_SPECIAL && e->variety == IOAPIC)
            amd_let_ioapic(e->other);
    }
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
            amd_add(&(struct amd_unit){ maddr(b->base), b->segment, b->bdf, b->flags });
            read_devices((const uint8_t *)b + (b->type == IVHD ? HEAD : HEAD_MORE), bytes + at);
        } else if ((b->type & ~3) == IVMD) {
            log_warn("iommu: memory that the firmware keeps for devices (IVMD) is out of reach");
        }
    }
}
