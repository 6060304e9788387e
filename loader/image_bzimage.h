/*
 * What the loaders of a bzImage share: the one for its entries in protected and in long mode, and
 * the one for its real-mode entry.
 */
#ifndef CAISSON_LOADER_IMAGE_BZIMAGE_H
#define CAISSON_LOADER_IMAGE_BZIMAGE_H

#include "loader/image.h"

/* Offsets in the file, and in the zero page, which keeps the header where it was. */
enum {
    SETUP_SECTS = 0x1F1,
    SYSSIZE = 0x1F4,
    HEADER_END = 0x201,
    VERSION = 0x206,
    LOADER_TYPE = 0x210,
    LOADFLAGS = 0x211,
    MOVE_SIZE = 0x212,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21C,
    HEAP_END = 0x224,
    CMDLINE_PTR = 0x228,
    INITRD_MAX = 0x22C,
    ALIGNMENT = 0x230,
    XLOADFLAGS = 0x236,
    CMDLINE_SIZE = 0x238,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    HEADER_NEEDED = 0x264
};
#define BZIMAGE_LOADER_OTHER 0xFF /* the type of a loader that has no number */

struct bzimage {
    const struct image *image;
    const struct image_memory *memory;
    const uint8_t *file;
    bool long_mode; /* has it a 64-bit entry? Else its 32-bit one is where it is loaded */
    const uint8_t *payload;
    size_t payload_size;
    uint64_t load, init_size; /* where it is loaded, and how much it needs from there */
    uint64_t initrd, initrd_size;
    int error; /* of the writes; the first one sticks */
};

/* Guest memory, unless an earlier write failed. */
void bzimage_put(struct bzimage *b, uint64_t to, const void *from, size_t n);
void bzimage_put32(struct bzimage *b, uint64_t to, uint64_t value);
/* Finds the protected-mode kernel, behind boot sector and setup code. 0 or -ENOEXEC, logged. */
int must_check bzimage_find_payload(struct bzimage *b);
/* Finds the highest place for the ramdisk: up to max, or anywhere if there is none and the kernel
 * takes it above 4 GiB. 0, also without a ramdisk; -EINVAL, -ENOMEM, logged. */
int must_check bzimage_place_initrd(struct bzimage *b, uint64_t max);

/* Loads by the real-mode entry: boot protocols 2.00 to 2.09. */
int must_check bzimage_load_real(struct bzimage *b, struct image_start *out);

#endif
