/*
 * Finds a header, loads by its addresses. See loader/image_flat.h.
 *
 * Sources: Multiboot Specification 0.6.96, "The address fields of Multiboot header"; Multiboot2
 * Specification 2.0, "The address tag of Multiboot2 header". They mean the same.
 */
#include "loader/image_flat.h"
#include "lib/string.h"

static uint32_t sum(const uint8_t *p, unsigned words)
{
    uint32_t sum = 0;

    while (words--)
        sum += image_get32(p + 4 * words);
    return sum;
}

/* A short loop, as it is run for each domain. */
long image_find_header(const void *data, size_t size, const struct image_header *header)
{
    size_t end = size < header->within ? size : header->within, bytes = 4 * header->words;
    size_t step = header->step;
    uint32_t magic = header->magic, word;

    if (end < bytes)
        return -1;
    const uint8_t *p = data, *last = p + end - bytes;
    do {
        memcpy(&word, p, sizeof(word)); /* -Oz makes image_get32() a call */
        if (word == magic && !sum(p, header->words))
            return p - (const uint8_t *)data;
        p += step;
    } while (p <= last);
    return -1;
}

struct piece {
    size_t offset, bytes; /* of the file */
};

/* What is loaded, and the extent without its entry. NULL, or why it cannot be. */
static const char *find_piece(const struct image *image, const struct image_flat *flat,
                              struct piece *piece, struct image_extent *out)
{
    uint32_t header_addr = image_get32(flat->addresses), load = image_get32(flat->addresses + 4);
    uint32_t load_end = image_get32(flat->addresses + 8);
    uint32_t bss_end = image_get32(flat->addresses + 12);

    if (load > header_addr || header_addr - load > flat->header)
        return "load_addr lies before the file";
    piece->offset = flat->header - (header_addr - load);
    piece->bytes = image->size - piece->offset;
    if (load_end) {
        if (load_end < load || load_end - load > piece->bytes)
            return "load_end_addr lies outside the file";
        piece->bytes = load_end - load;
    }
    out->start = load;
    out->end = load + (uint64_t)piece->bytes;
    if (bss_end && bss_end < out->end)
        return "bss_end_addr lies before the end of the data";
    if (bss_end)
        out->end = bss_end;
    return NULL;
}

int image_flat_load(const struct image *image, const struct image_memory *memory,
                    const struct image_flat *flat, struct image_extent *out)
{
    struct piece piece;
    const char *fault = find_piece(image, flat, &piece, out);

    if (fault)
        return image_refuse(image, -ENOEXEC, fault);
    out->entry = flat->entry;
    if (out->entry < out->start || out->entry >= out->end)
        return image_refuse(image, -ENOEXEC, "entry_addr lies outside the kernel");
    const uint8_t *from = (const uint8_t *)image->data + piece.offset;
    uint64_t filled = out->start + piece.bytes;
    int error = image_write(memory, out->start, from, piece.bytes);
    if (!error)
        error = image_zero(memory, filled, out->end - filled);
    return error ? image_refuse(image, error, "the kernel does not fit the guest's memory") : 0;
}
