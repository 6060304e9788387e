/*
 * Pages for Caisson itself: the heap's zone of the buddy system, all of which is in the direct map.
 */
#include "mm/heap.h"

#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/fill.h"
#include "mm/frame_table.h"

#define GROW_ORDER ORDER_2M

/* A block of several pages that a domain gave back before its promise ended. A promise counts
 * pages, whichever they are: once others have pages of such a block, there may be none of its size
 * for it, should it come back. So it stays the domain's own. */
struct kept {
    struct kept *next;
    unsigned order;
};
static struct kept *kept[MAX_DOMAINS]; /* boot CPU only: domains are made and taken down there */

/* Moves one block of 2^order frames from the domains' zone to the heap's, for good. */
static cold bool grow_by(unsigned order)
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

static struct kept **kept_by(uint16_t owner)
{
    return &kept[owner % MAX_DOMAINS];
}

static void keep(void *p, unsigned order, uint16_t owner)
{
    struct kept *k = p;

    *k = (struct kept){ .next = *kept_by(owner), .order = order };
    *kept_by(owner) = k;
}

static void *take_kept(unsigned order, uint16_t owner)
{
    struct kept **at = kept_by(owner), *k;

    while (*at && (*at)->order != order)
        at = &(*at)->next;
    k = *at;
    if (k)
        *at = k->next;
    return k;
}

uint64_t heap_kept(uint16_t owner)
{
    uint64_t pages = 0;

    for (const struct kept *k = *kept_by(owner); k; k = k->next)
        pages += 1UL << k->order;
    return pages;
}

static void give(void *p, unsigned order, uint16_t owner)
{
    frame_give(ZONE_HEAP, maddr_to_mfn(heap_to_maddr(p)), order, owner);
}

cold void heap_let_go(uint16_t owner)
{
    struct kept *k;

    while ((k = *kept_by(owner))) {
        *kept_by(owner) = k->next;
        give(k, k->order, owner);
    }
}

/* Of several pages, and for a domain. */
static bool is_kept(unsigned order, uint16_t owner)
{
    return order && frame_account(owner).limited;
}

void *heap_pages(unsigned order, uint16_t owner)
{
    mfn_t m;
    void *p = NULL;

    if (frame_fails_now())
        return NULL;
    if (is_kept(order, owner))
        p = take_kept(order, owner);
    if (!p && take(order, owner, &m))
        p = heap_from_maddr(mfn_to_maddr(m));
    if (!p)
        return NULL;
    memset(p, 0, PAGE_SIZE << order);
    return p;
}

cold void heap_free_pages(void *p, unsigned order, uint16_t owner)
{
    mfn_t m = maddr_to_mfn(heap_to_maddr(p));

    ASSERT(!((uintptr_t)p & ((PAGE_SIZE << order) - 1)));
    ASSERT(frame_owner(m) == owner);
    fill_bytes(p, PAGE_SIZE << order);
    if (is_kept(order, owner))
        keep(p, order, owner);
    else
        give(p, order, owner);
}

cold void heap_forsake(void *p, uint16_t owner)
{
    frame_reown(maddr_to_mfn(heap_to_maddr(p)), owner, OWNER_CAISSON);
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
