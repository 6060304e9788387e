/*
 * Reads the Multiboot2 information structure, tag by tag.
 *
 * The boot loader is trusted no further than needed: a length is checked before what lies under
 * it is read, and every field is fetched by memcpy, so that alignment does not matter. Which tag
 * is read by whom stands in one table.
 */
#include "boot/multiboot2.h"
#include <stdbool.h>
#include "boot/efi_memory.h"
#include "boot/grub_line.h"
#include "boot/regions.h"
#include "lib/checksum.h"
#include "lib/log.h"
#include "lib/string.h"

/* Multiboot2 Specification, "Boot information format". */
enum {
    TAG_END = 0,
    TAG_CMDLINE = 1,
    TAG_LOADER = 2,
    TAG_MODULE = 3,
    TAG_MMAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI32 = 11,
    TAG_EFI64 = 12,
    TAG_RSDP_OLD = 14,
    TAG_RSDP_NEW = 15,
    TAG_EFI_MMAP = 17,
    TAG_EFI_SERVICES = 18 /* not left: we ask for no such thing, see boot/entry.asm */
};

#define HEADER_BYTES  8 /* of the structure, and of each tag */
#define RSDP_V1_BYTES 20
#define RSDP_V2_BYTES 36

struct tag {
    const uint8_t *bytes; /* the header included */
    uint32_t type, size;
};

/* What is to be read of the memory maps: the passes of mb2_parse() differ in it. */
struct parse {
    struct boot_info *out;
    enum mem_kind kind; /* the kind of memory that this pass is after */
    bool efi_usable;    /* believe the EFI map's usable memory: there is no other map */
    unsigned usable;    /* entries of usable memory in the plain map */
    bool in_boot_services;
    bool rsdp_new, has_cmdline;
};

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Copies the text at `from` of the tag; it need not be terminated. */
static void copy_text(char *dst, size_t size, const struct tag *t, size_t from, const char *what)
{
    size_t n = 0;
    while (from + n < t->size && t->bytes[from + n])
        n++;
    if (n >= size) {
        log_warn("multiboot2: %s of %zu bytes is cut to %zu", what, n, size - 1);
        n = size - 1;
    }
    memcpy(dst, t->bytes + from, n);
    dst[n] = '\0';
}

static void read_cmdline(struct parse *p, const struct tag *t)
{
    if (p->has_cmdline) {
        log_warn("multiboot2: a second command line is passed over");
        return;
    }
    p->has_cmdline = true;
    copy_text(p->out->cmdline, sizeof(p->out->cmdline), t, HEADER_BYTES, "command line");
}

static void read_loader(struct parse *p, const struct tag *t)
{
    copy_text(p->out->loader_name, sizeof(p->out->loader_name), t, HEADER_BYTES, "loader's name");
}

static void read_module(struct parse *p, const struct tag *t)
{
    uint32_t start = get32(t->bytes + 8), end = get32(t->bytes + 12);
    unsigned n = p->out->module_count;

    if (end < start) {
        log_warn("multiboot2: a module from 0x%x to 0x%x is passed over", start, end);
        return;
    }
    if (n == MAX_MODULES) {
        log_warn("multiboot2: more than %u modules, the rest is passed over", MAX_MODULES);
        return;
    }
    struct module *m = &p->out->modules[n];
    m->start = maddr(start);
    m->size = end - start;
    copy_text(m->line, sizeof(m->line), t, 16, "module's line");
    p->out->module_count++;
}

/* Colours as numbers in fields of a pixel; what the screen can draw in, drivers/fb.c knows. */
static void read_rgb_framebuffer(struct parse *p, const struct tag *t)
{
    const uint8_t *b = t->bytes;
    struct boot_framebuffer fb = {
        .start = maddr(get64(b + 8)),
        .pitch = get32(b + 16),
        .width = get32(b + 20),
        .height = get32(b + 24),
        .bpp = b[28],
        .red = { b[32], b[33] },
        .green = { b[34], b[35] },
        .blue = { b[36], b[37] },
    };

    if (!fb.start.v || !fb.width || !fb.height || fb.width > 16384 || fb.height > 16384 ||
        fb.bpp > 32 || fb.pitch < fb.width * (fb.bpp / 8) || fb.pitch > 16384 * 8)
        return log_warn("multiboot2: a framebuffer of %ux%u, %u bits, %u bytes a line makes no "
                        "sense",
                        fb.width, fb.height, fb.bpp, fb.pitch);
    p->out->framebuffer = fb;
}

/* EGA text, on a BIOS machine, is what we have anyway; its tag ends before the colours. */
static void read_framebuffer(struct parse *p, const struct tag *t)
{
    if (t->bytes[29] != 1)
        return;
    if (t->size < 38)
        return log_warn("multiboot2: tag %u of %u bytes is too short", t->type, t->size);
    read_rgb_framebuffer(p, t);
}

static void read_efi(struct parse *p, const struct tag *t)
{
    (void)t;
    p->out->efi = true;
}

/* What the firmware still uses is left alone; its timer is silent, since interrupts are off. */
static void read_efi_services(struct parse *p, const struct tag *t)
{
    (void)t;
    p->out->efi = true;
    p->in_boot_services = true;
    log_warn("multiboot2: the boot loader has not left UEFI's boot services: their memory is lost");
}

/* The new form beats the old one, in whatever order they come. */
static void take_rsdp(struct parse *p, const struct tag *t, size_t n)
{
    const uint8_t *rsdp = t->bytes + HEADER_BYTES;

    if (p->rsdp_new)
        return;
    if (memcmp(rsdp, "RSD PTR ", 8) != 0 || checksum(rsdp, RSDP_V1_BYTES) || checksum(rsdp, n))
        return log_warn("multiboot2: an ACPI root pointer with a bad checksum is passed over");
    memset(p->out->rsdp, 0, sizeof(p->out->rsdp));
    memcpy(p->out->rsdp, rsdp, n);
    p->out->has_rsdp = true;
    p->rsdp_new = t->type == TAG_RSDP_NEW;
}

static void read_rsdp_old(struct parse *p, const struct tag *t)
{
    take_rsdp(p, t, RSDP_V1_BYTES);
}

static void read_rsdp_new(struct parse *p, const struct tag *t)
{
    take_rsdp(p, t, RSDP_V2_BYTES);
}

/* ---- The memory maps ---- */

static enum mem_kind kind_of_e820(uint32_t type)
{
    return type >= MEM_USABLE && type <= MEM_BAD ? (enum mem_kind)type : MEM_RESERVED;
}

/* The maps are read several times; the first pass complains. */
static bool step_fits(const struct parse *p, uint32_t step, uint32_t min)
{
    if (step >= min)
        return true;
    if (p->kind == MEM_USABLE)
        log_warn("multiboot2: a memory map with entries of %u bytes is passed over", step);
    return false;
}

static void read_mmap(struct parse *p, const struct tag *t)
{
    uint32_t step = get32(t->bytes + 8);

    if (!step_fits(p, step, 20))
        return;
    for (uint64_t at = 16; at + step <= t->size; at += step) {
        const uint8_t *e = t->bytes + at;
        enum mem_kind kind = kind_of_e820(get32(e + 16));
        if (kind != p->kind)
            continue;
        p->usable += kind == MEM_USABLE && get64(e + 8) > 0;
        regions_put(p->out, get64(e), get64(e + 8), kind);
    }
}

/* Where there is a plain map too, that one says what is usable. */
static void read_efi_mmap(struct parse *p, const struct tag *t)
{
    struct efi_memory_map map = { t->bytes + 16, t->size - 16, get32(t->bytes + 8),
                                  p->in_boot_services };

    p->out->efi = true;
    if (step_fits(p, get32(t->bytes + 8), EFI_MEMORY_STEP_MIN) &&
        (p->kind != MEM_USABLE || p->efi_usable))
        efi_memory_put(p->out, &map, p->kind);
}

/* ---- The walk ---- */

struct reader {
    uint32_t type, min_size;
    void (*read)(struct parse *p, const struct tag *t);
};

static const struct reader readers[] = {
    { TAG_CMDLINE, 8, read_cmdline },
    { TAG_LOADER, 8, read_loader },
    { TAG_MODULE, 16, read_module },
    { TAG_FRAMEBUFFER, 31, read_framebuffer },
    { TAG_EFI32, 8, read_efi },
    { TAG_EFI64, 8, read_efi },
    { TAG_EFI_SERVICES, 8, read_efi_services },
    { TAG_RSDP_OLD, HEADER_BYTES + RSDP_V1_BYTES, read_rsdp_old },
    { TAG_RSDP_NEW, HEADER_BYTES + RSDP_V2_BYTES, read_rsdp_new },
    { 0, 0, NULL },
};
static const struct reader plain_map[] = { { TAG_MMAP, 16, read_mmap }, { 0, 0, NULL } };
static const struct reader efi_map[] = { { TAG_EFI_MMAP, 16, read_efi_mmap }, { 0, 0, NULL } };

static void read_tag(struct parse *p, const struct tag *t, const struct reader *r)
{
    for (; r->read; r++) {
        if (r->type != t->type || t->type == TAG_END)
            continue;
        if (t->size >= r->min_size)
            r->read(p, t);
        else
            log_warn("multiboot2: tag %u of %u bytes is too short", t->type, t->size);
        return;
    }
}

/* How many of the size bytes hold whole tags; says what is wrong with the rest. */
static size_t whole_tags(const uint8_t *mbi, size_t size)
{
    size_t at = HEADER_BYTES;
    while (at + HEADER_BYTES <= size) {
        uint32_t type = get32(mbi + at), bytes = get32(mbi + at + 4);
        if (type == TAG_END)
            return at;
        if (bytes < HEADER_BYTES || bytes > size - at) {
            log_warn("multiboot2: tag %u of %u bytes does not fit", type, bytes);
            return at;
        }
        at += ((size_t)bytes + 7) & ~(size_t)7;
    }
    log_warn("multiboot2: no end tag");
    return at < size ? at : size;
}

/* Shows every tag to the readers; size is as whole_tags() says. */
static void walk(struct parse *p, const uint8_t *mbi, size_t size, const struct reader *r)
{
    for (size_t at = HEADER_BYTES; at < size;) {
        struct tag t = { mbi + at, get32(mbi + at), get32(mbi + at + 4) };
        read_tag(p, &t, r);
        at += ((size_t)t.size + 7) & ~(size_t)7;
    }
}

/* Kind by kind, each over what came before: firmware's maps do overlap. */
static void read_maps(struct parse *p, const uint8_t *mbi, size_t size)
{
    for (unsigned i = 0; i < REGIONS_KINDS; i++) {
        p->kind = regions_order[i];
        walk(p, mbi, size, plain_map);
        p->efi_usable = p->usable == 0;
        walk(p, mbi, size, efi_map);
    }
}

static bool has_usable(const struct boot_info *info)
{
    for (unsigned i = 0; i < info->region_count; i++) {
        if (info->regions[i].kind == MEM_USABLE)
            return true;
    }
    return false;
}

/* Other boot loaders hand the lines over as they are. */
static void undo_grubs_quoting(struct boot_info *info)
{
    if (strncmp(info->loader_name, "GRUB", 4) != 0)
        return;
    grub_line_undo(info->cmdline);
    for (unsigned i = 0; i < info->module_count; i++)
        grub_line_undo(info->modules[i].line);
}

uint32_t mb2_size(const void *mbi)
{
    return get32(mbi);
}

int mb2_parse(const void *mbi, size_t size, struct boot_info *out)
{
    struct parse p = { .out = out };

    memset(out, 0, sizeof(*out));
    if (size < HEADER_BYTES || mb2_size(mbi) < HEADER_BYTES) {
        log_error("multiboot2: no information structure");
        return -EINVAL;
    }
    if (mb2_size(mbi) < size)
        size = mb2_size(mbi);
    size = whole_tags(mbi, size);
    walk(&p, mbi, size, readers);
    undo_grubs_quoting(out);
    read_maps(&p, mbi, size);
    if (!has_usable(out)) {
        log_error("multiboot2: the boot loader names no usable memory");
        return -EINVAL;
    }
    return 0;
}
