/* links: boot/efi_memory.c boot/grub_line.c boot/multiboot2.c boot/regions.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Fuzzes the reader of the Multiboot2 information structure; the map must come out in order.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "boot/multiboot2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;

    if (mb2_parse(data, size, &info) != 0)
        return 0;
    for (unsigned i = 0; i < info.region_count; i++) {
        const struct mem_region *r = &info.regions[i];
        if (r->size == 0 || (i > 0 && r[-1].start.v + r[-1].size > r->start.v))
            abort();
    }
    return 0;
}
