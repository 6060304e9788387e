/*
 * The Multiboot2 information structure, made into a struct boot_info.
 *
 * Sources: Multiboot2 Specification 2.0, "Boot information format"; UEFI, "GetMemoryMap()"; ACPI,
 * "Root System Description Pointer (RSDP)".
 */
#ifndef CAISSON_BOOT_MULTIBOOT2_H
#define CAISSON_BOOT_MULTIBOOT2_H

#include <stddef.h>
#include <stdint.h>
#include "boot/boot_info.h"
#include "lib/errno.h"

#define MB2_BOOTLOADER_MAGIC 0x36D76289u /* in EAX at entry */

/* How many bytes the structure at mbi says that it has (its first word); for mapping it whole. */
uint32_t mb2_size(const void *mbi);

/* Reads the structure, of which size bytes are readable; 8-aligned as the specification wants. Any
 * bytes do no harm: a tag that is cut short or makes no sense is logged and passed over. 0, or
 * -EINVAL when there is no structure or no usable memory in it. */
int must_check mb2_parse(const void *mbi, size_t size, struct boot_info *out);

#endif
