/*
 * ELF kernels by their program headers, 32 and 64 bit, for x86.
 */
#ifndef CAISSON_LOADER_IMAGE_ELF_H
#define CAISSON_LOADER_IMAGE_ELF_H

#include "loader/image.h"

/* Where a kernel came to lie, from its lowest to behind its highest byte. The entry is that of the
 * ELF header, made physical; a PVH kernel's may be nonsense, as a note names another one. */
#define IMAGE_NO_ENTRY UINT64_MAX
struct image_extent {
    uint64_t start, end, entry; /* physical, below 4 GiB */
};

/* Loads all PT_LOAD segments to their physical addresses. 0; or, logged, -ENOEXEC, -ENOMEM or what
 * the writes answered. */
int must_check image_elf_load(const struct image *image, const struct image_memory *memory,
                              struct image_extent *out);

/* Of a file that is one. */
bool image_elf_is_64bit(const struct image *image);

/* Does the file have a note of Xen's of this type with a number in it? */
bool image_elf_xen_note(const void *data, size_t size, uint32_t type, uint64_t *value);

#endif
