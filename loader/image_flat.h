/*
 * Multiboot headers of either version; and kernels of any format, by the addresses that one gives.
 */
#ifndef CAISSON_LOADER_IMAGE_FLAT_H
#define CAISSON_LOADER_IMAGE_FLAT_H

#include "loader/image_elf.h"

/* What a header of either version is found by: it begins with `magic`, and the sum of its first
 * words is 0. */
struct image_header {
    uint32_t magic;
    unsigned within; /* so many bytes of the file, at a multiple of step */
    unsigned words, step;
};
/* Where in the file it stands, or -1. */
long image_find_header(const void *data, size_t size, const struct image_header *header);

struct image_flat {
    size_t header;            /* where it stands in the file */
    const uint8_t *addresses; /* header_addr, load_addr, load_end_addr, bss_end_addr: in the file */
    uint32_t entry;
};

/* Loads it. 0; or, logged, -ENOEXEC, -ENOMEM or what the writes answered. */
int must_check image_flat_load(const struct image *image, const struct image_memory *memory,
                               const struct image_flat *flat, struct image_extent *out);

#endif
