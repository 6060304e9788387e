/* links: loader/image.c loader/image_bzimage.c loader/image_setup.c loader/image_multiboot.c loader/image_multiboot2.c loader/image_pvh.c loader/image_firmware.c loader/image_place.c loader/image_elf.c loader/image_flat.c loader/image_sections.c loader/image_tables.c decompress/decompress.c decompress/gzip.c decompress/inflate.c loader/memmap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Fuzzes what is unpacked: the input is a DEFLATE stream behind a header of gzip, and the trailer
 * claims a size, which the first two bytes give. Nothing is written beyond that size.
 */
#include <stdlib.h>
#include <string.h>
#include "lib/assert.h"
#include "decompress/decompress.h"
#include "tests/fuzz/input.h"

#define HEADER  10
#define TRAILER 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t work[DECOMPRESS_WORK] __attribute__((aligned(16)));
    struct input in = { data, size };
    uint32_t claims = (uint32_t)input_number(&in, 2) + 1;
    size_t n = HEADER + in.left + TRAILER, out = 0;
    uint8_t *file = calloc(1, n), *to;

    memcpy(file, "\x1F\x8B\x08", 3);
    memcpy(file + HEADER, in.at, in.left);
    memcpy(file + n - 4, &claims, 4);
    const struct decompress_format *format = decompress_format_of(file, n);
    ASSERT(format);
    if (!format->size(file, n, &out)) {
        ASSERT(out == claims);
        to = malloc(out);
        (void)!format->unpack(file, n, to, out, work);
        free(to);
    }
    free(file);
    return 0;
}
