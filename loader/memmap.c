/*
 * Lays out a guest's memory as a PC's.
 */
#include "loader/memmap.h"
#include "lib/assert.h"
#include "lib/string.h"

static void add(struct memmap *m, uint64_t start, uint64_t end, enum e820_type type)
{
    ASSERT(m->e820_count < E820_MOST && start < end);
    m->e820[m->e820_count++] = (struct e820_entry){ start, end - start, type };
}

static void back(struct memmap *m, uint64_t start, uint64_t end)
{
    ASSERT(m->backed_count < MEMMAP_MAX_BACKED && start < end);
    m->backed[m->backed_count++] = (struct memmap_range){ gpa(start), end - start };
}

int memmap_build(struct memmap *out, uint64_t ram_bytes)
{
    memset(out, 0, sizeof(*out));
    if (ram_bytes < MEMMAP_MIN_BYTES || ram_bytes > MEMMAP_MAX_BYTES || ram_bytes % PAGE_SIZE)
        return -EINVAL;

    out->low_end = ram_bytes < MEMMAP_HOLE ? ram_bytes : MEMMAP_HOLE;
    uint64_t high = ram_bytes - out->low_end;

    add(out, 0, MEMMAP_EBDA, E820_RAM);
    add(out, MEMMAP_EBDA, MEMMAP_LOW_END, E820_RESERVED);
    add(out, MEMMAP_ACPI, MEMMAP_EXTENDED, E820_RESERVED);
    add(out, MEMMAP_EXTENDED, out->low_end, E820_RAM);
    if (high)
        add(out, MEMMAP_HIGH, MEMMAP_HIGH + high, E820_RAM);

    back(out, 0, MEMMAP_LOW_END);
    back(out, MEMMAP_BIOS, out->low_end);
    if (high)
        back(out, MEMMAP_HIGH, MEMMAP_HIGH + high);
    return 0;
}

void memmap_reserve(struct memmap *m, uint64_t start, uint64_t size)
{
    unsigned i = m->e820_count;

    ASSERT(i < E820_MOST);
    for (; i > 0 && m->e820[i - 1].start > start; i--)
        m->e820[i] = m->e820[i - 1];
    ASSERT(i == 0 || m->e820[i - 1].start + m->e820[i - 1].size <= start);
    m->e820[i] = (struct e820_entry){ start, size, E820_RESERVED };
    m->e820_count++;
}

void memmap_back_page(struct memmap *m, uint64_t at)
{
    unsigned i = m->backed_count;

    ASSERT(i < MEMMAP_MAX_BACKED && at >= MEMMAP_HOLE && at < MEMMAP_HIGH);
    for (; i > 0 && m->backed[i - 1].start.v > at; i--)
        m->backed[i] = m->backed[i - 1];
    m->backed[i] = (struct memmap_range){ gpa(at), PAGE_SIZE };
    m->backed_count++;
}

void memmap_add_firmware(struct memmap *m, uint64_t size)
{
    uint64_t high = m->backed_count == 3 ? m->backed[2].size : 0;

    m->backed_count = 0;
    back(m, 0, m->low_end);
    if (size)
        back(m, MEMMAP_HIGH - size, MEMMAP_HIGH);
    if (high)
        back(m, MEMMAP_HIGH, MEMMAP_HIGH + high);
}

bool memmap_is_ram(const struct e820_entry *e820, unsigned count, uint64_t start, uint64_t size)
{
    if (size == 0)
        return false;
    for (unsigned i = 0; i < count; i++) {
        const struct e820_entry *e = &e820[i];
        if (e->type == E820_RAM && start >= e->start && start - e->start < e->size &&
            size <= e->size - (start - e->start))
            return true;
    }
    return false;
}
