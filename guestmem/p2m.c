/*
 * The p2m: RAM ranges, frames at the first touch. See guestmem/p2m.h.
 */
#include "guestmem/p2m.h"
#include "arch/x86/mtrr.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/likely.h"
#include "mm/frame.h"
#include "mm/window.h"
#include "virt/virt.h"

cold int p2m_init(struct p2m *p, uint16_t owner)
{
    *p = (struct p2m){
        .lock = SPINLOCK_RANK("p2m", LOCK_P2M), .owner = owner, .epoch = 1, .cache_epoch = 1
    };
    p->tables_for_ram = 1; /* the root */
    return slat_init(&p->slat, owner);
}

void p2m_lost(const struct p2m *p, mfn_t m, unsigned order)
{
    for (uint64_t n = 0; unlikely(p->slat.lost) && n < 1UL << order; n++)
        (void)!frame_retire(mfn(m.v + n), frame_owner(mfn(m.v + n)));
}

/* A pin that is not replaced by one for good stays. */
static cold __attribute__((noinline)) void unpin_lost(mfn_t m)
{
    if (frame_retire(m, frame_owner(m)))
        frame_unpin(m);
}

/* Who lets go of what somebody else has. */
static void unpin(const struct p2m *p, mfn_t m)
{
    if (likely(!p->slat.lost))
        frame_unpin(m);
    else
        unpin_lost(m);
}

static void give_back(const struct p2m *p, mfn_t m, unsigned order)
{
    p2m_lost(p, m, order);
    frame_free(m, order, p->owner);
}

static cold void free_mapping(void *ctx, gfn_t g, const struct slat_entry *e)
{
    struct p2m *p = ctx;

    (void)g;
    if (e->rights & SLAT_PINNED)
        unpin(p, e->mfn);
    if (e->rights & SLAT_LENT)
        return;
    if (e->order > ORDER_2M) { /* it may be in 262,144 pieces by now */
        p->going.first = e->mfn;
        p->going.frames = 1UL << e->order;
        return;
    }
    give_back(p, e->mfn, e->order);
    p->populated -= 1UL << e->order;
}

/* 2 MiB of it. */
static void give_back_some(struct p2m *p)
{
    give_back(p, p->going.first, ORDER_2M);
    p->going.first.v += 1UL << ORDER_2M;
    p->going.frames -= 1UL << ORDER_2M;
    p->populated -= 1UL << ORDER_2M;
}

/* The epoch that no vCPU in the guest has entered before. */
static uint64_t oldest_inside(const struct p2m *p, unsigned vcpus)
{
    uint64_t oldest = p->epoch;

    for (unsigned i = 0; i < vcpus; i++)
        if (p->inside[i] && p->inside[i] < oldest)
            oldest = p->inside[i];
    return oldest;
}

/* RAM that it has no more. */
static void give_up(struct p2m *p, mfn_t m)
{
    p2m_lost(p, m, ORDER_4K);
    frame_return(m, p->owner);
    if (unlikely(p->lacking > 0 && !p->slat.lost))
        p2m_promise_again(p);
}

/* Tables are counted, and a vCPU that touches RAM elsewhere makes some at any moment. */
static void free_cut(struct p2m *p)
{
    spin_lock(&p->lock);
    slat_free_cut(&p->slat);
    spin_unlock(&p->lock);
}

cold void p2m_reap(struct p2m *p, unsigned vcpus)
{
    uint64_t oldest = oldest_inside(p, vcpus);
    unsigned kept = 0;

    for (unsigned i = 0; i < p->limbo_count; i++) {
        if (p->limbo[i].epoch > oldest)
            p->limbo[kept++] = p->limbo[i];
        else if (p->limbo[i].table)
            free_cut(p);
        else if (p->limbo[i].pinned)
            unpin(p, p->limbo[i].frame);
        else
            give_up(p, p->limbo[i].frame);
    }
    p->limbo_count = kept;
}

static void free_limbo(struct p2m *p)
{
    while (p->limbo_count--) {
        if (p->limbo[p->limbo_count].table)
            slat_free_cut(&p->slat);
        else if (p->limbo[p->limbo_count].pinned)
            unpin(p, p->limbo[p->limbo_count].frame);
        else
            give_back(p, p->limbo[p->limbo_count].frame, ORDER_4K);
    }
    p->limbo_count = 0;
}

/* What was not mapped yet goes the way of what was. */
static void drop_giant(struct p2m *p)
{
    p->giant.open = false;
    p->going.first = p->giant.first;
    p->going.frames = 1UL << ORDER_1G;
    p->populated += 1UL << ORDER_1G;
}

cold bool p2m_destroy(struct p2m *p)
{
    if (!p->slat.root)
        return true;
    if (p->limbo_count) {
        free_limbo(p);
        return false;
    }
    if (p->giant.open)
        drop_giant(p);
    if (p->going.frames) {
        give_back_some(p);
        return false;
    }
    if (!slat_drain(&p->slat, P2M_END_PIECE, free_mapping, p) || p->going.frames)
        return false;
    slat_destroy(&p->slat);
    ASSERT(p->populated == 0);
    return true;
}

cold int p2m_add_ram(struct p2m *p, gfn_t start, uint64_t frames)
{
    if (start.v + frames < start.v)
        return -EINVAL;
    if (p->range_count == P2M_RAM_RANGES)
        return -ENOSPC;
    p->ram[p->range_count].start = start;
    p->ram[p->range_count].frames = frames;
    p->range_count++;
    p->promised += frames;
    p->most += frames;
    p->tables_for_ram += p2m_tables(frames);
    return 0;
}

/* True if the 2^order frames around g, naturally aligned, lie in one range of RAM. */
static bool block_is_ram(const struct p2m *p, gfn_t g, unsigned order)
{
    uint64_t size = 1UL << order, first = g.v & ~(size - 1);

    for (unsigned i = 0; i < p->range_count; i++) {
        uint64_t start = p->ram[i].start.v, frames = p->ram[i].frames;
        if (first >= start && size <= frames && first - start <= frames - size)
            return true; /* no sum: g may be any number of a guest's */
    }
    return false;
}

bool p2m_is_ram(const struct p2m *p, gfn_t g)
{
    return block_is_ram(p, g, ORDER_4K);
}

uint64_t p2m_places(const struct p2m *p)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < p->range_count; i++)
        n += p->ram[i].frames;
    return n;
}

gfn_t p2m_highest(const struct p2m *p)
{
    uint64_t end = p->beyond ? p->beyond : 1;

    for (unsigned i = 0; i < p->range_count; i++)
        if (p->ram[i].start.v + p->ram[i].frames > end)
            end = p->ram[i].start.v + p->ram[i].frames;
    return gfn(end - 1);
}

unsigned p2m_rights_of_ram(unsigned order)
{
    return SLAT_R | SLAT_W | (order > ORDER_4K && virt_caps.small_code ? SLAT_X_SMALL : SLAT_X);
}

enum slat_type p2m_type_of(mfn_t m, unsigned order)
{
    return (enum slat_type)mtrr_type(mfn_to_maddr(m), PAGE_SIZE << order);
}

/* Allocates and maps the 2^order frames around g. -EEXIST if part of them has come singly. */
static int populate_block(struct p2m *p, gfn_t g, unsigned order, mfn_t *out)
{
    gfn_t first = gfn(g.v & ~((1UL << order) - 1));
    mfn_t m;
    int err = frame_alloc(order, p->owner, &m);

    if (err)
        return err;
    err = order ? p2m_map_large(p, first, m, order)
                : slat_map(&p->slat, first, m, order, SLAT_RWX, p2m_type_of(m, order));
    if (err) {
        frame_free(m, order, p->owner);
        return err;
    }
    p->populated += 1UL << order;
    *out = mfn(m.v + (g.v - first.v));
    return 0;
}

/* Single frames, where nothing was found: as many as come together, if all of them are missing. */
static int populate_few(struct p2m *p, gfn_t g, struct slat_entry *place)
{
    unsigned order = P2M_FEW_ORDER;
    mfn_t m;

    if (place->hole)
        return -EFAULT;
    int err = place->order == ORDER_4K ? 0 : slat_reach(&p->slat, g, place);
    if (err)
        return err;
    if (!block_is_ram(p, g, order) || !slat_is_vacant(place, g, order) ||
        frame_alloc(order, p->owner, &m)) {
        order = ORDER_4K;
        err = frame_alloc(order, p->owner, &m);
    }
    if (err)
        return err;
    slat_fill(place, g, m, order, p2m_type_of(m, order));
    p->populated += 1UL << order;
    place->mfn = mfn(m.v + (g.v & ((1UL << order) - 1)));
    return 0;
}

/* May 2^order frames begin at g? */
static bool block_begins(const struct p2m *p, gfn_t g, unsigned order)
{
    return !(g.v & ((1UL << order) - 1)) && block_is_ram(p, g, order);
}

/* The largest order that may begin at g, of 2 MiB and 4 KiB, with frames to be had. */
static cold int populate_largest(struct p2m *p, gfn_t g, unsigned *order)
{
    static const unsigned orders[] = { ORDER_2M, ORDER_4K };
    mfn_t m;
    int err = -ENOMEM;

    for (unsigned i = 0; err && i < sizeof(orders) / sizeof(orders[0]); i++) {
        *order = orders[i];
        if (block_begins(p, g, *order))
            err = populate_block(p, g, *order, &m);
    }
    return err;
}

/* Can 1 GiB come at g? Then it is scrubbed by 2 MiB, one at a step. */
static cold bool giant_begins(struct p2m *p, gfn_t g)
{
    struct slat_entry entry;

    if (!virt_caps.slat_1g || !block_begins(p, g, ORDER_1G) || !slat_lookup(&p->slat, g, &entry) ||
        entry.order < ORDER_1G || frame_alloc_unscrubbed(ORDER_1G, p->owner, &p->giant.first))
        return false;
    p->giant.at = g;
    p->giant.scrubbed = 0;
    p->giant.open = true;
    return true;
}

/* One step of it. Returns 0 until all is clean and mapped, then its frames; or an error. */
cold int64_t p2m_giant_goes_on(struct p2m *p)
{
    mfn_t first = p->giant.first;

    if (p->giant.scrubbed < 1UL << ORDER_1G) {
        window_fill(mfn(first.v + p->giant.scrubbed), ORDER_2M, 0);
        p->giant.scrubbed += 1UL << ORDER_2M;
    }
    if (p->giant.scrubbed < 1UL << ORDER_1G)
        return 0;
    int err = p2m_map_large(p, p->giant.at, first, ORDER_1G);
    if (err)
        return err; /* to be tried again, or p2m_destroy() frees it */
    p->giant.open = false;
    p->populated += 1UL << ORDER_1G;
    return 1L << ORDER_1G;
}

/* What is at g, or arrives there now. Returns how many frames further the next place is (0: ask
 * again), or an error. */
static cold int64_t populate_at(struct p2m *p, gfn_t g)
{
    struct slat_entry entry;
    unsigned order = ORDER_4K;
    int err = 0;

    if (p->giant.open || giant_begins(p, g))
        return p2m_giant_goes_on(p);
    if (slat_lookup(&p->slat, g, &entry) == 0)
        order = entry.order;
    else
        err = entry.hole ? -EFAULT : populate_largest(p, g, &order);
    return err ? err : (int64_t)((g.v | ((1UL << order) - 1)) + 1 - g.v);
}

/* The first range that ends beyond g; how many there are if none does. */
static unsigned range_beyond(const struct p2m *p, gfn_t g)
{
    unsigned i = 0;

    while (i < p->range_count && g.v >= p->ram[i].start.v + p->ram[i].frames)
        i++;
    return i;
}

cold int p2m_populate_some(struct p2m *p, gfn_t *next)
{
    int64_t step = 1;

    spin_lock(&p->lock);
    for (uint64_t done = 0; step > 0 && done < P2M_PIECE; done += (uint64_t)step) {
        unsigned i = range_beyond(p, *next);
        if (i == p->range_count) {
            spin_unlock(&p->lock);
            return 0;
        }
        if (next->v < p->ram[i].start.v)
            *next = p->ram[i].start;
        step = populate_at(p, *next);
        next->v += step > 0 ? (uint64_t)step : 0;
    }
    spin_unlock(&p->lock);
    return step < 0 ? (int)step : -EAGAIN;
}

/* The frame at g and how it is mapped; RAM arrives now if it had not. A block comes whole where it
 * is RAM and no part of it has come singly. */
static int lookup_or_populate(struct p2m *p, gfn_t g, struct slat_entry *entry)
{
    int err = -EEXIST;

    if (slat_lookup(&p->slat, g, entry) == 0)
        return unlikely(p2m_is_device(entry)) ? -EFAULT : 0;
    if (!p2m_is_ram(p, g))
        return -EFAULT;
    entry->rights = SLAT_RWX;
    if (entry->order >= ORDER_2M && virt_caps.slat_2m && block_is_ram(p, g, ORDER_2M))
        err = populate_block(p, g, ORDER_2M, &entry->mfn);
    return err ? populate_few(p, g, entry) : 0;
}

/* The same by memory. A guest's page tables are walked for every operand of its that is read, and
 * nothing of what is remembered changes within p->cache_epoch. */
static int lookup_cached(struct p2m *p, gfn_t g, struct slat_entry *entry)
{
    unsigned i = g.v % P2M_RECENT;

    if (p->recent[i].epoch == p->cache_epoch && p->recent[i].gfn.v == g.v) {
        entry->mfn = p->recent[i].mfn;
        entry->rights = p->recent[i].rights;
        return 0;
    }
    int err = lookup_or_populate(p, g, entry);
    if (err)
        return err;
    bitmap_set(p->cached, p2m_cached_bit(g));
    p->recent[i].epoch = p->cache_epoch;
    p->recent[i].gfn = g;
    p->recent[i].mfn = entry->mfn;
    p->recent[i].rights = entry->rights;
    return 0;
}

/* Only the log takes that right from a domain's own RAM. */
static int lookup_for(struct p2m *p, gfn_t g, unsigned rights, struct slat_entry *entry)
{
    int err = lookup_cached(p, g, entry);

    if (!err && unlikely(rights & ~entry->rights & SLAT_W) && !(entry->rights & SLAT_LENT)) {
        p2m_log_write(p, g, entry);
        p->recent[g.v % P2M_RECENT].rights = entry->rights;
    }
    return err;
}

static __attribute__((noinline)) int populate(struct p2m *p, gfn_t g, unsigned rights, mfn_t *out)
{
    struct slat_entry entry;

    spin_lock(&p->lock);
    int err = lookup_for(p, g, rights, &entry);
    spin_unlock(&p->lock);
    if (err)
        return err;
    *out = entry.mfn;
    return (entry.rights & rights) == rights ? 0 : -EFAULT;
}

/* Nothing is flushed: no right is taken away, and a fetch by what was cached exits once more. A
 * device that goes on by the large mapping gets to the same frames; iommu_flush() of one of them
 * has it forget the large one. */
cold int p2m_execute(struct p2m *p, gfn_t g)
{
    spin_lock(&p->lock);
    int err = slat_split_to_execute(&p->slat, g);
    spin_unlock(&p->lock);
    return err;
}

int p2m_populate(struct p2m *p, gfn_t g, mfn_t *out)
{
    return populate(p, g, SLAT_R, out);
}

int p2m_populate_writable(struct p2m *p, gfn_t g, mfn_t *out)
{
    return populate(p, g, SLAT_R | SLAT_W, out);
}

int p2m_find_own(struct p2m *p, gfn_t g, bool readonly, mfn_t *out)
{
    unsigned rights = readonly ? SLAT_R : SLAT_R | SLAT_W;
    struct slat_entry entry;

    spin_lock(&p->lock);
    int err = lookup_for(p, g, rights, &entry);
    spin_unlock(&p->lock);
    if (err || (entry.rights & (rights | SLAT_LENT)) != rights)
        return -EINVAL;
    *out = entry.mfn;
    return 0;
}

int p2m_pin_own(struct p2m *p, gfn_t g, bool readonly, mfn_t *out)
{
    int err = p2m_find_own(p, g, readonly, out);

    if (!err)
        frame_pin(*out);
    return err;
}
