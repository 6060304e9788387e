/*
 * Segments and page tables for a kernel. See loader/image_tables.h.
 */
#include "loader/image_tables.h"

/* Linux, Documentation/arch/x86/boot.rst: __BOOT_CS is 0x10, __BOOT_DS 0x18. Others do not mind. */
int image_write_gdt(const struct image_memory *memory, uint64_t at, struct image_start *out)
{
    uint64_t code = out->mode == START_LONG ? 0x00AF9B000000FFFF : 0x00CF9B000000FFFF;
    const uint64_t gdt[IMAGE_GDT_BYTES / 8] = { 0, 0, code, 0x00CF93000000FFFF };

    out->gdt_base = gpa(at);
    out->gdt_limit = sizeof(gdt) - 1;
    out->cs = 0x10;
    out->ds = 0x18;
    return image_write(memory, at, gdt, sizeof(gdt));
}

/* By 2 MiB pages, whose tables are written in pieces, for the stack's sake. */
int image_map_low(const struct image_memory *memory, uint64_t at, struct image_start *out)
{
    enum { PRESENT_WRITABLE = 0x3, LARGE = 0x80, PIECE = 64 };
    uint64_t pdpt = at + PAGE_SIZE, pd = at + 2 * PAGE_SIZE, entries[PIECE];

    out->page_root = gpa(at);
    entries[0] = pdpt | PRESENT_WRITABLE;
    int error = image_write(memory, at, entries, 8);
    for (unsigned i = 0; i < 4; i++)
        entries[i] = (pd + i * PAGE_SIZE) | PRESENT_WRITABLE;
    if (!error)
        error = image_write(memory, pdpt, entries, 4 * 8);
    for (uint64_t first = 0; first < 4 * 512 && !error; first += PIECE) {
        for (unsigned i = 0; i < PIECE; i++)
            entries[i] = ((first + i) << 21) | LARGE | PRESENT_WRITABLE;
        error = image_write(memory, pd + first * 8, entries, sizeof(entries));
    }
    return error;
}
