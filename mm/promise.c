/*
 * Promises of memory. See mm/promise.h; the accounts are in mm/account.h.
 */
#include "mm/promise.h"

#include "mm/frame_table.h"
#include "mm/heap.h"

/* Pages of the heap are set aside at once: what is mapped for Caisson never becomes RAM again, so
 * the heap grows now, if it must, while others' promises can be looked at, and not when a page is
 * needed. */
static bool promise_heap(uint16_t owner, uint64_t n)
{
    uint64_t have = frame_unpromised(ZONE_HEAP);

    if (n > have && n - have > frame_available())
        return false;
    while (!frame_promise(owner, ZONE_HEAP, n)) {
        if (!heap_grow())
            return false;
    }
    return true;
}

uint64_t promise_heap_free(void)
{
    return frame_unpromised(ZONE_HEAP);
}

uint64_t promise_heap_at_most(uint16_t owner, uint64_t n)
{
    return frame_promise_at_most(owner, ZONE_HEAP, n);
}

static uint64_t beyond(uint64_t wanted, uint64_t promised)
{
    return wanted > promised ? wanted - promised : 0;
}

int promise_make(uint16_t owner, struct promise p)
{
    struct promise had = promise_of(owner);

    if (frame_promise(owner, ZONE_DOMAIN, beyond(p.ram, had.ram)) &&
        promise_heap(owner, beyond(p.heap, had.heap)))
        return 0;
    if (frame_count(owner) == heap_kept(owner))
        promise_end(owner);
    return -ENOMEM;
}

void promise_end(uint16_t owner)
{
    heap_let_go(owner);
    frame_release(owner);
}

int promise_more(uint16_t owner, uint64_t n)
{
    return frame_promise(owner, ZONE_DOMAIN, n) ? 0 : -ENOMEM;
}

void promise_less(uint16_t owner, uint64_t n)
{
    frame_unpromise(owner, ZONE_DOMAIN, n);
}

void promise_look(uint16_t owner, struct promise *promised, struct promise *taken)
{
    struct account a = frame_account(owner);

    *promised = (struct promise){ a.of[ZONE_DOMAIN].promised, a.of[ZONE_HEAP].promised };
    *taken = (struct promise){ a.of[ZONE_DOMAIN].frames, a.of[ZONE_HEAP].frames };
}

struct promise promise_of(uint16_t owner)
{
    struct promise promised, taken;

    promise_look(owner, &promised, &taken);
    return promised;
}

struct promise promise_taken(uint16_t owner)
{
    struct promise promised, taken;

    promise_look(owner, &promised, &taken);
    return taken;
}
