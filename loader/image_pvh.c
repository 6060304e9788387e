/*
 * Loads a PVH kernel: an ELF file whose note of Xen's names a 32-bit entry.
 *
 * Source: Xen, docs/misc/pvh.pandoc. The modules follow the kernel, page by page; the start
 * information, with the memory map in it, goes to conventional memory, or behind all that if the
 * kernel itself lies there.
 */
#include "loader/image.h"
#include "loader/image_place.h"
#include "include/public/hvm/start_info.h"
#include "lib/log.h"
#include "lib/string.h"

bool image_is_pvh(const void *data, size_t size)
{
    uint64_t entry;

    return image_elf_xen_note(data, size, XEN_ELFNOTE_PHYS32_ENTRY, &entry);
}

static uint64_t place_text(struct image_place *l, const char *text)
{
    return text[0] ? image_place(l, text, strlen(text) + 1) : 0;
}

static uint64_t place_modlist(struct image_place *l)
{
    struct xen_hvm_modlist_entry list[MAX_MODULES] = { 0 };
    unsigned n = l->image->module_count;

    for (unsigned i = 0; i < n; i++)
        list[i] = (struct xen_hvm_modlist_entry){
            .paddr = l->module_start[i],
            .size = l->image->modules[i].size,
            .cmdline_paddr = place_text(l, l->image->modules[i].cmdline),
        };
    return n ? image_place(l, list, n * sizeof(list[0])) : 0;
}

static uint64_t place_memmap(struct image_place *l)
{
    struct xen_hvm_memmap_entry map[E820_MOST] = { 0 };
    unsigned n = l->memory->e820_count;

    for (unsigned i = 0; i < n && i < E820_MOST; i++)
        map[i] = (struct xen_hvm_memmap_entry){ .addr = l->memory->e820[i].start,
                                                .size = l->memory->e820[i].size,
                                                .type = l->memory->e820[i].type };
    return image_place(l, map, n * sizeof(map[0]));
}

static uint64_t place_info(struct image_place *l)
{
    struct xen_hvm_start_info info = {
        .magic = XEN_HVM_START_MAGIC,
        .version = XEN_HVM_START_VERSION,
        .flags = l->image->control ? XEN_SIF_PRIVILEGED | XEN_SIF_INITDOMAIN : 0,
        .nr_modules = l->image->module_count,
        .modlist_paddr = place_modlist(l),
        .cmdline_paddr = place_text(l, l->image->cmdline),
        .rsdp_paddr = l->memory->acpi_rsdp.v,
        .memmap_paddr = place_memmap(l),
        .memmap_entries = l->memory->e820_count,
    };

    return image_place(l, &info, sizeof(info));
}

int image_pvh_load(const struct image *image, const struct image_memory *memory,
                   struct image_start *out)
{
    struct image_place l = { .image = image, .memory = memory };
    struct image_extent kernel;
    uint64_t entry = 0;

    if (image->module_count > MAX_MODULES || memory->e820_count > E820_MOST)
        return image_refuse(image, -EINVAL, "too many modules");
    int error = image_elf_load(image, memory, &kernel);
    if (error)
        return error;
    if (!image_elf_xen_note(image->data, image->size, XEN_ELFNOTE_PHYS32_ENTRY, &entry) ||
        entry < kernel.start || entry >= kernel.end)
        return image_refuse(image, -ENOEXEC, "the entry lies outside the kernel");
    image_place_modules(&l, &kernel);
    image_start_at(out, entry, place_info(&l));
    if (l.error)
        return image_refuse(image, l.error, "too little memory for modules and start information");
    log_info("%s: PVH kernel at 0x%lx to 0x%lx, %u modules", image->domain, kernel.start,
             kernel.end, image->module_count);
    return 0;
}
