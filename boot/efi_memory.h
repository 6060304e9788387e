/*
 * The memory map of UEFI firmware: what its types and attributes mean for us.
 *
 * Used by both that get to see one: boot/multiboot2.c, which a boot loader hands it to, and
 * caisson.efi (boot/efi/), which asks the firmware itself.
 *
 * Sources: UEFI Specification, "EFI_BOOT_SERVICES.GetMemoryMap()" and "Memory Type Usage after
 * ExitBootServices()".
 */
#ifndef CAISSON_BOOT_EFI_MEMORY_H
#define CAISSON_BOOT_EFI_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "boot/boot_info.h"

/* A map as the firmware gives it: the step from one descriptor to the next may be larger than the
 * part of it that is known, EFI_MEMORY_STEP_MIN bytes. */
struct efi_memory_map {
    const uint8_t *bytes;
    size_t size, step;
    bool in_boot_services; /* not left yet: their code and data are in use */
};
#define EFI_MEMORY_STEP_MIN 40

/* Puts the map's regions of one kind into info. */
void efi_memory_put(struct boot_info *info, const struct efi_memory_map *map, enum mem_kind kind);

/* Puts all of them: usable memory first, and what must not be used over it. */
void efi_memory_put_all(struct boot_info *info, const struct efi_memory_map *map);

#endif
