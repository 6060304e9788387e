/*
 * The map of memory regions: cut a hole for the new one, put it in, merge it with its neighbours.
 */
#include "boot/regions.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"

#define ADDRESS_END (1UL << 52) /* SDM, "Physical-Address Width": no CPU has more */

static uint64_t end_of(const struct mem_region *r)
{
    return r->start.v + r->size;
}

/* Makes room at slot i; false if there is no slot left. */
static bool insert(struct boot_info *info, unsigned i, uint64_t start, uint64_t end,
                   enum mem_kind kind)
{
    ASSERT(i <= info->region_count && start < end);
    if (info->region_count == MAX_MEM_REGIONS) {
        log_warn("memory map: more than %u regions, some memory is lost", MAX_MEM_REGIONS);
        return false;
    }
    memmove(&info->regions[i + 1], &info->regions[i],
            (info->region_count - i) * sizeof(info->regions[0]));
    info->regions[i] = (struct mem_region){ maddr(start), end - start, kind };
    info->region_count++;
    return true;
}

static void remove_slot(struct boot_info *info, unsigned i)
{
    ASSERT(i < info->region_count);
    info->region_count--;
    memmove(&info->regions[i], &info->regions[i + 1],
            (info->region_count - i) * sizeof(info->regions[0]));
}

/* Takes [start, end) out of region i; returns the slot to look at next. */
static unsigned cut(struct boot_info *info, unsigned i, uint64_t start, uint64_t end)
{
    struct mem_region *r = &info->regions[i];
    uint64_t r_end = end_of(r);

    if (r_end <= start || r->start.v >= end)
        return i + 1;
    if (r->start.v >= start && r_end <= end) {
        remove_slot(info, i);
        return i;
    }
    if (r->start.v >= start) {
        r->size = r_end - end;
        r->start = maddr(end);
        return i + 1;
    }
    r->size = start - r->start.v;
    if (r_end > end)
        (void)insert(info, i + 1, end, r_end, r->kind);
    return i + 1;
}

static void merge_with_next(struct boot_info *info, unsigned i)
{
    if (i + 1 >= info->region_count)
        return;
    struct mem_region *a = &info->regions[i], *b = a + 1;
    if (a->kind != b->kind || end_of(a) != b->start.v)
        return;
    a->size += b->size;
    remove_slot(info, i + 1);
}

void regions_put(struct boot_info *info, uint64_t start, uint64_t size, enum mem_kind kind)
{
    if (size == 0 || start >= ADDRESS_END)
        return;
    uint64_t end = size > ADDRESS_END - start ? ADDRESS_END : start + size;

    for (unsigned i = 0; i < info->region_count;)
        i = cut(info, i, start, end);

    unsigned i = 0;
    while (i < info->region_count && info->regions[i].start.v < start)
        i++;
    /* A merge needs no slot of its own: grow the neighbour. */
    if (i > 0 && info->regions[i - 1].kind == kind && end_of(&info->regions[i - 1]) == start)
        info->regions[--i].size += end - start;
    else if (!insert(info, i, start, end, kind))
        return;
    merge_with_next(info, i);
}
