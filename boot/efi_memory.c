/*
 * The memory map of UEFI firmware, made into regions.
 *
 * In doubt memory is left alone: a type that is not known, memory that the firmware's runtime keeps
 * for itself, that does not cache, or that is more than plain RAM is reserved.
 */
#include "boot/efi_memory.h"
#include "boot/regions.h"
#include "lib/string.h"

/* UEFI, "Related Definitions" of GetMemoryMap(). */
enum {
    EFI_LOADER_CODE = 1,
    EFI_LOADER_DATA = 2,
    EFI_BOOT_SERVICES_CODE = 3,
    EFI_BOOT_SERVICES_DATA = 4,
    EFI_CONVENTIONAL = 7,
    EFI_UNUSABLE = 8,
    EFI_ACPI_RECLAIM = 9,
    EFI_ACPI_NVS = 10,
    /* 5, 6: runtime services. 11 to 13: devices and PAL code. 14: persistent. 15: unaccepted, as a
     * confidential guest's firmware leaves it: nothing is there until it is accepted. */
};

#define ATTRIBUTE_WB      (1UL << 3)
#define ATTRIBUTE_NV      (1UL << 15) /* persistent */
#define ATTRIBUTE_SP      (1UL << 18) /* specific purpose: a driver's, not for all comers */
#define ATTRIBUTE_RUNTIME (1UL << 63)

struct descriptor {
    uint32_t type, pad;
    uint64_t physical, virtual_start, pages, attributes;
};
_Static_assert(sizeof(struct descriptor) == EFI_MEMORY_STEP_MIN, "as UEFI lays it out");

static enum mem_kind kind_of_type(uint32_t type, bool in_boot_services)
{
    switch (type) {
    case EFI_LOADER_CODE:
    case EFI_LOADER_DATA:
    case EFI_CONVENTIONAL:
        return MEM_USABLE;
    case EFI_BOOT_SERVICES_CODE:
    case EFI_BOOT_SERVICES_DATA:
        return in_boot_services ? MEM_RESERVED : MEM_USABLE;
    case EFI_UNUSABLE:
        return MEM_BAD;
    case EFI_ACPI_RECLAIM:
        return MEM_ACPI;
    case EFI_ACPI_NVS:
        return MEM_NVS;
    default:
        return MEM_RESERVED;
    }
}

static bool is_plain_ram(uint64_t attributes)
{
    return (attributes & (ATTRIBUTE_WB | ATTRIBUTE_NV | ATTRIBUTE_SP | ATTRIBUTE_RUNTIME)) ==
           ATTRIBUTE_WB;
}

static enum mem_kind kind_of(const struct descriptor *d, bool in_boot_services)
{
    enum mem_kind kind = kind_of_type(d->type, in_boot_services);

    return kind == MEM_USABLE && !is_plain_ram(d->attributes) ? MEM_RESERVED : kind;
}

static uint64_t bytes_of(uint64_t pages)
{
    return (pages > UINT64_MAX >> PAGE_SHIFT ? UINT64_MAX >> PAGE_SHIFT : pages) << PAGE_SHIFT;
}

void efi_memory_put(struct boot_info *info, const struct efi_memory_map *map, enum mem_kind kind)
{
    struct descriptor d;

    if (map->step < sizeof(d))
        return;
    for (size_t at = 0; at + map->step <= map->size; at += map->step) {
        memcpy(&d, map->bytes + at, sizeof(d));
        if (kind_of(&d, map->in_boot_services) == kind)
            regions_put(info, d.physical, bytes_of(d.pages), kind);
    }
}

void efi_memory_put_all(struct boot_info *info, const struct efi_memory_map *map)
{
    for (unsigned i = 0; i < REGIONS_KINDS; i++)
        efi_memory_put(info, map, regions_order[i]);
}
