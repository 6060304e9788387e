/*
 * Frames and their owners.
 *
 * The lock covers the table, the free lists and the accounts. Nothing under it takes long, as all
 * is done block by block; scrubbing, which does, comes before or after.
 */
#include "mm/frame.h"

#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/spinlock.h"
#include "mm/account.h"
#include "mm/block.h"
#include "mm/fill.h"
#include "mm/frame_table.h"
#include "mm/window.h"

#define PART_ORDER 6 /* of what is in pieces, so much at most goes under the lock at once */
#define REACHABLE  (0x100000000UL >> PAGE_SHIFT) /* frames in the boot code's identity map */

static struct spinlock lock = SPINLOCK_RANK("frames", LOCK_FRAMES);
static struct buddy buddy;       /* under the lock */
static struct accounts accounts; /* under the lock */
static struct frame_table place; /* boot only */
static uint64_t total;           /* boot only */
static uint64_t fail_in;         /* atomic; 0: never */

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
    uint32_t first = BUDDY_NONE;

    ASSERT(order <= FRAME_MAX_ORDER);
    ASSERT(owner != OWNER_FREE);
    spin_lock(&lock);
    if (account_may_take(&accounts, owner, zone, 1UL << order))
        first = buddy_alloc(&buddy, zone, order);
    if (first != BUDDY_NONE) {
        account_take(&accounts, owner, zone, 1UL << order);
        buddy.table[first] = block_of(owner, zone, order);
    }
    spin_unlock(&lock);
    *out = mfn(first);
    return first != BUDDY_NONE;
}

cold void frame_rezone(mfn_t m, unsigned order, enum frame_zone zone)
{
    struct account *a = account_of(&accounts, OWNER_CAISSON);
    unsigned part;

    spin_lock(&lock);
    for (uint64_t n = m.v; n < m.v + (1UL << order); n += 1UL << part) {
        part = block_cut(&buddy, n, order);
        a->of[buddy.table[n].used.zone].frames -= 1UL << part;
        a->of[zone].frames += 1UL << part;
        buddy.table[n].used.zone = zone;
    }
    spin_unlock(&lock);
}

/* for_good: what the owner was promised shrinks with it. */
static void give(enum frame_zone zone, mfn_t m, unsigned order, uint16_t owner, bool for_good)
{
    ASSERT(order <= FRAME_MAX_ORDER);
    ASSERT(owner != OWNER_FREE);
    ASSERT(m.v + (1UL << order) <= buddy.size);
    spin_lock(&lock);
    uint64_t end = m.v + (1UL << order);
    bool own = block_unlike(&buddy, m.v, end, block_of(owner, zone, order)) == end;
    if (own) {
        account_give(&accounts, owner, zone, 1UL << order);
        if (for_good && account_of(&accounts, owner)->limited)
            account_unpromise(&accounts, owner, zone, 1UL << order);
        give_back(zone, m, order);
    }
    spin_unlock(&lock);
    ASSERT(own); /* none goes back by the wrong door */
}

void frame_give(enum frame_zone zone, mfn_t m, unsigned order, uint16_t owner)
{
    give(zone, m, order, owner, false);
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

/* A frame that may have been given out with others, as a block of its own. */
static union frame *single(uint64_t n)
{
    union frame *f = &buddy.table[n];

    if (f->used.state != FRAME_USED || f->used.order)
        block_cut(&buddy, n, ORDER_4K);
    return f;
}

void frame_pin(mfn_t m)
{
    spin_lock(&lock);
    ASSERT(m.v < buddy.size);
    union frame *f = single(m.v);
    ASSERT(f->used.owner < OWNER_PINNED || (f->used.owner == OWNER_PINNED && f->used.pins > 0));
    ASSERT(f->used.pins < UINT32_MAX);
    f->used.pins++;
    spin_unlock(&lock);
}

static void disown(mfn_t m, uint16_t owner)
{
    account_pass(&accounts, owner, OWNER_PINNED, ZONE_DOMAIN, 1);
    buddy.table[m.v].used.owner = OWNER_PINNED;
    buddy.table[m.v].used.zone = ZONE_DOMAIN;
}

cold bool frame_retire(mfn_t m, uint16_t owner)
{
    spin_lock(&lock);
    union frame *f = NULL;
    if (m.v < buddy.size && block_owner(&buddy, m.v) == owner)
        f = single(m.v);
    if (f && f->used.zone == ZONE_HEAP)
        f = NULL;
    if (f && !f->used.retired) {
        f->used.retired = 1;
        f->used.pins++;
    }
    if (f && f->used.zone == ZONE_LEFT)
        disown(m, owner);
    spin_unlock(&lock);
    return f;
}

/* The last pin of a frame that its owner has let go of, or given back. */
static bool is_over(union frame *f)
{
    return f->used.pins == 0 && (f->used.owner == OWNER_PINNED || f->used.zone == ZONE_LEFT);
}

void frame_unpin(mfn_t m)
{
    spin_lock(&lock);
    ASSERT(m.v < buddy.size);
    union frame *f = &buddy.table[m.v];
    ASSERT(f->used.state == FRAME_USED && f->used.owner <= OWNER_PINNED && f->used.pins > 0);
    f->used.pins--;
    uint16_t owner = f->used.owner;
    bool over = is_over(f);
    if (over)
        f->used.zone = ZONE_DOMAIN;
    spin_unlock(&lock);
    if (over)
        frame_return(m, owner);
}

uint32_t frame_pins(mfn_t m)
{
    return __atomic_load_n(&buddy.table[m.v].used.pins, __ATOMIC_RELAXED);
}

/* A frame of owner's that others have pinned; zone: ZONE_LEFT, given back, or ZONE_DOMAIN, not. */
static bool is_pinned(mfn_t m, uint16_t owner, enum frame_zone zone)
{
    union frame f = { .word = 0 };

    if (m.v < buddy.size)
        f = buddy.table[m.v];
    return f.used.state == FRAME_USED && f.used.owner == owner && f.used.zone == zone &&
           f.used.pins;
}

/* A large one that others had pinned frames of, each a block of its own since. */
static bool is_in_pieces(mfn_t m, unsigned order)
{
    return order > PART_ORDER && buddy.table[block_first(&buddy, m.v)].used.order < order;
}

static void free_halves(mfn_t m, unsigned order, uint16_t owner)
{
    frame_free(m, order - 1, owner);
    frame_free(mfn(m.v + (1UL << (order - 1))), order - 1, owner);
}

void frame_free(mfn_t m, unsigned order, uint16_t owner)
{
    uint64_t end = m.v + (1UL << order);

    ASSERT(end <= buddy.size);
    spin_lock(&lock);
    uint64_t odd = block_unlike(&buddy, m.v, end, block_of(owner, ZONE_DOMAIN, order));
    bool pinned = odd < end && is_pinned(mfn(odd), owner, ZONE_DOMAIN);
    bool parts = pinned ? order > 0 : is_in_pieces(m, order);
    if (pinned && !parts)
        disown(m, owner);
    spin_unlock(&lock);
    ASSERT(pinned || odd == end);
    if (parts)
        free_halves(m, order, owner);
    else if (!pinned) {
        fill_frames(m, order);
        frame_give(ZONE_DOMAIN, m, order, owner);
    }
}

cold void frame_return(mfn_t m, uint16_t owner)
{
    spin_lock(&lock);
    bool pinned = is_pinned(m, owner, ZONE_DOMAIN);
    if (pinned && buddy.table[m.v].used.retired)
        disown(m, owner);
    else if (pinned)
        buddy.table[m.v].used.zone = ZONE_LEFT;
    spin_unlock(&lock);
    if (!pinned) {
        fill_frames(m, ORDER_4K);
        give(ZONE_DOMAIN, m, ORDER_4K, owner, true);
    }
}

cold void frame_abandon(mfn_t m, uint16_t owner)
{
    spin_lock(&lock);
    if (is_pinned(m, owner, ZONE_LEFT))
        disown(m, owner);
    spin_unlock(&lock);
}

/* ---- Promises ---- */

cold bool frame_promise(uint16_t owner, enum frame_zone zone, uint64_t n)
{
    spin_lock(&lock);
    bool kept = account_promise(&accounts, owner, zone, n);
    spin_unlock(&lock);
    return kept;
}

cold void frame_unpromise(uint16_t owner, enum frame_zone zone, uint64_t n)
{
    spin_lock(&lock);
    account_unpromise(&accounts, owner, zone, n);
    spin_unlock(&lock);
}

cold uint64_t frame_promise_at_most(uint16_t owner, enum frame_zone zone, uint64_t n)
{
    uint64_t less = 0;

    spin_lock(&lock);
    struct account *a = account_of(&accounts, owner);
    uint64_t keep = a->of[zone].frames > n ? a->of[zone].frames : n;
    if (a->owner == owner && a->limited && a->of[zone].promised > keep)
        less = a->of[zone].promised - keep;
    if (less)
        account_unpromise(&accounts, owner, zone, less);
    spin_unlock(&lock);
    return less;
}

cold struct account frame_account(uint16_t owner)
{
    spin_lock(&lock);
    struct account a = *account_of(&accounts, owner);
    spin_unlock(&lock);
    return a.owner == owner ? a : (struct account){ .owner = owner };
}

cold bool frame_exceeds(uint16_t owner, enum frame_zone zone, uint64_t n)
{
    struct account a = frame_account(owner);

    return a.limited && n > a.of[zone].promised - a.of[zone].frames;
}

cold void frame_release(uint16_t owner)
{
    spin_lock(&lock);
    struct account *a = account_of(&accounts, owner);
    if (a->owner == owner && a->limited) {
        for (unsigned zone = 0; zone < ZONES; zone++)
            account_unpromise(&accounts, owner, zone, a->of[zone].promised);
        a->limited = false;
    }
    spin_unlock(&lock);
}

cold uint64_t frame_unpromised(enum frame_zone zone)
{
    spin_lock(&lock);
    uint64_t frames = account_unpromised(&accounts, zone);
    spin_unlock(&lock);
    return frames;
}

/* ---- Questions ---- */

cold uint16_t frame_owner(mfn_t m)
{
    spin_lock(&lock);
    uint16_t owner = block_owner(&buddy, m.v);
    spin_unlock(&lock);
    return owner;
}

cold bool frame_all_reserved(mfn_t m, uint64_t frames)
{
    uint64_t end = m.v + frames < buddy.size ? m.v + frames : buddy.size;

    spin_lock(&lock);
    uint64_t other = block_unlike(&buddy, m.v, end, block_of(OWNER_RESERVED, ZONE_DOMAIN, 0));
    spin_unlock(&lock);
    return other >= end;
}

cold void frame_look(void (*fn)(const struct buddy *b, struct accounts *as, void *ctx), void *ctx)
{
    spin_lock(&lock);
    fn(&buddy, &accounts, ctx);
    spin_unlock(&lock);
}

uint64_t frame_count(uint16_t owner)
{
    struct account a = frame_account(owner);

    return account_frames(&a);
}

cold uint64_t frame_free_blocks(unsigned order)
{
    ASSERT(order <= FRAME_MAX_ORDER);
    spin_lock(&lock);
    uint64_t n = buddy_count(&buddy, ZONE_DOMAIN, order) + buddy_count(&buddy, ZONE_HEAP, order);
    spin_unlock(&lock);
    return n;
}

uint64_t frame_available(void)
{
    return frame_unpromised(ZONE_DOMAIN);
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

cold void frame_table_adopt(const struct frame_table *t, union frame *at, uint64_t usable)
{
    place = *t;
    total = usable;
    stosq(&at->word, 0, t->size);
    buddy_init(&buddy, at, t->size);
    accounts = (struct accounts){ 0 };
}

cold void frame_table_set(uint64_t first, uint64_t end, uint16_t owner)
{
    struct account *a = account_open(&accounts, owner);
    unsigned order;

    for (uint64_t n = first; n < end; n += 1UL << order) {
        enum frame_zone zone = owner == OWNER_FREE && n >= REACHABLE ? ZONE_FAR : ZONE_DOMAIN;
        order = block_order(n, end);
        a->of[zone].frames += 1UL << order;
        if (owner == OWNER_FREE)
            buddy_free(&buddy, zone, (uint32_t)n, order);
        else
            buddy.table[n] = block_of(owner, ZONE_DOMAIN, order);
    }
}

struct frame_table frame_table_place(void)
{
    return place;
}

cold void frame_table_move(union frame *at)
{
    struct account *a = account_of(&accounts, OWNER_FREE);
    uint32_t n;

    buddy.table = at;
    a->of[ZONE_DOMAIN].frames += a->of[ZONE_FAR].frames;
    a->of[ZONE_FAR].frames = 0;
    for (unsigned order = FRAME_MAX_ORDER + 1; order-- > 0;) {
        while ((n = buddy_alloc(&buddy, ZONE_FAR, order)) != BUDDY_NONE)
            buddy_free(&buddy, ZONE_DOMAIN, n, order);
    }
}

cold void frame_reown(mfn_t m, uint16_t from, uint16_t to)
{
    spin_lock(&lock);
    ASSERT(block_owner(&buddy, m.v) == from);
    block_cut(&buddy, m.v, ORDER_4K);
    account_pass(&accounts, from, to, buddy.table[m.v].used.zone, 1);
    buddy.table[m.v].used.owner = to;
    spin_unlock(&lock);
}
