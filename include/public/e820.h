/*
 * The memory map that a guest is given: ACPI, "System Address Map Interfaces". The entry is as
 * Linux's zero page and XENMEM_memory_map want it.
 */
#ifndef CAISSON_PUBLIC_E820_H
#define CAISSON_PUBLIC_E820_H

#include <stdint.h>

#define E820_MOST 8 /* entries that Caisson gives a guest */

enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_BAD = 5 };
struct e820_entry {
    uint64_t start;
    uint64_t size; /* bytes */
    uint32_t type;
} __attribute__((packed));

#endif
