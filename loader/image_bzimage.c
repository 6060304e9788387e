/*
 * Loads a Linux bzImage by the 64-bit boot protocol, or the 32-bit one where it has no 64-bit
 * entry.
 *
 * Sources: Linux, Documentation/arch/x86/boot.rst and zero-page.rst. The kernel goes to the address
 * that it prefers; below that its decompressor would move it up anyway. The ramdisk goes to the top
 * of the RAM it can reach, everything small into conventional memory.
 */
#include "loader/image_bzimage.h"
#include "loader/image_tables.h"
#include "lib/log.h"
#include "lib/string.h"

/* Conventional memory, as we hand it over. */
#define GDT_AT       0x1000UL
#define STACK_TOP    0x7000UL
#define ZERO_PAGE_AT 0x7000UL
#define MAP_AT       0x9000UL
#define CMDLINE_AT   0x20000UL
#define CMDLINE_MAX  0x10000UL

enum { ZP_RSDP = 0x70, ZP_RAMDISK_HIGH = 0xC0, ZP_RAMDISK_SIZE_HIGH = 0xC4 };
enum { ZP_E820_COUNT = 0x1E8, ZP_E820 = 0x2D0, ZP_E820_MAX = 128 };

#define XLF_KERNEL_64 1
#define XLF_ABOVE_4G  2     /* the ramdisk too */
#define ENTRY_64      0x200 /* from the load address */

void bzimage_put(struct bzimage *b, uint64_t to, const void *from, size_t n)
{
    if (!b->error)
        b->error = image_write(b->memory, to, from, n);
}

void bzimage_put32(struct bzimage *b, uint64_t to, uint64_t value)
{
    uint32_t v = (uint32_t)value;
    bzimage_put(b, to, &v, sizeof(v));
}

static int check_header(struct bzimage *b)
{
    const uint8_t *f = b->file;

    if (b->image->size < HEADER_NEEDED)
        return image_refuse(b->image, -ENOEXEC, "the file ends within the header");
    b->long_mode = image_get16(f + VERSION) >= 0x20C && image_get16(f + XLOADFLAGS) & XLF_KERNEL_64;
    if (HEADER_END + 1 + f[HEADER_END] < HEADER_NEEDED)
        return image_refuse(b->image, -ENOEXEC, "the header is shorter than its version has it");
    return 0;
}

int bzimage_find_payload(struct bzimage *b)
{
    unsigned sectors = b->file[SETUP_SECTS] ? b->file[SETUP_SECTS] : 4;
    size_t offset = (sectors + 1) * 512, left;
    uint64_t bytes = (uint64_t)image_get32(b->file + SYSSIZE) * 16;

    if (offset >= b->image->size)
        return image_refuse(b->image, -ENOEXEC, "the file ends within the setup code");
    left = b->image->size - offset;
    if (image_get16(b->file + VERSION) < 0x204)
        bytes = left; /* the field had 16 bits, or means nothing */
    if (bytes == 0)
        return image_refuse(b->image, -ENOEXEC, "syssize is 0");
    if (bytes > left + 15)
        return image_refuse(b->image, -ENOEXEC, "the file is cut short");
    b->payload = b->file + offset;
    b->payload_size = bytes < left ? bytes : left;
    if (b->long_mode && b->payload_size <= ENTRY_64)
        return image_refuse(b->image, -ENOEXEC, "the kernel ends before its 64-bit entry");
    return 0;
}

static int find_place(struct bzimage *b)
{
    uint64_t alignment = image_get32(b->file + ALIGNMENT);

    b->load = image_get64(b->file + PREF_ADDRESS);
    b->init_size = image_get32(b->file + INIT_SIZE);
    if (alignment == 0 || (alignment & (alignment - 1)) || b->load % alignment)
        return image_refuse(b->image, -ENOEXEC, "pref_address is not aligned to kernel_alignment");
    if (b->load < MEMMAP_EXTENDED)
        return image_refuse(b->image, -ENOEXEC, "pref_address is below 1 MiB");
    if (b->payload_size > b->init_size)
        return image_refuse(b->image, -ENOEXEC, "init_size is smaller than the kernel");
    if (b->load >= MEMMAP_HIGH ||
        !memmap_is_ram(b->memory->e820, b->memory->e820_count, b->load, b->init_size)) {
        log_error("%s: bzImage: too little memory: the kernel needs %llu MiB", b->image->domain,
                  (unsigned long long)(((b->load + b->init_size - 1) >> 20) + 1));
        return -ENOMEM;
    }
    return 0;
}

/* The highest page-aligned place in RAM below limit that holds size bytes; 0: none. */
static uint64_t highest_place(const struct image_memory *memory, uint64_t limit, uint64_t size)
{
    uint64_t best = 0;
    for (unsigned i = 0; i < memory->e820_count; i++) {
        const struct e820_entry *e = &memory->e820[i];
        uint64_t end = e->start + e->size < limit ? e->start + e->size : limit;
        if (e->type != E820_RAM || end < size)
            continue;
        uint64_t at = (end - size) & PAGE_MASK;
        if (at >= e->start && at > best)
            best = at;
    }
    return best;
}

/* boot.rst, "xloadflags": the kernel maps what it needs of it. */
static bool takes_high_initrd(const struct bzimage *b)
{
    return b->long_mode && image_get16(b->file + XLOADFLAGS) & XLF_ABOVE_4G;
}

int bzimage_place_initrd(struct bzimage *b, uint64_t max)
{
    const struct image *image = b->image;

    if (image->module_count == 0)
        return 0;
    if (image->module_count > 1)
        return image_refuse(b->image, -EINVAL, "takes one ramdisk, there are more");
    b->initrd_size = image->modules[0].size;
    if (b->initrd_size == 0)
        return image_refuse(b->image, -EINVAL, "the ramdisk is empty");
    b->initrd = highest_place(b->memory, max + 1, b->initrd_size);
    if (b->initrd < b->load + b->init_size && takes_high_initrd(b)) {
        uint64_t at = highest_place(b->memory, UINT64_MAX, b->initrd_size);
        b->initrd = at < MEMMAP_HIGH ? 0 : at;
    }
    if (b->initrd < b->load + b->init_size)
        return image_refuse(b->image, -ENOMEM,
                            "too little memory for the ramdisk above the kernel");
    return 0;
}

static int check_cmdline(struct bzimage *b)
{
    size_t n = strlen(b->image->cmdline);
    if (n > image_get32(b->file + CMDLINE_SIZE) || n >= CMDLINE_MAX)
        return image_refuse(b->image, -EINVAL, "the command line is longer than this kernel takes");
    if (b->memory->e820_count > ZP_E820_MAX)
        return image_refuse(b->image, -EINVAL, "the memory map is longer than the zero page takes");
    return 0;
}

/* zero-page.rst; what is not set here is 0, the sentinel among it. */
static void write_zero_page(struct bzimage *b)
{
    const struct image_memory *m = b->memory;
    uint8_t type = BZIMAGE_LOADER_OTHER, count = (uint8_t)m->e820_count;
    uint64_t rsdp = m->acpi_rsdp.v;

    if (!b->error)
        b->error = image_zero(m, ZERO_PAGE_AT, PAGE_SIZE);
    bzimage_put(b, ZERO_PAGE_AT + SETUP_SECTS, b->file + SETUP_SECTS, HEADER_NEEDED - SETUP_SECTS);
    bzimage_put(b, ZERO_PAGE_AT + LOADER_TYPE, &type, 1);
    bzimage_put32(b, ZERO_PAGE_AT + RAMDISK_IMAGE, b->initrd);
    bzimage_put32(b, ZERO_PAGE_AT + RAMDISK_SIZE, b->initrd_size);
    bzimage_put32(b, ZERO_PAGE_AT + ZP_RAMDISK_HIGH, b->initrd >> 32);
    bzimage_put32(b, ZERO_PAGE_AT + ZP_RAMDISK_SIZE_HIGH, b->initrd_size >> 32);
    bzimage_put32(b, ZERO_PAGE_AT + CMDLINE_PTR, CMDLINE_AT);
    bzimage_put(b, ZERO_PAGE_AT + ZP_RSDP, &rsdp, sizeof(rsdp));
    bzimage_put(b, ZERO_PAGE_AT + ZP_E820_COUNT, &count, 1);
    bzimage_put(b, ZERO_PAGE_AT + ZP_E820, m->e820, m->e820_count * sizeof(m->e820[0]));
    bzimage_put(b, CMDLINE_AT, b->image->cmdline, strlen(b->image->cmdline) + 1);
}

static int write_all(struct bzimage *b, struct image_start *out)
{
    write_zero_page(b);
    if (!b->error)
        b->error = image_write_gdt(b->memory, GDT_AT, out);
    if (!b->error && b->long_mode)
        b->error = image_map_low(b->memory, MAP_AT, out);
    bzimage_put(b, b->load, b->payload, b->payload_size);
    if (b->initrd_size)
        bzimage_put(b, b->initrd, b->image->modules[0].data, b->initrd_size);
    if (b->error)
        return image_refuse(b->image, b->error, "the guest's memory could not be written");
    return 0;
}

int image_bzimage_load(const struct image *image, const struct image_memory *memory,
                       struct image_start *out)
{
    struct bzimage b = { .image = image, .memory = memory, .file = image->data };
    int error;

    if (image->size >= HEADER_NEEDED && image_get16(b.file + VERSION) < 0x20A)
        return bzimage_load_real(&b, out);
    if ((error = check_header(&b)) || (error = bzimage_find_payload(&b)) ||
        (error = find_place(&b)) ||
        (error = bzimage_place_initrd(&b, image_get32(b.file + INITRD_MAX))) ||
        (error = check_cmdline(&b)))
        return error;
    out->mode = b.long_mode ? START_LONG : START_PROTECTED32;
    if ((error = write_all(&b, out)))
        return error;
    out->rip = b.load + (b.long_mode ? ENTRY_64 : 0);
    out->rsp = STACK_TOP;
    out->rsi = ZERO_PAGE_AT;
    out->programs_pc = true;
    log_info("%s: bzImage at 0x%llx, %zu KiB, by its %u-bit entry; ramdisk at 0x%llx, %llu KiB",
             image->domain, (unsigned long long)b.load, b.payload_size >> 10, b.long_mode ? 64 : 32,
             (unsigned long long)b.initrd, (unsigned long long)b.initrd_size >> 10);
    return 0;
}
