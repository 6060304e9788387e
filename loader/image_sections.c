/*
 * An ELF kernel's sections. See loader/image_sections.h.
 *
 * Source: System V ABI, "Sections". What of them is damaged is left out: a kernel starts without.
 */
#include "loader/image_sections.h"
#include "lib/string.h"

#define SHT_SYMTAB 2
#define SHT_STRTAB 3

struct section {
    uint32_t type;
    uint64_t addr, offset, size;
};

static bool is_64bit(const struct image_sections *s)
{
    return s->entry_size == 64;
}

static struct section read_section(const struct image_sections *s, unsigned i)
{
    const uint8_t *p = s->headers + (size_t)i * s->stride;

    if (is_64bit(s))
        return (struct section){ image_get32(p + 4), image_get64(p + 16), image_get64(p + 24),
                                 image_get64(p + 32) };
    return (struct section){ image_get32(p + 4), image_get32(p + 12), image_get32(p + 16),
                             image_get32(p + 20) };
}

static void find_headers(const struct image *image, struct image_sections *out)
{
    const uint8_t *f = image->data;

    memset(out, 0, sizeof(*out));
    if (image->size < 64 || memcmp(f, "\177ELF", 4) != 0)
        return;
    bool elf64 = f[4] == 2;
    uint64_t offset = elf64 ? image_get64(f + 40) : image_get32(f + 32);
    const uint8_t *last = f + (elf64 ? 58 : 46); /* the last three fields */
    unsigned count = image_get16(last + 2);
    out->stride = image_get16(last);
    out->entry_size = elf64 ? 64 : 40;
    out->names = image_get16(last + 4);
    if (out->stride < out->entry_size || count > IMAGE_MAX_SECTIONS || offset > image->size ||
        (size_t)count * out->stride > image->size - offset)
        return;
    out->headers = f + offset;
    out->count = count;
}

void image_sections_place(struct image_place *p, struct image_extent *kernel,
                          struct image_sections *out)
{
    const uint8_t *file = p->image->data;
    size_t size = p->image->size, left = size; /* honest ones share no bytes */

    find_headers(p->image, out);
    p->at = kernel->end < MEMMAP_EXTENDED ? MEMMAP_EXTENDED : (kernel->end + 7) & ~7UL;
    for (unsigned i = 0; i < out->count; i++) {
        struct section s = read_section(out, i);
        if (s.addr || s.size == 0 || s.offset > size || s.size > size - s.offset || s.size > left ||
            (s.type != SHT_SYMTAB && s.type != SHT_STRTAB))
            continue;
        left -= s.size;
        out->at[i] = image_place(p, file + s.offset, s.size);
        kernel->end = p->at;
    }
}

void image_sections_header(const struct image_sections *s, unsigned i, uint8_t out[64])
{
    memcpy(out, s->headers + (size_t)i * s->stride, s->entry_size);
    if (s->at[i])
        memcpy(out + (is_64bit(s) ? 16 : 12), &s->at[i], is_64bit(s) ? 8 : 4);
}
