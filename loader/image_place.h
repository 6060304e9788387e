/*
 * What a loader puts into a guest's memory besides the kernel: the modules behind it, and the
 * structures that tell of them. For kernels that are entered as multiboot wants it, PVH's too.
 */
#ifndef CAISSON_LOADER_IMAGE_PLACE_H
#define CAISSON_LOADER_IMAGE_PLACE_H

#include "lib/limits.h"
#include "loader/image_elf.h"

struct image_place {
    const struct image *image;
    const struct image_memory *memory;
    uint64_t at; /* where the next piece goes */
    uint64_t module_start[MAX_MODULES];
    int error; /* of the writes; the first one sticks */
};

/* Puts n bytes there, below 4 GiB, and says where they are. */
uint64_t image_place(struct image_place *p, const void *from, size_t n);
/* Puts the modules behind the kernel, page by page. What comes next goes to conventional memory, or
 * behind all that if the kernel itself lies there. */
void image_place_modules(struct image_place *p, const struct image_extent *kernel);
/* KiB of RAM from 1 MiB to the first hole. */
uint32_t image_upper_memory(const struct image_memory *m);
/* The kernel is entered in 32-bit protected mode; info: what RBX points to. */
void image_start_at(struct image_start *out, uint64_t entry, uint64_t info);

#endif
