/*
 * Builds Multiboot2 information structures for tests, tag by tag.
 */
#ifndef CAISSON_TESTS_UNIT_MB2_BUILD_H
#define CAISSON_TESTS_UNIT_MB2_BUILD_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct mb2 {
    _Alignas(8) uint8_t bytes[16384];
    uint32_t size;
};

static inline void mb2_begin(struct mb2 *m)
{
    memset(m, 0, sizeof(*m));
    m->size = 8;
}

/* A tag whose header says `size` and whose body is the n bytes given. */
static inline void mb2_tag_sized(struct mb2 *m, uint32_t type, uint32_t size, const void *body,
                                 uint32_t n)
{
    assert(m->size + 8 + n + 8 <= sizeof(m->bytes));
    memcpy(m->bytes + m->size, &type, 4);
    memcpy(m->bytes + m->size + 4, &size, 4);
    memcpy(m->bytes + m->size + 8, body, n);
    m->size = (m->size + 8 + n + 7) & ~7u;
}

static inline void mb2_tag(struct mb2 *m, uint32_t type, const void *body, uint32_t n)
{
    mb2_tag_sized(m, type, n + 8, body, n);
}

static inline void mb2_end(struct mb2 *m)
{
    mb2_tag(m, 0, "", 0);
    memcpy(m->bytes, &m->size, 4);
}

struct mb2_mmap_entry {
    uint64_t base, length;
    uint32_t type, zero;
};

static inline void mb2_mmap(struct mb2 *m, const struct mb2_mmap_entry *e, unsigned count)
{
    uint8_t body[4096];
    uint32_t head[2] = { sizeof(*e), 0 };
    memcpy(body, head, 8);
    memcpy(body + 8, e, count * sizeof(*e));
    mb2_tag(m, 6, body, (uint32_t)(8 + count * sizeof(*e)));
}

struct mb2_efi_entry {
    uint32_t type, pad;
    uint64_t physical, virtual_, pages, attributes, more; /* UEFI's own is 48 bytes long, too */
};

static inline void mb2_efi_mmap(struct mb2 *m, const struct mb2_efi_entry *e, unsigned count)
{
    uint8_t body[4096];
    uint32_t head[2] = { sizeof(*e), 1 };
    memcpy(body, head, 8);
    memcpy(body + 8, e, count * sizeof(*e));
    mb2_tag(m, 17, body, (uint32_t)(8 + count * sizeof(*e)));
}

#endif
