/*
 * Boot images: recognises the kind by content and hands over to its loader.
 */
#include "loader/image.h"
#include "decompress/decompress.h"
#include "lib/log.h"
#include "lib/string.h"

const char *const image_kind_name[IMAGE_KINDS] = {
    [IMAGE_UNKNOWN] = "unknown",       [IMAGE_BZIMAGE] = "bzImage", [IMAGE_MULTIBOOT] = "multiboot",
    [IMAGE_MULTIBOOT2] = "multiboot2", [IMAGE_PVH] = "PVH",         [IMAGE_ELF] = "ELF",
    [IMAGE_FIRMWARE] = "firmware",
};

int image_write(const struct image_memory *memory, uint64_t to, const void *from, size_t n)
{
    if (n == 0)
        return 0;
    if (!memmap_is_ram(memory->e820, memory->e820_count, to, n))
        return -ENOMEM;
    return memory->write(memory->ctx, gpa(to), from, n);
}

int image_zero(const struct image_memory *memory, uint64_t to, size_t n)
{
    if (n == 0)
        return 0;
    if (!memmap_is_ram(memory->e820, memory->e820_count, to, n))
        return -ENOMEM;
    return memory->zero(memory->ctx, gpa(to), n);
}

/* Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". */
static bool is_bzimage(const uint8_t *data, size_t size)
{
    return size >= 0x206 && image_get16(data + 0x1FE) == 0xAA55 &&
           memcmp(data + 0x202, "HdrS", 4) == 0;
}

enum image_kind image_kind_of(const void *data, size_t size, bool pvh)
{
    if (is_bzimage(data, size))
        return IMAGE_BZIMAGE;
    bool multiboot = image_multiboot_header(data, size) >= 0;
    bool multiboot2 = image_multiboot2_header(data, size) >= 0;
    if (image_is_pvh(data, size) && (pvh || !(multiboot || multiboot2)))
        return IMAGE_PVH;
    if (multiboot || multiboot2)
        return multiboot2 ? IMAGE_MULTIBOOT2 : IMAGE_MULTIBOOT;
    if (image_is_elf(data, size))
        return IMAGE_ELF;
    return image_is_firmware(data, size) ? IMAGE_FIRMWARE : IMAGE_UNKNOWN;
}

int image_refuse(const struct image *image, int error, const char *why)
{
    enum image_kind kind = image_kind_of(image->data, image->size, image->pvh);

    log_error("%s: %s: %s", image->domain, image_kind_name[kind], why);
    return error;
}

static int refuse_unknown(const struct image *image)
{
    const struct decompress_format *format = decompress_format_of(image->data, image->size);

    if (format)
        log_error("%s: the kernel is packed by %s: only kernels of the boot menu are unpacked",
                  image->domain, format->name);
    else
        log_error("%s: the kernel is neither a bzImage nor multiboot nor ELF nor a ROM (%zu bytes)",
                  image->domain, image->size);
    return -ENOEXEC;
}

int image_load(const struct image *image, const struct image_memory *memory,
               struct image_start *out)
{
    enum image_kind kind = image_kind_of(image->data, image->size, image->pvh);

    memset(out, 0, sizeof(*out));
    if (image->rom_count || kind == IMAGE_FIRMWARE)
        return image_firmware_load(image, memory, out);
    if (image->control && kind != IMAGE_PVH)
        return image_refuse(image, -ENOEXEC, "rights=control wants an ELF kernel with a PVH entry");
    switch (kind) {
    case IMAGE_BZIMAGE:
        return image_bzimage_load(image, memory, out);
    case IMAGE_MULTIBOOT:
    case IMAGE_ELF:
        return image_multiboot_load(image, memory, out);
    case IMAGE_MULTIBOOT2:
        return image_multiboot2_load(image, memory, out);
    case IMAGE_PVH:
        return image_pvh_load(image, memory, out);
    default:
        return refuse_unknown(image);
    }
}
