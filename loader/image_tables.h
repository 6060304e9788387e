/*
 * The tables of a CPU that a kernel is started with: segments, and an identity map.
 */
#ifndef CAISSON_LOADER_IMAGE_TABLES_H
#define CAISSON_LOADER_IMAGE_TABLES_H

#include "loader/image.h"

#define IMAGE_MAP_BYTES (6 * PAGE_SIZE)
#define IMAGE_GDT_BYTES 32

/* Both write to `at`, a page's beginning, and answer as image_write() does; what the CPU has to
 * know of it goes to *out. An identity map of the low 4 GiB: IMAGE_MAP_BYTES. */
int must_check image_map_low(const struct image_memory *memory, uint64_t at,
                             struct image_start *out);
/* Flat segments, 64-bit code if out->mode is START_LONG: IMAGE_GDT_BYTES. */
int must_check image_write_gdt(const struct image_memory *memory, uint64_t at,
                               struct image_start *out);

#endif
