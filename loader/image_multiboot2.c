/*
 * Loads a multiboot2 image: an ELF kernel by its program headers, or any file by the addresses in
 * its header; and lays the boot information out as a list of tags.
 *
 * Source: Multiboot2 Specification 2.0. A kernel is entered as the specification has it for a PC
 * with a BIOS, so its entries for EFI machines are passed over; one that could be moved is loaded
 * where it is linked, which its own limits always allow.
 */
#include "loader/image.h"
#include "loader/image_flat.h"
#include "loader/image_sections.h"
#include "lib/log.h"
#include "lib/string.h"

#define LOADER_MAGIC  0x36D76289u
#define HEADER_WITHIN 32768
#define HEADER_BYTES  16
#define LOADER_NAME   "Caisson"
#define MOST_INFO     21 /* kinds of information that the specification has */

enum { WANT_END, WANT_INFO, WANT_ADDRESS, WANT_ENTRY, WANT_CONSOLE, WANT_SCREEN, WANT_ALIGNED };
enum { WANT_EFI_SERVICES = 7, WANT_ENTRY_EFI32, WANT_ENTRY_EFI64, WANT_PLACE };
enum {
    TELL_END = 0,
    TELL_CMDLINE = 1,
    TELL_LOADER = 2,
    TELL_MODULE = 3,
    TELL_MEMORY = 4,
    TELL_MMAP = 6,
    TELL_SECTIONS = 9,
    TELL_RSDP_1 = 14,
    TELL_RSDP_2 = 15,
    TELL_LOAD_BASE = 21
};

/* What the header asks for. */
struct wishes {
    bool has_entry, has_address, can_be_moved;
    struct image_flat flat;
};

static uint32_t get(const struct image *image, size_t at)
{
    return image_get32((const uint8_t *)image->data + at);
}

long image_multiboot2_header(const void *data, size_t size)
{
    static const struct image_header header = { 0xE85250D6, .within = HEADER_WITHIN, .words = 4,
                                                .step = 8 };

    return image_find_header(data, size, &header);
}

/* ---- The header's tags ---- */

/* Each is answered if we can, and none of them is demanded that the specification does not have. */
static const char *check_info(const struct image *image, size_t at, size_t n)
{
    for (size_t i = 8; i + 4 <= n; i += 4)
        if (get(image, at + i) > MOST_INFO)
            return "the header demands information that is unknown";
    return NULL;
}

/* One tag of n bytes. NULL, or why the kernel cannot be loaded. */
static const char *take_tag(const struct image *image, size_t at, size_t n, struct wishes *w)
{
    static const uint8_t least[] = { [WANT_INFO] = 8, [WANT_ADDRESS] = 24, [WANT_ENTRY] = 12 };
    uint16_t type = (uint16_t)get(image, at);
    bool optional = get(image, at) >> 16 & 1;

    if (type < sizeof(least) && n < least[type])
        return "a tag of the header is too short";
    switch (type) {
    case WANT_INFO:
        return optional ? NULL : check_info(image, at, n);
    case WANT_ADDRESS:
        w->has_address = true;
        w->flat.addresses = (const uint8_t *)image->data + at + 8;
        return NULL;
    case WANT_ENTRY:
        w->has_entry = true;
        w->flat.entry = get(image, at + 8);
        return NULL;
    case WANT_PLACE:
        w->can_be_moved = true;
        return NULL;
    case WANT_CONSOLE: /* the serial port is one, and VGA's text memory */
    case WANT_ALIGNED: /* they are always */
    case WANT_SCREEN:  /* there is none, and kernels take what they get */
    case WANT_ENTRY_EFI32:
    case WANT_ENTRY_EFI64:
        return NULL;
    default:
        return optional ? NULL : "the header demands features that are unknown";
    }
}

static const char *read_header(const struct image *image, struct wishes *w)
{
    size_t at = w->flat.header, length = get(image, at + 8), end;

    if (get(image, at + 4) != 0)
        return "the header is not for x86";
    if (length > image->size - at)
        return "the file ends within the header";
    if (length > HEADER_WITHIN - at) /* "OS image format", which bounds the work too */
        return "the header does not end within the first 32 KiB";
    for (end = at + length, at += HEADER_BYTES; at + 8 <= end;) {
        size_t n = get(image, at + 4);
        if (n < 8 || n > end - at)
            return "a tag of the header is too long or too short";
        if ((uint16_t)get(image, at) == WANT_END)
            return NULL;
        const char *fault = take_tag(image, at, n, w);
        if (fault)
            return fault;
        at += (n + 7) & ~7UL;
    }
    return "the header's tags have no end";
}

static int load_kernel(const struct image *image, const struct image_memory *memory,
                       struct wishes *w, struct image_extent *out)
{
    long header = image_multiboot2_header(image->data, image->size);
    if (header < 0)
        return image_refuse(image, -ENOEXEC, "no header");
    w->flat.header = (size_t)header;
    const char *fault = read_header(image, w);
    if (!fault && w->has_address && !w->has_entry)
        fault = "the header has addresses and no entry";
    if (fault)
        return image_refuse(image, -ENOEXEC, fault);
    if (w->has_address)
        return image_flat_load(image, memory, &w->flat, out);
    int error = image_elf_load(image, memory, out);
    if (error)
        return error;
    if (w->has_entry)
        out->entry = w->flat.entry;
    if (out->entry < out->start || out->entry >= out->end)
        return image_refuse(image, -ENOEXEC, "the entry lies in no segment");
    return 0;
}

/* ---- The boot information ---- */

/* A tag is written piece by piece; the next one begins at a multiple of 8. */
static void add(struct image_place *p, const void *from, size_t n)
{
    uint64_t at = image_place(p, from, n);
    p->at = at + n;
}

static void end_tag(struct image_place *p)
{
    p->at = (p->at + 7) & ~7UL;
}

/* A tag of numbers, and n bytes behind them. */
static void add_tag(struct image_place *p, const uint32_t *numbers, unsigned count,
                    const void *more, size_t n)
{
    uint32_t head[5] = { numbers[0], (uint32_t)((count + 1) * 4 + n) };

    for (unsigned i = 1; i < count; i++)
        head[i + 1] = numbers[i];
    add(p, head, (count + 1) * 4);
    add(p, more, n);
    end_tag(p);
}
#define ADD_TAG(p, more, n, ...)                                                                   \
    add_tag(p, (const uint32_t[]){ __VA_ARGS__ },                                                  \
            sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t), more, n)

static void add_text(struct image_place *p, uint32_t type, const char *text)
{
    ADD_TAG(p, text, strlen(text) + 1, type);
}

static void add_modules(struct image_place *p)
{
    for (unsigned i = 0; i < p->image->module_count; i++) {
        const struct image_module *m = &p->image->modules[i];
        uint64_t start = p->module_start[i];
        ADD_TAG(p, m->cmdline, strlen(m->cmdline) + 1, TELL_MODULE, (uint32_t)start,
                (uint32_t)(start + m->size));
    }
}

static void add_mmap(struct image_place *p)
{
    struct {
        uint64_t start, size;
        uint32_t type, zero;
    } map[E820_MOST] = { 0 };
    unsigned n = p->memory->e820_count;

    for (unsigned i = 0; i < n && i < E820_MOST; i++) {
        map[i].start = p->memory->e820[i].start;
        map[i].size = p->memory->e820[i].size;
        map[i].type = p->memory->e820[i].type;
    }
    ADD_TAG(p, map, n * sizeof(map[0]), TELL_MMAP, sizeof(map[0]), 0);
}

/* A copy of it each, once as ACPI 1.0 knew it. */
static void add_rsdp(struct image_place *p)
{
    const uint8_t *rsdp = p->memory->rsdp;

    if (!rsdp)
        return;
    ADD_TAG(p, rsdp, 20, TELL_RSDP_1);
    ADD_TAG(p, rsdp, IMAGE_RSDP_BYTES, TELL_RSDP_2);
}

static void add_sections(struct image_place *p, const struct image_sections *s)
{
    uint32_t head[5] = { TELL_SECTIONS, 0, s->count, s->entry_size, s->names };
    uint8_t header[64];

    if (s->count == 0)
        return;
    head[1] = (uint32_t)sizeof(head) + s->count * s->entry_size;
    add(p, head, sizeof(head));
    for (unsigned i = 0; i < s->count; i++) {
        image_sections_header(s, i, header);
        add(p, header, s->entry_size);
    }
    end_tag(p);
}

/* Multiboot2 Specification, "Boot information format"; returns where it is. */
static uint64_t place_info(struct image_place *p, const struct image_sections *sections,
                           const uint64_t *load_base)
{
    uint64_t start = p->at = (p->at + 7) & ~7UL;
    uint32_t size[2] = { 0 };

    add(p, size, sizeof(size));
    add_text(p, TELL_CMDLINE, p->image->cmdline);
    add_text(p, TELL_LOADER, LOADER_NAME);
    add_modules(p);
    ADD_TAG(p, NULL, 0, TELL_MEMORY, MEMMAP_EBDA >> 10, image_upper_memory(p->memory));
    add_mmap(p);
    add_rsdp(p);
    add_sections(p, sections);
    if (load_base)
        ADD_TAG(p, NULL, 0, TELL_LOAD_BASE, (uint32_t)*load_base);
    ADD_TAG(p, NULL, 0, TELL_END);
    size[0] = (uint32_t)(p->at - start);
    p->at = start;
    add(p, size, sizeof(size));
    return start;
}

int image_multiboot2_load(const struct image *image, const struct image_memory *memory,
                          struct image_start *out)
{
    struct image_place p = { .image = image, .memory = memory };
    struct image_extent kernel = { .entry = IMAGE_NO_ENTRY };
    struct image_sections sections;
    struct wishes wishes = { 0 };

    if (image->module_count > MAX_MODULES || memory->e820_count > E820_MOST)
        return image_refuse(image, -EINVAL, "too many modules");
    int error = load_kernel(image, memory, &wishes, &kernel);
    if (error)
        return error;
    image_sections_place(&p, &kernel, &sections);
    image_place_modules(&p, &kernel);
    if (p.error)
        return image_refuse(image, p.error, "too little memory for the modules");
    image_start_at(out, kernel.entry,
                   place_info(&p, &sections, wishes.can_be_moved ? &kernel.start : NULL));
    if (p.error)
        return image_refuse(image, p.error, "too little memory for the boot information");
    out->rax = LOADER_MAGIC;
    log_info("%s: multiboot2 kernel at 0x%llx to 0x%llx, %u modules", image->domain,
             (unsigned long long)kernel.start, (unsigned long long)kernel.end, image->module_count);
    return 0;
}
