/*
 * Pages for Caisson itself: the heap's zone of the buddy system, all of which is in the direct map.
 */
#include "mm/heap.h"

#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/fill.h"
#include "mm/frame_table.h"

#define GROW_ORDER ORDER_2M

/* Moves one block of 2^order frames from the domains' zone to the heap's, for good. */
static bool grow_by(unsigned order)
{
    mfn_t m;

    if (!frame_take(ZONE_DOMAIN, order, OWNER_CAISSON, &m))
        return false;
    if (aspace_map_direct(m, order) < 0) {
        frame_give(ZONE_DOMAIN, m, order, OWNER_CAISSON);
        return false;
    }
    frame_rezone(m, order, ZONE_HEAP);
    frame_give(ZONE_HEAP, m, order, OWNER_CAISSON);
    return true;
}

/* A large page if there is one; when memory is scarce, the smallest block that serves. */
static bool grow_for(unsigned order)
{
    if (order < GROW_ORDER && grow_by(GROW_ORDER))
        return true;
    return grow_by(order);
}

bool heap_grow(void)
{
    return grow_for(ORDER_4K);
}

static bool take(unsigned order, uint16_t owner, mfn_t *out)
{
    /* Another CPU may be quicker to take what this one adds. */
    while (!frame_take(ZONE_HEAP, order, owner, out)) {
        if (frame_exceeds(owner, ZONE_HEAP, 1UL << order) || !grow_for(order))
            return false;
    }
    return true;
}

void *heap_pages(unsigned order, uint16_t owner)
{
    mfn_t m;
    void *p;

    if (frame_fails_now() || !take(order, owner, &m))
        return NULL;
    p = heap_from_maddr(mfn_to_maddr(m));
    memset(p, 0, PAGE_SIZE << order);
    return p;
}

void heap_free_pages(void *p, unsigned order, uint16_t owner)
{
    mfn_t m = maddr_to_mfn(heap_to_maddr(p));

    ASSERT(!((uintptr_t)p & ((PAGE_SIZE << order) - 1)));
    ASSERT(frame_owner(m) == owner);
    fill_bytes(p, PAGE_SIZE << order);
    frame_give(ZONE_HEAP, m, order, owner);
}

maddr_t heap_to_maddr(const void *p)
{
    ASSERT((uintptr_t)p - DIRECT_BASE < frame_table_size() << PAGE_SHIFT);
    return maddr((uintptr_t)p - DIRECT_BASE);
}

void *heap_from_maddr(maddr_t m)
{
    ASSERT(m.v < FRAMES_BASE - DIRECT_BASE); /* what has no memory behind it is not mapped */
    return (void *)(DIRECT_BASE + m.v);
}
