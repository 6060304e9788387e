/*
 * A PC's firmware, as its ROM holds it: it lies with its end at 4 GiB, and the last 128 KiB of it
 * once more below 1 MiB, where real mode finds it. The CPU starts at its reset vector.
 */
#include "lib/log.h"
#include "loader/image.h"

#define ROM_UNIT     0x10000u
#define ROM_MOST     0x1000000u
#define RESET_VECTOR 16 /* bytes from the end */

/* Of what is there on a PC: a jump, perhaps behind some NOPs. */
static bool is_jump(const uint8_t *code, const uint8_t *end)
{
    while (code < end && *code == 0x90)
        code++;
    return code < end && (*code == 0xEA || *code == 0xE9 || *code == 0xEB);
}

bool image_is_firmware(const void *data, size_t size)
{
    const uint8_t *end = (const uint8_t *)data + size;

    return size && size % ROM_UNIT == 0 && size <= ROM_MOST && is_jump(end - RESET_VECTOR, end);
}

static size_t low_size(size_t size)
{
    return size < MEMMAP_FIRMWARE_LOW ? size : MEMMAP_FIRMWARE_LOW;
}

int image_firmware_load(const struct image *image, const struct image_memory *memory,
                        struct image_start *out)
{
    const uint8_t *end = (const uint8_t *)image->data + image->size;
    size_t low = low_size(image->size);

    if (image->pvh)
        return image_refuse(image, -EINVAL, "wants a PC: type=hvm");
    if (image->cmdline[0])
        return image_refuse(image, -EINVAL, "takes no words behind --");
    int err = memory->write(memory->ctx, gpa(MEMMAP_HIGH - image->size), image->data, image->size);
    if (err)
        return err;
    out->mode = START_RESET;
    out->programs_pc = true;
    return memory->write(memory->ctx, gpa(MEMMAP_EXTENDED - low), end - low, low);
}
