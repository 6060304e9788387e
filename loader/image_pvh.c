/*
 * Loads a PVH kernel: an ELF file whose note of Xen's names a 32-bit entry.
 *
 * Source: Xen, docs/misc/pvh.pandoc. The modules follow the kernel, page by page; the start
 * information, with the memory map in it, goes to conventional memory, or behind all that if the
 * kernel itself lies there.
 */
#include "loader/image.h"
#include "loader/image_elf.h"
#include "include/public/hvm/start_info.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "lib/string.h"

#define INFO_LOW 0x9000UL

struct loading {
    const struct image *image;
    const struct image_memory *memory;
    uint64_t at; /* bump pointer */
    uint64_t module_start[MAX_MODULES];
    int error; /* of the writes; the first one sticks */
};

static int refuse(const struct image *image, int error, const char *why)
{
    log_error("%s: PVH: %s", image->domain, why);
    return error;
}

bool image_is_pvh(const void *data, size_t size)
{
    uint64_t entry;

    return image_elf_xen_note(data, size, XEN_ELFNOTE_PHYS32_ENTRY, &entry);
}

static uint64_t page_up(uint64_t v)
{
    return (v + PAGE_SIZE - 1) & PAGE_MASK;
}

/* Puts n bytes at the bump pointer and says where they are. */
static uint64_t place(struct loading *l, const void *from, size_t n)
{
    uint64_t at = l->at;

    if (!l->error && (at + n > MEMMAP_HIGH || at + n < at))
        l->error = -ENOMEM;
    if (!l->error)
        l->error = image_write(l->memory, at, from, n);
    l->at = (at + n + 7) & ~7UL;
    return at;
}

static uint64_t place_text(struct loading *l, const char *text)
{
    return text[0] ? place(l, text, strlen(text) + 1) : 0;
}

static void load_modules(struct loading *l)
{
    for (unsigned i = 0; i < l->image->module_count; i++) {
        l->at = page_up(l->at);
        l->module_start[i] = place(l, l->image->modules[i].data, l->image->modules[i].size);
    }
}

static uint64_t place_modlist(struct loading *l)
{
    struct xen_hvm_modlist_entry list[MAX_MODULES] = { 0 };
    unsigned n = l->image->module_count;

    for (unsigned i = 0; i < n; i++)
        list[i] = (struct xen_hvm_modlist_entry){
            .paddr = l->module_start[i],
            .size = l->image->modules[i].size,
            .cmdline_paddr = place_text(l, l->image->modules[i].cmdline),
        };
    return n ? place(l, list, n * sizeof(list[0])) : 0;
}

static uint64_t place_memmap(struct loading *l)
{
    struct xen_hvm_memmap_entry map[E820_MOST] = { 0 };
    unsigned n = l->memory->e820_count;

    for (unsigned i = 0; i < n && i < E820_MOST; i++)
        map[i] = (struct xen_hvm_memmap_entry){ .addr = l->memory->e820[i].start,
                                                .size = l->memory->e820[i].size,
                                                .type = l->memory->e820[i].type };
    return place(l, map, n * sizeof(map[0]));
}

static uint64_t place_info(struct loading *l)
{
    struct xen_hvm_start_info info = {
        .magic = XEN_HVM_START_MAGIC,
        .version = XEN_HVM_START_VERSION,
        .nr_modules = l->image->module_count,
        .modlist_paddr = place_modlist(l),
        .cmdline_paddr = place_text(l, l->image->cmdline),
        .rsdp_paddr = l->memory->acpi_rsdp.v,
        .memmap_paddr = place_memmap(l),
        .memmap_entries = l->memory->e820_count,
    };

    return place(l, &info, sizeof(info));
}

int image_pvh_load(const struct image *image, const struct image_memory *memory,
                   struct image_start *out)
{
    struct loading l = { .image = image, .memory = memory };
    struct image_extent kernel;
    uint64_t entry = 0;

    if (image->module_count > MAX_MODULES || memory->e820_count > E820_MOST)
        return refuse(image, -EINVAL, "too many modules");
    int error = image_elf_load(image, memory, &kernel);
    if (error)
        return error;
    if (!image_elf_xen_note(image->data, image->size, XEN_ELFNOTE_PHYS32_ENTRY, &entry) ||
        entry < kernel.start || entry >= kernel.end)
        return refuse(image, -ENOEXEC, "the entry lies outside the kernel");
    l.at = kernel.end < MEMMAP_EXTENDED ? MEMMAP_EXTENDED : kernel.end;
    load_modules(&l);
    l.at = kernel.start >= MEMMAP_EXTENDED ? INFO_LOW : page_up(l.at);
    out->rbx = place_info(&l);
    if (l.error)
        return refuse(image, l.error, "too little memory for modules and start information");
    out->mode = START_PROTECTED32;
    out->rip = entry;
    out->cs = 0x10;
    out->ds = 0x18;
    log_info("%s: PVH kernel at 0x%lx to 0x%lx, %u modules", image->domain, kernel.start,
             kernel.end, image->module_count);
    return 0;
}
