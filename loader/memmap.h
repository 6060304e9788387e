/*
 * A guest's physical address space as its firmware would describe it: the PC's map.
 *
 *   0x00000000   RAM to 0x9FC00, then 1 KiB reserved as an EBDA
 *   0x000A0000   VGA's hole: nothing there
 *   0x000C0000   the BIOS area: backed by frames, reserved; ACPI's tables from 0xE0000 on
 *   0x00100000   RAM, to 3 GiB at most
 *   0xC0000000   devices (LAPIC, I/O APIC): nothing here
 *   0x100000000  the rest of the RAM
 */
#ifndef CAISSON_LOADER_MEMMAP_H
#define CAISSON_LOADER_MEMMAP_H

#include <stdbool.h>
#include <stdint.h>
#include "include/public/e820.h"
#include "lib/addr.h"
#include "lib/errno.h"

#define MEMMAP_EBDA         0x9FC00UL
#define MEMMAP_EBDA_MP      0x9FC10UL /* within it: where the MP tables are (machine/mp_table.h) */
#define MEMMAP_LOW_END      0xA0000UL /* of conventional memory */
#define MEMMAP_BIOS         0xC0000UL /* to 1 MiB: backed, reserved */
#define MEMMAP_ACPI         0xE0000UL /* the tables, RSDP first: systems scan for it from here on */
#define MEMMAP_MP           0xFF800UL /* the MP tables, their pointer first: firmware's page */
#define MEMMAP_FIRMWARE_LOW 0x20000UL /* of a guest's own firmware, below 1 MiB */
#define MEMMAP_EXTENDED     0x100000UL   /* RAM goes on here */
#define MEMMAP_HOLE         0xC0000000UL /* devices, to 4 GiB */
#define MEMMAP_HIGH         0x100000000UL
#define MEMMAP_MIN_BYTES    0x200000UL /* the least that mem= may ask for */
#define MEMMAP_MAX_BYTES    (1UL << 40)

/* Guest-physical addresses behind which there are to be frames. */
struct memmap_range {
    gpa_t start;
    uint64_t size; /* bytes, whole pages */
};

#define MEMMAP_MAX_BACKED 4
struct memmap {
    struct e820_entry e820[E820_MOST]; /* sorted */
    unsigned e820_count;
    struct memmap_range backed[MEMMAP_MAX_BACKED]; /* sorted; includes what e820 calls reserved */
    unsigned backed_count;
    uint64_t low_end; /* end of the RAM below 4 GiB */
};

/* Lays out ram_bytes (whole pages; addresses below 1 MiB that are no RAM cost as many bytes, as on
 * a PC). 0, or -EINVAL if it is out of MEMMAP_MIN_BYTES..MEMMAP_MAX_BYTES or no whole pages. */
int must_check memmap_build(struct memmap *out, uint64_t ram_bytes);

/* Adds a reserved piece where the map has nothing yet. */
void memmap_reserve(struct memmap *m, uint64_t start, uint64_t size);

/* Puts a frame behind an address below 4 GiB that is no RAM. */
void memmap_back_page(struct memmap *m, uint64_t at);

/* For a guest that brings its own firmware, of so many bytes: frames for that below 4 GiB, and for
 * the VGA's memory, so that firmware has all from 0 on. */
void memmap_add_firmware(struct memmap *m, uint64_t size);

/* True if all of [start, start + size) is RAM in one entry of the map; size 0 is not. */
bool memmap_is_ram(const struct e820_entry *e820, unsigned count, uint64_t start, uint64_t size);

#endif
