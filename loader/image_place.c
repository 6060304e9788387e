/*
 * Puts modules and boot information into a guest's memory. See loader/image_place.h.
 */
#include "loader/image_place.h"

#define INFO_LOW 0x9000UL

static uint64_t page_up(uint64_t v)
{
    return (v + PAGE_SIZE - 1) & PAGE_MASK;
}

uint64_t image_place(struct image_place *p, const void *from, size_t n)
{
    uint64_t at = p->at;

    if (!p->error && (at + n > MEMMAP_HIGH || at + n < at))
        p->error = -ENOMEM;
    if (!p->error)
        p->error = image_write(p->memory, at, from, n);
    p->at = (at + n + 7) & ~7UL;
    return at;
}

void image_place_modules(struct image_place *p, const struct image_extent *kernel)
{
    p->at = kernel->end < MEMMAP_EXTENDED ? MEMMAP_EXTENDED : kernel->end;
    for (unsigned i = 0; i < p->image->module_count; i++) {
        p->at = page_up(p->at);
        p->module_start[i] = image_place(p, p->image->modules[i].data, p->image->modules[i].size);
    }
    p->at = kernel->start >= MEMMAP_EXTENDED ? INFO_LOW : page_up(p->at);
}

uint32_t image_upper_memory(const struct image_memory *m)
{
    for (unsigned i = 0; i < m->e820_count; i++) {
        if (m->e820[i].type == E820_RAM && m->e820[i].start == MEMMAP_EXTENDED)
            return (uint32_t)(m->e820[i].size >> 10);
    }
    return 0;
}

/* Multiboot leaves the selectors open. They are QEMU's: xv6 has its own tables but no jump to their
 * code segment, so that an interrupt's return finds what the loader left. */
void image_start_at(struct image_start *out, uint64_t entry, uint64_t info)
{
    out->mode = START_PROTECTED32;
    out->rip = entry;
    out->rbx = info;
    out->cs = 0x08;
    out->ds = 0x10;
}
