/*
 * Loads a multiboot1 image: an ELF kernel by its program headers, or any file by the addresses in
 * its multiboot header. An ELF kernel without such a header is started as if it had one.
 *
 * Source: Multiboot Specification 0.6.96. Modules follow the kernel, page by page; the information
 * structure goes to conventional memory, or behind all that if the kernel itself lies there.
 */
#include "loader/image.h"
#include "loader/image_flat.h"
#include "loader/image_sections.h"
#include "loader/image_tables.h"
#include "lib/log.h"
#include "lib/string.h"

#define LOADER_MAGIC  0x2BADB002u
#define ADDRESS_BYTES 32 /* with the address fields */
#define LOADER_NAME   "Caisson"

enum { FLAG_VIDEO = 1u << 2, FLAG_ADDRESSES = 1u << 16, FLAGS_KNOWN = 0x7 };
enum {
    MBI_MEMORY = 1,
    MBI_CMDLINE = 1 << 2,
    MBI_MODS = 1 << 3,
    MBI_SECTIONS = 1 << 5,
    MBI_MMAP = 1 << 6,
    MBI_LOADER = 1 << 9,
    MBI_BYTES = 120
};

long image_multiboot_header(const void *data, size_t size)
{
    static const struct image_header header = { 0x1BADB002, .within = 8192, .words = 3, .step = 4 };

    return image_find_header(data, size, &header);
}

/* Multiboot Specification, "The address fields of Multiboot header". */
static int load_by_addresses(const struct image *image, const struct image_memory *memory,
                             size_t header, struct image_extent *out)
{
    const uint8_t *h = (const uint8_t *)image->data + header;

    if (header + ADDRESS_BYTES > image->size)
        return image_refuse(image, -ENOEXEC, "the file ends within the header");
    struct image_flat flat = { header, h + 12, image_get32(h + 28) };
    return image_flat_load(image, memory, &flat, out);
}

static int load_kernel(const struct image *image, const struct image_memory *memory, long header,
                       struct image_extent *out)
{
    if (header < 0)
        return image_elf_load(image, memory, out);
    uint32_t flags = image_get32((const uint8_t *)image->data + header + 4);

    if (flags & 0xFFFF & ~FLAGS_KNOWN)
        return image_refuse(image, -ENOEXEC, "the header demands features that are unknown");
    if (flags & FLAG_VIDEO)
        log_warn("%s: multiboot: the wish for a video mode is passed over", image->domain);
    if (flags & FLAG_ADDRESSES)
        return load_by_addresses(image, memory, (size_t)header, out);
    return image_elf_load(image, memory, out);
}

static uint32_t place(struct image_place *l, const void *from, size_t n)
{
    return (uint32_t)image_place(l, from, n);
}

static uint32_t place_mods(struct image_place *l)
{
    uint32_t table[MAX_MODULES][4] = { 0 };
    unsigned n = l->image->module_count;

    for (unsigned i = 0; i < n; i++) {
        const struct image_module *m = &l->image->modules[i];
        table[i][0] = (uint32_t)l->module_start[i];
        table[i][1] = (uint32_t)(l->module_start[i] + m->size);
        table[i][2] = place(l, m->cmdline, strlen(m->cmdline) + 1);
    }
    return place(l, table, n * sizeof(table[0]));
}

/* Each entry is preceded by its size, which does not count itself. */
static uint32_t place_mmap(struct image_place *l)
{
    uint32_t first = (uint32_t)l->at;
    for (unsigned i = 0; i < l->memory->e820_count; i++) {
        struct {
            uint32_t size;
            struct e820_entry e;
        } __attribute__((packed)) entry = { 20, l->memory->e820[i] };
        (void)place(l, &entry, sizeof(entry));
    }
    return first;
}

static void place_sections(struct image_place *l, const struct image_sections *s, uint32_t *mbi)
{
    uint8_t header[64];

    mbi[0] |= MBI_SECTIONS;
    mbi[7] = s->count;
    mbi[8] = s->entry_size;
    mbi[9] = (uint32_t)l->at;
    mbi[10] = s->names;
    for (unsigned i = 0; i < s->count; i++) {
        image_sections_header(s, i, header);
        (void)place(l, header, s->entry_size);
    }
}

/* Multiboot Specification, "Boot information format"; returns where it is. */
static uint32_t place_mbi(struct image_place *l, const struct image_sections *sections)
{
    uint32_t mbi[MBI_BYTES / 4] = { 0 };

    mbi[0] = MBI_MEMORY | MBI_CMDLINE | MBI_MODS | MBI_MMAP | MBI_LOADER;
    mbi[1] = MEMMAP_EBDA >> 10;
    mbi[2] = image_upper_memory(l->memory);
    mbi[4] = place(l, l->image->cmdline, strlen(l->image->cmdline) + 1);
    mbi[5] = l->image->module_count;
    mbi[6] = place_mods(l);
    if (sections->count)
        place_sections(l, sections, mbi);
    mbi[11] = l->memory->e820_count * 24;
    mbi[12] = place_mmap(l);
    mbi[16] = place(l, LOADER_NAME, sizeof(LOADER_NAME));
    return place(l, mbi, sizeof(mbi));
}

/* An ELF file of 64 bits that has no header has its entry in 64-bit code. */
static int start_long(struct image_place *l, struct image_start *out)
{
    out->mode = START_LONG;
    l->at = (l->at + PAGE_SIZE - 1) & PAGE_MASK;
    int error = image_map_low(l->memory, l->at, out);
    return error ? error : image_write_gdt(l->memory, l->at + IMAGE_MAP_BYTES, out);
}

int image_multiboot_load(const struct image *image, const struct image_memory *memory,
                         struct image_start *out)
{
    struct image_place l = { .image = image, .memory = memory };
    struct image_extent kernel = { .entry = IMAGE_NO_ENTRY };
    struct image_sections sections;
    long header = image_multiboot_header(image->data, image->size);

    if (image->module_count > MAX_MODULES)
        return image_refuse(image, -EINVAL, "too many modules");
    int error = load_kernel(image, memory, header, &kernel);
    if (error)
        return error;
    if (kernel.entry == IMAGE_NO_ENTRY)
        return image_refuse(image, -ENOEXEC, "the entry lies in no segment");
    image_sections_place(&l, &kernel, &sections);
    image_place_modules(&l, &kernel);
    if (l.error)
        return image_refuse(image, l.error, "too little memory for the modules");
    image_start_at(out, kernel.entry, place_mbi(&l, &sections));
    out->rax = LOADER_MAGIC;
    if (!l.error && header < 0 && image_elf_is_64bit(image))
        l.error = start_long(&l, out);
    if (l.error)
        return image_refuse(image, l.error, "too little memory for the boot information");
    log_info("%s: %s kernel at 0x%llx to 0x%llx, %u modules, by its %u-bit entry", image->domain,
             image_kind_name[header < 0 ? IMAGE_ELF : IMAGE_MULTIBOOT],
             (unsigned long long)kernel.start, (unsigned long long)kernel.end, image->module_count,
             out->mode == START_LONG ? 64 : 32);
    return 0;
}
