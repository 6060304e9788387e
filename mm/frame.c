/*
 * Frames and their owners.
 *
 * The lock covers the free lists and the accounts. The owner of a frame that is not free belongs
 * to whoever holds the frame, so the long loops over owners, and the scrubbing, run without it.
 */
#include "mm/frame.h"

#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "mm/fill.h"
#include "mm/frame_table.h"
#include "mm/window.h"

#define ACCOUNTS  (MAX_DOMAINS + 5)             /* every domain, and the five owners by name */
#define REACHABLE (0x100000000UL >> PAGE_SHIFT) /* frames in the boot code's identity map */

/* How many frames an owner has; with none it is free for another owner. */
struct account {
    uint16_t owner;
    uint64_t frames;
};

static struct spinlock lock = SPINLOCK_RANK("frames", LOCK_FRAMES);
static struct buddy buddy;                /* under the lock */
static struct account accounts[ACCOUNTS]; /* under the lock */
static struct frame_table place;          /* boot only */
static uint64_t total;                    /* boot only */
static uint64_t fail_in;                  /* atomic; 0: never */

/* The owner's account, else one that is free, else NULL. */
static struct account *account_of(uint16_t owner)
{
    struct account *unused = NULL;

    for (unsigned i = 0; i < ACCOUNTS; i++) {
        if (!accounts[i].frames)
            unused = unused ? unused : &accounts[i];
        else if (accounts[i].owner == owner)
            return &accounts[i];
    }
    return unused;
}

static void transfer(uint16_t from, uint16_t to, uint64_t frames)
{
    struct account *a = account_of(from);

    ASSERT(a && a->frames >= frames);
    a->frames -= frames;
    a = account_of(to);
    ASSERT(a);
    a->owner = to;
    a->frames += frames;
}

static bool all_owned(uint64_t first, unsigned order, uint16_t owner)
{
    for (uint64_t n = first; n < first + (1UL << order); n++) {
        if (buddy.table[n].owner != owner)
            return false;
    }
    return true;
}

static void set_owner(uint64_t first, unsigned order, uint16_t owner)
{
    for (uint64_t n = first; n < first + (1UL << order); n++) {
        buddy.table[n].owner = owner;
        buddy.table[n].pins = 0;
    }
}

bool frame_take(enum frame_zone zone, unsigned order, uint16_t owner, mfn_t *out)
{
    uint32_t first;

    ASSERT(order <= FRAME_MAX_ORDER);
    ASSERT(owner != OWNER_FREE);
    spin_lock(&lock);
    first = buddy_alloc(&buddy, zone, order);
    if (first != BUDDY_NONE)
        transfer(OWNER_FREE, owner, 1UL << order);
    spin_unlock(&lock);
    if (first == BUDDY_NONE)
        return false;
    ASSERT(all_owned(first, order, OWNER_FREE));
    set_owner(first, order, owner);
    *out = mfn(first);
    return true;
}

/* Every frame remembers its zone, so that none goes back by the wrong door. */
static bool all_in_zone(uint64_t first, unsigned order, enum frame_zone zone)
{
    for (uint64_t n = first; n < first + (1UL << order); n++) {
        if (buddy.table[n].zone != zone)
            return false;
    }
    return true;
}

void frame_rezone(mfn_t m, unsigned order, enum frame_zone zone)
{
    for (uint64_t n = m.v; n < m.v + (1UL << order); n++)
        buddy.table[n].zone = (uint8_t)zone;
}

void frame_give(enum frame_zone zone, mfn_t m, unsigned order, uint16_t owner)
{
    ASSERT(order <= FRAME_MAX_ORDER);
    ASSERT(owner != OWNER_FREE);
    ASSERT(m.v + (1UL << order) <= buddy.size);
    ASSERT(all_owned(m.v, order, owner));
    ASSERT(all_in_zone(m.v, order, zone));
    set_owner(m.v, order, OWNER_FREE);
    spin_lock(&lock);
    transfer(owner, OWNER_FREE, 1UL << order);
    buddy_free(&buddy, zone, (uint32_t)m.v, order);
    spin_unlock(&lock);
}

int frame_alloc(unsigned order, uint16_t owner, mfn_t *out)
{
    if (frame_fails_now() || !frame_take(ZONE_DOMAIN, order, owner, out))
        return -ENOMEM;
    window_fill(*out, order, 0);
    return 0;
}

/* ---- Pins ---- */

void frame_pin(mfn_t m)
{
    spin_lock(&lock);
    ASSERT(frame_owner(m) < OWNER_PINNED ||
           (frame_owner(m) == OWNER_PINNED && buddy.table[m.v].pins > 0));
    ASSERT(buddy.table[m.v].pins < UINT32_MAX);
    buddy.table[m.v].pins++;
    spin_unlock(&lock);
}

void frame_unpin(mfn_t m)
{
    spin_lock(&lock);
    ASSERT(frame_owner(m) <= OWNER_PINNED && buddy.table[m.v].pins > 0);
    bool last = --buddy.table[m.v].pins == 0 && frame_owner(m) == OWNER_PINNED;
    spin_unlock(&lock);
    if (last)
        frame_free(m, ORDER_4K, OWNER_PINNED);
}

uint32_t frame_pins(mfn_t m)
{
    return __atomic_load_n(&buddy.table[m.v].pins, __ATOMIC_RELAXED);
}

static bool any_pinned(mfn_t m, unsigned order, uint16_t owner)
{
    for (uint64_t n = m.v; n < m.v + (1UL << order); n++) {
        if (frame_owner(mfn(n)) == owner && frame_pins(mfn(n)))
            return true;
    }
    return false;
}

/* The owner lets go of one frame: true if others hold it still. */
static bool leave_to_pins(mfn_t m, uint16_t owner)
{
    spin_lock(&lock);
    bool pinned = buddy.table[m.v].pins > 0;
    if (pinned) {
        transfer(owner, OWNER_PINNED, 1);
        buddy.table[m.v].owner = OWNER_PINNED;
    }
    spin_unlock(&lock);
    return pinned;
}

void frame_free(mfn_t m, unsigned order, uint16_t owner)
{
    ASSERT(frame_owner(m) == owner);
    if (order && any_pinned(m, order, owner)) {
        for (uint64_t n = m.v; n < m.v + (1UL << order); n++)
            frame_free(mfn(n), ORDER_4K, owner);
        return;
    }
    if (!order && leave_to_pins(m, owner))
        return;
    fill_frames(m, order);
    frame_give(ZONE_DOMAIN, m, order, owner);
}

uint16_t frame_owner(mfn_t m)
{
    return m.v < buddy.size ? buddy.table[m.v].owner : OWNER_RESERVED;
}

uint64_t frame_count(uint16_t owner)
{
    const struct account *a;
    uint64_t frames;

    spin_lock(&lock);
    a = account_of(owner);
    frames = a && a->owner == owner ? a->frames : 0;
    spin_unlock(&lock);
    return frames;
}

uint64_t frame_free_blocks(unsigned order)
{
    uint64_t n;

    ASSERT(order <= FRAME_MAX_ORDER);
    spin_lock(&lock);
    n = buddy_count(&buddy, ZONE_DOMAIN, order) + buddy_count(&buddy, ZONE_HEAP, order);
    spin_unlock(&lock);
    return n;
}

uint64_t frame_available(void)
{
    uint64_t frames = 0;

    spin_lock(&lock);
    for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++)
        frames += (uint64_t)buddy_count(&buddy, ZONE_DOMAIN, order) << order;
    spin_unlock(&lock);
    return frames;
}

uint64_t frame_total(void)
{
    return total;
}

uint64_t frame_table_size(void)
{
    return buddy.size;
}

void frame_fail_nth(uint64_t n)
{
    __atomic_store_n(&fail_in, n, __ATOMIC_RELAXED);
}

bool frame_fails_now(void)
{
    uint64_t n = __atomic_load_n(&fail_in, __ATOMIC_RELAXED);

    while (n && !__atomic_compare_exchange_n(&fail_in, &n, n - 1, false, __ATOMIC_RELAXED,
                                             __ATOMIC_RELAXED))
        ;
    return n == 1;
}

/* ---- Boot only ---- */

static bool is_free(uint64_t n)
{
    return buddy.table[n].owner == OWNER_FREE;
}

/* The largest block that may start at n and ends at or before end. */
static unsigned block_order(uint64_t n, uint64_t end)
{
    unsigned order = 0;

    while (order < FRAME_MAX_ORDER && !(n & (1UL << order)) && n + (2UL << order) <= end)
        order++;
    return order;
}

/* Puts what is free of [first, end) into the free lists. */
static void release(uint64_t first, uint64_t end)
{
    uint64_t n = first, stop;

    while (n < end) {
        if (!is_free(n)) {
            n++;
            continue;
        }
        for (stop = n; stop < end && is_free(stop); stop++)
            ;
        while (n < stop) {
            unsigned order = block_order(n, stop);

            buddy_free(&buddy, ZONE_DOMAIN, (uint32_t)n, order);
            n += 1UL << order;
        }
    }
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void frame_table_adopt(const struct frame_table *t, struct frame *at, uint64_t usable)
{
    place = *t;
    total = usable;
    buddy_init(&buddy, at, t->size);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        accounts[i].frames = 0;
    for (uint64_t n = 0; n < t->size; n++) {
        struct account *a = account_of(at[n].owner);

        ASSERT(a);
        a->owner = at[n].owner;
        a->frames++;
    }
    release(0, min(t->size, REACHABLE));
}

struct frame_table frame_table_place(void)
{
    return place;
}

void frame_table_move(struct frame *at)
{
    buddy.table = at;
    release(min(buddy.size, REACHABLE), buddy.size);
}

void frame_reown(mfn_t m, uint16_t from, uint16_t to)
{
    ASSERT(frame_owner(m) == from);
    spin_lock(&lock);
    transfer(from, to, 1);
    spin_unlock(&lock);
    buddy.table[m.v].owner = to;
}
