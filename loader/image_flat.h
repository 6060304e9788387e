/*
 * Kernels of any format, by the addresses that a multiboot header of either version gives.
 */
#ifndef CAISSON_LOADER_IMAGE_FLAT_H
#define CAISSON_LOADER_IMAGE_FLAT_H

#include "loader/image_elf.h"

struct image_flat {
    size_t header;            /* where it stands in the file */
    const uint8_t *addresses; /* header_addr, load_addr, load_end_addr, bss_end_addr: in the file */
    uint32_t entry;
};

/* Loads it. 0; or, logged, -ENOEXEC, -ENOMEM or what the writes answered. */
int must_check image_flat_load(const struct image *image, const struct image_memory *memory,
                               const struct image_flat *flat, struct image_extent *out);

#endif
