/*
 * Frames and their owners.
 *
 * The lock covers the table, the free lists and the accounts. Nothing under it takes long, as all
 * is done block by block; scrubbing, which does, comes before or after.
 */
#include "mm/frame.h"

#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "mm/block.h"
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

/* The owner's account, or the one that it would get: no two domains at a time have the same. */
static struct account *account_of(uint16_t owner)
{
    unsigned n = owner < OWNER_PINNED ? owner % MAX_DOMAINS : MAX_DOMAINS + OWNER_FREE - owner;

    return &accounts[n];
}

static void enter(uint16_t owner, uint64_t frames)
{
    struct account *a = account_of(owner);

    ASSERT(a->owner == owner || !a->frames);
    a->owner = owner;
    a->frames += frames;
}

static void transfer(uint16_t from, uint16_t to, uint64_t frames)
{
    struct account *a = account_of(from);

    ASSERT(a->owner == from && a->frames >= frames);
    a->frames -= frames;
    enter(to, frames);
}

static void give_back(enum frame_zone zone, mfn_t m, unsigned order)
{
    unsigned part;

    for (uint64_t n = m.v; n < m.v + (1UL << order); n += 1UL << part) {
        part = block_cut(&buddy, n, order);
        buddy.table[n].word = 0;
        buddy_free(&buddy, zone, (uint32_t)n, part);
    }
}

/* ---- Taking and giving ---- */

bool frame_take(enum frame_zone zone, unsigned order, uint16_t owner, mfn_t *out)
{
    uint32_t first;

    ASSERT(order <= FRAME_MAX_ORDER);
    ASSERT(owner != OWNER_FREE);
    spin_lock(&lock);
    first = buddy_alloc(&buddy, zone, order);
    if (first != BUDDY_NONE) {
        transfer(OWNER_FREE, owner, 1UL << order);
        buddy.table[first] = block_of(owner, zone, order);
    }
    spin_unlock(&lock);
    *out = mfn(first);
    return first != BUDDY_NONE;
}

void frame_rezone(mfn_t m, unsigned order, enum frame_zone zone)
{
    unsigned part;

    spin_lock(&lock);
    for (uint64_t n = m.v; n < m.v + (1UL << order); n += 1UL << part) {
        part = block_cut(&buddy, n, order);
        buddy.table[n].used.zone = zone;
    }
    spin_unlock(&lock);
}

void frame_give(enum frame_zone zone, mfn_t m, unsigned order, uint16_t owner)
{
    ASSERT(order <= FRAME_MAX_ORDER);
    ASSERT(owner != OWNER_FREE);
    ASSERT(m.v + (1UL << order) <= buddy.size);
    spin_lock(&lock);
    uint64_t end = m.v + (1UL << order);
    bool own = block_unlike(&buddy, m.v, end, block_of(owner, zone, order)) == end;
    if (own) {
        transfer(owner, OWNER_FREE, 1UL << order);
        give_back(zone, m, order);
    }
    spin_unlock(&lock);
    ASSERT(own); /* none goes back by the wrong door */
}

int frame_alloc_unscrubbed(unsigned order, uint16_t owner, mfn_t *out)
{
    return frame_fails_now() || !frame_take(ZONE_DOMAIN, order, owner, out) ? -ENOMEM : 0;
}

int frame_alloc(unsigned order, uint16_t owner, mfn_t *out)
{
    int err = frame_alloc_unscrubbed(order, owner, out);

    if (!err)
        window_fill(*out, order, 0);
    return err;
}

/* ---- Pins ---- */

void frame_pin(mfn_t m)
{
    spin_lock(&lock);
    ASSERT(m.v < buddy.size);
    union frame *f = &buddy.table[m.v];
    if (f->used.state != FRAME_USED || f->used.order) /* it has been given out with others */
        block_cut(&buddy, m.v, ORDER_4K);
    ASSERT(f->used.owner < OWNER_PINNED || (f->used.owner == OWNER_PINNED && f->used.pins > 0));
    ASSERT(f->used.pins < UINT32_MAX);
    f->used.pins++;
    spin_unlock(&lock);
}

void frame_unpin(mfn_t m)
{
    spin_lock(&lock);
    ASSERT(m.v < buddy.size);
    union frame *f = &buddy.table[m.v];
    ASSERT(f->used.state == FRAME_USED && f->used.owner <= OWNER_PINNED && f->used.pins > 0);
    bool last = --f->used.pins == 0 && f->used.owner == OWNER_PINNED;
    spin_unlock(&lock);
    if (last)
        frame_free(m, ORDER_4K, OWNER_PINNED);
}

uint32_t frame_pins(mfn_t m)
{
    return __atomic_load_n(&buddy.table[m.v].used.pins, __ATOMIC_RELAXED);
}

/* The owner lets go of a frame that others hold still. */
static void leave_to_pins(mfn_t m, uint16_t owner)
{
    transfer(owner, OWNER_PINNED, 1);
    buddy.table[m.v].used.owner = OWNER_PINNED;
}

void frame_free(mfn_t m, unsigned order, uint16_t owner)
{
    uint64_t end = m.v + (1UL << order);

    ASSERT(end <= buddy.size);
    spin_lock(&lock);
    uint64_t odd = block_unlike(&buddy, m.v, end, block_of(owner, ZONE_DOMAIN, order));
    bool pinned = odd < end && block_owner(&buddy, odd) == owner && frame_pins(mfn(odd));
    if (pinned && !order)
        leave_to_pins(m, owner);
    spin_unlock(&lock);
    ASSERT(pinned || odd == end);
    for (uint64_t n = m.v; pinned && order && n < end; n++)
        frame_free(mfn(n), ORDER_4K, owner);
    if (!pinned) {
        fill_frames(m, order);
        frame_give(ZONE_DOMAIN, m, order, owner);
    }
}

uint16_t frame_owner(mfn_t m)
{
    spin_lock(&lock);
    uint16_t owner = block_owner(&buddy, m.v);
    spin_unlock(&lock);
    return owner;
}

uint64_t frame_count(uint16_t owner)
{
    const struct account *a;
    uint64_t frames;

    spin_lock(&lock);
    a = account_of(owner);
    frames = a->owner == owner ? a->frames : 0;
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

void frame_table_adopt(const struct frame_table *t, union frame *at, uint64_t usable)
{
    place = *t;
    total = usable;
    stosq(&at->word, 0, t->size);
    buddy_init(&buddy, at, t->size);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        accounts[i].frames = 0;
}

void frame_table_set(uint64_t first, uint64_t end, uint16_t owner)
{
    unsigned order;

    enter(owner, end - first);
    for (uint64_t n = first; n < end; n += 1UL << order) {
        order = block_order(n, end);
        if (owner == OWNER_FREE)
            buddy_free(&buddy, n < REACHABLE ? ZONE_DOMAIN : ZONE_FAR, (uint32_t)n, order);
        else
            buddy.table[n] = block_of(owner, ZONE_DOMAIN, order);
    }
}

struct frame_table frame_table_place(void)
{
    return place;
}

void frame_table_move(union frame *at)
{
    uint32_t n;

    buddy.table = at;
    for (unsigned order = FRAME_MAX_ORDER + 1; order-- > 0;) {
        while ((n = buddy_alloc(&buddy, ZONE_FAR, order)) != BUDDY_NONE)
            buddy_free(&buddy, ZONE_DOMAIN, n, order);
    }
}

void frame_reown(mfn_t m, uint16_t from, uint16_t to)
{
    spin_lock(&lock);
    ASSERT(block_owner(&buddy, m.v) == from);
    block_cut(&buddy, m.v, ORDER_4K);
    transfer(from, to, 1);
    buddy.table[m.v].used.owner = to;
    spin_unlock(&lock);
}
