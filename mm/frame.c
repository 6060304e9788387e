/*
 * Frames and their owners.
 *
 * The lock covers the free lists and the accounts. The owner of a frame that is not free belongs
 * to whoever holds the frame, so the long loops over owners, and the scrubbing, run without it.
 */
#include "mm/frame.h"

#include "arch/x86/insn.h"
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

/* What the table says of a frame in use, and of a free one. Without pins all of an owner's are
 * alike, and so all that has to be known of a block is asked in one comparison for each frame. */
static union frame in_use(uint16_t owner, enum frame_zone zone)
{
    return (union frame){ .used = { .owner = owner, .zone = zone, .state = FRAME_USED } };
}

static const union frame unused = { .head.state = FRAME_FREE };

static bool all_are(uint64_t first, unsigned order, union frame what)
{
    for (uint64_t n = first; n < first + (1UL << order); n++) {
        if (buddy.table[n].word != what.word)
            return false;
    }
    return true;
}

/* Other CPUs may ask meanwhile whether one of them heads a free block. */
static void set_all(uint64_t first, unsigned order, union frame what)
{
    if (order)
        stosq(&buddy.table[first].word, what.word, 1UL << order);
    else
        __atomic_store_n(&buddy.table[first].word, what.word, __ATOMIC_RELAXED);
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
    ASSERT(all_are(first, order, unused));
    set_all(first, order, in_use(owner, zone));
    *out = mfn(first);
    return true;
}

void frame_rezone(mfn_t m, unsigned order, enum frame_zone zone)
{
    for (uint64_t n = m.v; n < m.v + (1UL << order); n++)
        buddy.table[n].used.zone = zone;
}

void frame_give(enum frame_zone zone, mfn_t m, unsigned order, uint16_t owner)
{
    ASSERT(order <= FRAME_MAX_ORDER);
    ASSERT(owner != OWNER_FREE);
    ASSERT(m.v + (1UL << order) <= buddy.size);
    ASSERT(all_are(m.v, order, in_use(owner, zone))); /* none goes back by the wrong door */
    set_all(m.v, order, unused);
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
           (frame_owner(m) == OWNER_PINNED && buddy.table[m.v].used.pins > 0));
    ASSERT(buddy.table[m.v].used.pins < UINT32_MAX);
    buddy.table[m.v].used.pins++;
    spin_unlock(&lock);
}

void frame_unpin(mfn_t m)
{
    spin_lock(&lock);
    ASSERT(frame_owner(m) <= OWNER_PINNED && buddy.table[m.v].used.pins > 0);
    bool last = --buddy.table[m.v].used.pins == 0 && frame_owner(m) == OWNER_PINNED;
    spin_unlock(&lock);
    if (last)
        frame_free(m, ORDER_4K, OWNER_PINNED);
}

uint32_t frame_pins(mfn_t m)
{
    return __atomic_load_n(&buddy.table[m.v].used.pins, __ATOMIC_RELAXED);
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
    bool pinned = buddy.table[m.v].used.pins > 0;
    if (pinned) {
        transfer(owner, OWNER_PINNED, 1);
        buddy.table[m.v].used.owner = OWNER_PINNED;
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
    union frame f = in_use(OWNER_RESERVED, ZONE_DOMAIN);

    if (m.v < buddy.size)
        f.word = __atomic_load_n(&buddy.table[m.v].word, __ATOMIC_RELAXED);
    return f.head.state == FRAME_USED ? f.used.owner : OWNER_FREE;
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

/* The largest block that may start at n and ends at or before end. */
static unsigned block_order(uint64_t n, uint64_t end)
{
    unsigned order = 0;

    while (order < FRAME_MAX_ORDER && !(n & (1UL << order)) && n + (2UL << order) <= end)
        order++;
    return order;
}

/* Puts [first, end) into the free lists. */
static void release(enum frame_zone zone, uint64_t first, uint64_t end)
{
    unsigned order;

    for (uint64_t n = first; n < end; n += 1UL << order) {
        order = block_order(n, end);
        buddy_free(&buddy, zone, (uint32_t)n, order);
    }
}

static uint64_t within(uint64_t n, uint64_t low, uint64_t high)
{
    return n < low ? low : n > high ? high : n;
}

void frame_table_adopt(const struct frame_table *t, union frame *at, uint64_t usable)
{
    place = *t;
    total = usable;
    buddy_init(&buddy, at, t->size);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        accounts[i].frames = 0;
}

void frame_table_set(uint64_t first, uint64_t end, uint16_t owner)
{
    union frame what = owner == OWNER_FREE ? unused : in_use(owner, ZONE_DOMAIN);

    stosq(&buddy.table[first].word, what.word, end - first);
    enter(owner, end - first);
}

void frame_table_release(uint64_t first, uint64_t end)
{
    uint64_t far = within(REACHABLE, first, end);

    release(ZONE_DOMAIN, first, far);
    release(ZONE_FAR, far, end);
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
    ASSERT(frame_owner(m) == from);
    spin_lock(&lock);
    transfer(from, to, 1);
    spin_unlock(&lock);
    buddy.table[m.v].used.owner = to;
}
