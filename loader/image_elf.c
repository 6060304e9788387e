/*
 * ELF kernels by their program headers.
 *
 * Source: System V ABI, "Object Files". Both classes are read into one form; what is checked is
 * checked there once.
 */
#include "loader/image_elf.h"
#include "lib/log.h"
#include "lib/string.h"

#define PT_LOAD      1
#define PT_NOTE      4
#define MAX_NOTES    0x2000 /* bytes of them that are read: kernels have some hundred */
#define MAX_SEGMENTS 64     /* kernels have a handful; bounds the work for a hostile file */

struct headers {
    bool elf64;
    uint64_t entry, phoff;
    unsigned phentsize, phnum;
};

struct segment_header {
    uint32_t type;
    uint64_t offset, vaddr, paddr, filesz, memsz;
};

static void read_headers(const uint8_t *f, struct headers *h)
{
    h->elf64 = f[4] == 2;
    h->entry = h->elf64 ? image_get64(f + 24) : image_get32(f + 24);
    h->phoff = h->elf64 ? image_get64(f + 32) : image_get32(f + 28);
    h->phentsize = image_get16(f + (h->elf64 ? 54 : 42));
    h->phnum = image_get16(f + (h->elf64 ? 56 : 44));
}

/* NULL, or why the file cannot be read. */
static const char *headers_fault(const uint8_t *f, size_t size, struct headers *h)
{
    if (size < 64 || memcmp(f, "\177ELF", 4) != 0)
        return "a multiboot header without addresses, and no ELF file";
    if ((f[4] != 1 && f[4] != 2) || f[5] != 1)
        return "neither 32 nor 64 bit, or not little-endian";
    uint16_t machine = image_get16(f + 18);
    if (image_get16(f + 16) != 2 || (machine != 3 && machine != 62))
        return "not an executable for x86";
    read_headers(f, h);
    if (h->phnum == 0 || h->phnum > MAX_SEGMENTS)
        return "no program headers, or more than 64";
    if (h->phentsize < (h->elf64 ? 56 : 32))
        return "program headers are too short";
    if (h->phoff > size || h->phnum * h->phentsize > size - h->phoff)
        return "program headers lie outside the file";
    return NULL;
}

bool image_is_elf(const void *data, size_t size)
{
    struct headers h;

    return !headers_fault(data, size, &h);
}

bool image_elf_is_64bit(const struct image *image)
{
    return ((const uint8_t *)image->data)[4] == 2;
}

static struct segment_header read_segment(const struct headers *h, const uint8_t *p)
{
    if (h->elf64)
        return (struct segment_header){ image_get32(p),      image_get64(p + 8),
                                        image_get64(p + 16), image_get64(p + 24),
                                        image_get64(p + 32), image_get64(p + 40) };
    return (struct segment_header){ image_get32(p),      image_get32(p + 4),  image_get32(p + 8),
                                    image_get32(p + 12), image_get32(p + 16), image_get32(p + 20) };
}

static int load_segment(const struct image *image, const struct image_memory *memory,
                        const struct segment_header *s)
{
    if (s->offset > image->size || s->filesz > image->size - s->offset)
        return image_refuse(image, -ENOEXEC, "a segment lies outside the file");
    if (s->filesz > s->memsz)
        return image_refuse(image, -ENOEXEC, "a segment is larger in the file than in memory");
    if (s->paddr >= MEMMAP_HIGH || s->memsz > MEMMAP_HIGH - s->paddr ||
        !memmap_is_ram(memory->e820, memory->e820_count, s->paddr, s->memsz)) {
        log_error("%s: ELF: no memory at 0x%llx for a segment of 0x%llx bytes", image->domain,
                  (unsigned long long)s->paddr, (unsigned long long)s->memsz);
        return -ENOMEM;
    }
    int error = image_write(memory, s->paddr, (const uint8_t *)image->data + s->offset, s->filesz);
    if (!error)
        error = image_zero(memory, s->paddr + s->filesz, s->memsz - s->filesz);
    return error ? image_refuse(image, error, "the guest's memory could not be written") : 0;
}

/* Widens the extent. The entry is a virtual address, which is started at the physical one; a kernel
 * that is linked high and entered without paging may give the physical one itself, which counts if
 * no segment has it as a virtual one. */
static void note_segment(const struct headers *h, const struct segment_header *s,
                         struct image_extent *out, uint64_t *entry_as_physical)
{
    if (s->paddr < out->start)
        out->start = s->paddr;
    if (s->paddr + s->memsz > out->end)
        out->end = s->paddr + s->memsz;
    if (h->entry >= s->vaddr && h->entry - s->vaddr < s->memsz)
        out->entry = s->paddr + (h->entry - s->vaddr);
    if (h->entry >= s->paddr && h->entry - s->paddr < s->memsz)
        *entry_as_physical = h->entry;
}

int image_elf_load(const struct image *image, const struct image_memory *memory,
                   struct image_extent *out)
{
    struct headers h;
    const char *fault = headers_fault(image->data, image->size, &h);
    uint64_t entry_as_physical = IMAGE_NO_ENTRY;
    int error;

    if (fault)
        return image_refuse(image, -ENOEXEC, fault);
    *out = (struct image_extent){ UINT64_MAX, 0, IMAGE_NO_ENTRY };
    for (unsigned i = 0; i < h.phnum; i++) {
        const uint8_t *p = (const uint8_t *)image->data + h.phoff + i * h.phentsize;
        struct segment_header s = read_segment(&h, p);
        if (s.type != PT_LOAD || s.memsz == 0)
            continue;
        error = load_segment(image, memory, &s);
        if (error)
            return error;
        note_segment(&h, &s, out, &entry_as_physical);
    }
    if (out->entry == IMAGE_NO_ENTRY && entry_as_physical != IMAGE_NO_ENTRY) {
        log_info("%s: ELF: the entry is taken as a physical address", image->domain);
        out->entry = entry_as_physical;
    }
    return 0;
}

static uint64_t align4(uint64_t n)
{
    return (n + 3) & ~3ul;
}

/* Looks through one segment of notes: name's length, value's length, type; name, value. */
static bool find_note(const uint8_t *notes, uint64_t size, uint32_t type, uint64_t *value)
{
    while (size >= 12) {
        uint64_t name_size = image_get32(notes), value_size = image_get32(notes + 4);
        uint64_t at = 12 + align4(name_size), next = at + align4(value_size);
        if (at + value_size > size)
            return false;
        if (image_get32(notes + 8) == type && name_size == 4 && memcmp(notes + 12, "Xen", 4) == 0 &&
            (value_size == 4 || value_size == 8)) {
            *value = value_size == 4 ? image_get32(notes + at) : image_get64(notes + at);
            return true;
        }
        if (next >= size)
            return false;
        notes += next;
        size -= next;
    }
    return false;
}

bool image_elf_xen_note(const void *data, size_t size, uint32_t type, uint64_t *value)
{
    uint64_t left = MAX_NOTES;
    struct headers h;

    if (headers_fault(data, size, &h))
        return false;
    for (unsigned i = 0; i < h.phnum; i++) {
        struct segment_header s =
            read_segment(&h, (const uint8_t *)data + h.phoff + i * h.phentsize);
        if (s.type != PT_NOTE || s.offset > size || s.filesz > size - s.offset)
            continue;
        uint64_t bytes = s.filesz < left ? s.filesz : left;
        if (find_note((const uint8_t *)data + s.offset, bytes, type, value))
            return true;
        left -= bytes;
    }
    return false;
}
