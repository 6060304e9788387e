/* links: domain/image.c domain/image_bzimage.c domain/image_multiboot.c domain/image_pvh.c domain/image_elf.c domain/memmap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Fuzzes the image loaders: whatever the file says, only RAM is written, and what is accepted
 * starts within RAM.
 */
#include "lib/log.h"
#include "tests/fakes/guest_ram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_module module = { "ramdisk", 7, "words" };
    struct image image = { "fuzz", data, size, "console=ttyS0", &module, 1 };
    struct image_start start;
    struct memmap map;

    if (memmap_build(&map, GUEST_RAM_BYTES) != 0)
        abort();
    struct image_memory memory = guest_ram_memory(&map);
    if (image_load(&image, &memory, &start) == 0 &&
        !memmap_is_ram(map.e820, map.e820_count, start.rip, 1))
        abort();
    return 0;
}
