/*
 * A PC's firmware, as its ROM holds it: it lies with its end at 4 GiB, and the last 128 KiB of it
 * once more below 1 MiB, where real mode finds it. A second file lies below the first: a store of
 * variables. The CPU starts at the reset vector.
 */
#include "lib/log.h"
#include "loader/image.h"

#define RESET_VECTOR 16 /* bytes from the end */

/* Of what is there on a PC: a jump, perhaps behind some NOPs, or a look at CR0 (by which EDK II
 * tells a reset from a start in protected mode). */
static bool is_entry(const uint8_t *code, const uint8_t *end)
{
    while (code < end && *code == 0x90)
        code++;
    if (end - code >= 3 && code[0] == 0x0F && code[1] == 0x20 && code[2] == 0xC0)
        return true;
    return code < end && (*code == 0xEA || *code == 0xE9 || *code == 0xEB);
}

bool image_is_firmware(const void *data, size_t size)
{
    const uint8_t *end = (const uint8_t *)data + size;

    return size && size % PAGE_SIZE == 0 && size <= IMAGE_ROM_MOST &&
           is_entry(end - RESET_VECTOR, end);
}

struct roms {
    struct image_module list[3]; /* from 4 GiB down */
    unsigned count;
};

static int collect(const struct image *image, struct roms *out)
{
    bool own = image_kind_of(image->data, image->size, image->pvh) == IMAGE_FIRMWARE;
    size_t sum = 0;

    out->count = 0;
    if (own)
        out->list[out->count++] = (struct image_module){ image->data, image->size, "" };
    for (unsigned i = 0; i < image->rom_count && out->count < 3; i++)
        out->list[out->count++] = image->roms[i];
    for (unsigned i = 0; i < out->count; i++) {
        if (out->list[i].size % PAGE_SIZE || out->list[i].size > IMAGE_ROM_MOST - sum)
            return -ENOEXEC;
        sum += out->list[i].size;
    }
    return image_is_firmware(out->list[0].data, out->list[0].size) ? 0 : -ENOEXEC;
}

static int refuse(const struct image *image, int error, const char *why)
{
    log_error("%s: firmware: %s", image->domain, why);
    return error;
}

static int write_low(const struct image_module *rom, const struct image_memory *memory)
{
    size_t n = rom->size < MEMMAP_FIRMWARE_LOW ? rom->size : MEMMAP_FIRMWARE_LOW;

    return memory->write(memory->ctx, gpa(MEMMAP_EXTENDED - n),
                         (const uint8_t *)rom->data + rom->size - n, n);
}

int image_firmware_load(const struct image *image, const struct image_memory *memory,
                        struct image_start *out)
{
    struct roms roms = { 0 };
    uint64_t at = MEMMAP_HIGH;
    int err = collect(image, &roms);

    if (err)
        return refuse(image, err, "not a ROM, or more than 16 MiB");
    if (image->pvh)
        return refuse(image, -EINVAL, "wants a PC: type=hvm");
    if (image->cmdline[0] && roms.count > image->rom_count)
        return refuse(image, -EINVAL, "takes no words behind --");
    for (unsigned i = 0; !err && i < roms.count; i++) {
        at -= roms.list[i].size;
        err = memory->write(memory->ctx, gpa(at), roms.list[i].data, roms.list[i].size);
    }
    out->mode = START_RESET;
    out->programs_pc = true;
    return err ? err : write_low(&roms.list[0], memory);
}
