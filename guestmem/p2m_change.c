/*
 * Changes to a guest's memory by its own wish: holes, fresh frames, frames that are lent.
 *
 * What is unmapped may still be in the TLB of a pCPU whose vCPU is in the guest at that moment. So
 * the frame waits in limbo until every vCPU has come in again, which flushes (p2m_enter): nobody
 * is waited for, and no frame changes hands too early. Source: SDM, "Invalidation of Cached
 * Translations", on software's duty after such a change. An IOMMU is waited for, which takes as
 * long as a few reads of memory.
 */
#include "arch/x86/percpu.h"
#include "guestmem/p2m.h"
#include "iommu/iommu.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/likely.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "virt/virt.h"

#define TABLES_BELOW_ROOT 3

/* Page tables are the machine's memory too: a guest that scatters its frames over the whole address
 * space gets as many as its RAM may need, and a few, then -ENOMEM. So there are never more than
 * p2m_tables_most(), which the domain has been promised. */
bool p2m_tables_used_up(const struct p2m *p)
{
    return p->slat.tables + TABLES_BELOW_ROOT > p->tables_for_ram + P2M_TABLES_SPARE;
}

/* At a place that was found vacant: one that has its tables needs none. */
static int map_as(struct p2m *p, gfn_t g, struct slat_entry *place, mfn_t m, unsigned rights,
                  enum slat_type type)
{
    if (place->order != ORDER_4K && p2m_tables_used_up(p))
        return -ENOMEM;
    return slat_put(&p->slat, g, place, m, rights, type);
}

static int map_one(struct p2m *p, gfn_t g, struct slat_entry *place, mfn_t m, unsigned rights)
{
    return map_as(p, g, place, m, rights, p2m_type_of(m, ORDER_4K));
}

/* RAM at g that has not arrived yet is something too. */
static bool is_vacant(struct p2m *p, gfn_t g, struct slat_entry *place)
{
    if (slat_lookup(&p->slat, g, place) == 0)
        return false;
    return place->hole || !p2m_is_ram(p, g);
}

/* May something be put there? Not into 1 GiB that is about to be. */
static bool may_map(struct p2m *p, gfn_t g, struct slat_entry *place)
{
    return is_vacant(p, g, place) &&
           !(p->giant.open && g.v >> ORDER_1G == p->giant.at.v >> ORDER_1G);
}

cold void p2m_forget(struct p2m *p)
{
    p->cache_epoch++;
    for (unsigned i = 0; i < P2M_CACHED / 64; i++)
        p->cached[i] = 0;
}

/* Devices forget it here: they have no moment at which they come in again. */
void p2m_changed(struct p2m *p, gfn_t g, uint64_t frames)
{
    p->epoch++;
    if (frames > 1 || bitmap_test(p->cached, p2m_cached_bit(g)))
        p2m_forget(p);
    if (p->slat.devices)
        iommu_flush(p->owner, g, frames);
}

/* Leaves a hole where RAM has its place, nothing elsewhere. The caller tells of it. */
static int unmap(struct p2m *p, gfn_t g)
{
    return p2m_is_ram(p, g) ? slat_punch(&p->slat, g) : slat_unmap(&p->slat, g);
}

cold int p2m_vacate(struct p2m *p, gfn_t g)
{
    int err = unmap(p, g);

    if (!err)
        p2m_changed(p, g, 1);
    return err;
}

void p2m_take(struct p2m *p, gfn_t g, const struct slat_entry *e)
{
    slat_take(e, p2m_is_ram(p, g));
    p2m_changed(p, g, 1);
}

int p2m_lend(struct p2m *p, gfn_t g, mfn_t m, unsigned rights)
{
    struct slat_entry place;

    spin_lock(&p->lock);
    int err = may_map(p, g, &place) ? map_one(p, g, &place, m, rights | SLAT_LENT) : -EEXIST;
    spin_unlock(&p->lock);
    return err;
}

cold int p2m_lend_device(struct p2m *p, gfn_t g, mfn_t m)
{
    struct slat_entry place;

    spin_lock(&p->lock);
    int err = may_map(p, g, &place) ? map_as(p, g, &place, m, P2M_REGISTERS, SLAT_UC) : -EEXIST;
    spin_unlock(&p->lock);
    return err;
}

/* Large ones go as they came. The caller tells of it. */
static int unmap_registers(struct p2m *p, gfn_t g, unsigned order)
{
    if (order == ORDER_4K)
        return unmap(p, g);
    slat_drop(&p->slat, g);
    return 0;
}

/* What is at the next place, which may be more than a page: of what is not mapped the tables tell
 * how much it is. */
static void take_next(struct p2m *p, struct p2m_registers *r)
{
    const gfn_t at = gfn(r->at.v + r->done);
    struct slat_entry entry;
    int err = 0;

    if (slat_lookup(&p->slat, at, &entry) == 0 && p2m_is_device(&entry) &&
        entry.mfn.v == r->first.v + r->done)
        err = unmap_registers(p, at, entry.order);
    ASSERT(!err); /* no single mapping needs memory to go */
    r->done = (at.v | ((1UL << entry.order) - 1)) + 1 - r->at.v;
}

/* TLBs and an IOMMU hear of all together, at the end: they are the domain's own device's. */
cold bool p2m_take_device(struct p2m *p, struct p2m_registers *r)
{
    spin_lock(&p->lock);
    for (unsigned i = 0; i < P2M_PIECE && r->done < r->frames; i++)
        take_next(p, r);
    bool all = r->done >= r->frames;
    if (all)
        p2m_changed(p, r->at, r->frames);
    spin_unlock(&p->lock);
    return all;
}

static void send_to_limbo(struct p2m *p, mfn_t m, bool pinned, bool table)
{
    ASSERT(p->limbo_count < P2M_LIMBO);
    p->limbo[p->limbo_count].frame = m;
    p->limbo[p->limbo_count].pinned = pinned;
    p->limbo[p->limbo_count].table = table;
    p->limbo[p->limbo_count].epoch = p->epoch;
    p->limbo_count++;
}

/* What has read its way to a table that the mapping takes the place of may go on from there. */
int p2m_map_block(struct p2m *p, gfn_t g, mfn_t m, unsigned order, unsigned rights,
                  enum slat_type type)
{
    if (p->slat.cut || p->limbo_count == P2M_LIMBO)
        return -EAGAIN;
    int err = slat_map(&p->slat, g, m, order, rights, type);
    if (!err && p->slat.cut) {
        p2m_changed(p, g, 1UL << order);
        send_to_limbo(p, m, false, true);
    }
    return err;
}

int p2m_map_large(struct p2m *p, gfn_t g, mfn_t m, unsigned order)
{
    return p2m_map_block(p, g, m, order, p2m_rights_of_ram(order), p2m_type_of(m, order));
}

/* A large piece of registers goes as a whole. */
static int vacate(struct p2m *p, gfn_t g, const struct slat_entry *e)
{
    const uint64_t frames = 1UL << e->order;

    if (e->order == ORDER_4K || !p2m_is_device(e))
        return p2m_vacate(p, g);
    slat_drop(&p->slat, g);
    p2m_changed(p, gfn(g.v & -frames), frames);
    return 0;
}

static int remove(struct p2m *p, gfn_t g)
{
    struct slat_entry entry;
    bool mapped = slat_lookup(&p->slat, g, &entry) == 0;
    bool lent = mapped && (entry.rights & SLAT_LENT);
    bool pinned = mapped && (entry.rights & SLAT_PINNED);
    bool waits = mapped && (!lent || pinned);

    if (!mapped && (entry.hole || !p2m_is_ram(p, g)))
        return -ENOENT;
    if (waits && p->limbo_count == P2M_LIMBO)
        return -EAGAIN;
    int err = mapped ? vacate(p, g, &entry) : p2m_vacate(p, g);
    if (err)
        return err;
    if (waits)
        send_to_limbo(p, entry.mfn, pinned, false);
    if (lent)
        return 0;
    if (!mapped && p->lacking > 0) { /* nothing was to arrive there */
        p->lacking--;
        return 0;
    }
    p->promised--;
    if (mapped)
        p->populated--;
    else
        promise_less(p->owner, 1);
    return 0;
}

cold int p2m_remove(struct p2m *p, gfn_t g)
{
    spin_lock(&p->lock);
    int err = remove(p, g);
    spin_unlock(&p->lock);
    return err;
}

/* One frame more than the domain has now. What waits for TLBs, or is pinned, counts: the first is
 * over soon, so the call is made again. */
static int ask_for_more(struct p2m *p)
{
    int err = promise_of(p->owner).ram < p->most ? promise_more(p->owner, 1) : -ENOMEM;

    return err && p->limbo_count ? -EAGAIN : err;
}

cold void p2m_set_most(struct p2m *p, uint64_t frames, uint64_t tables)
{
    spin_lock(&p->lock);
    uint64_t has = promise_of(p->owner).ram;
    p->most = frames > has ? frames : has;
    p->tables_for_ram = tables > p->slat.tables ? tables : p->slat.tables;
    spin_unlock(&p->lock);
}

cold void p2m_promise_again(struct p2m *p)
{
    if (promise_of(p->owner).ram >= p->most || promise_more(p->owner, 1))
        return;
    p->promised++;
    p->lacking--;
}

static void note_highest(struct p2m *p, gfn_t g)
{
    if (g.v >= p->beyond)
        p->beyond = g.v + 1;
}

static int fill(struct p2m *p, gfn_t g)
{
    struct slat_entry place;
    mfn_t m;

    if (!may_map(p, g, &place))
        return -EEXIST;
    int err = ask_for_more(p);
    if (err)
        return err;
    err = frame_alloc(ORDER_4K, p->owner, &m);
    if (err) {
        promise_less(p->owner, 1);
        return err;
    }
    err = map_one(p, g, &place, m, SLAT_RWX);
    if (err) {
        frame_return(m, p->owner);
        return err;
    }
    p->promised++;
    p->populated++;
    note_highest(p, g);
    return 0;
}

cold int p2m_fill(struct p2m *p, gfn_t g)
{
    spin_lock(&p->lock);
    int err = fill(p, g);
    spin_unlock(&p->lock);
    return err;
}

/* The place that is left becomes a hole only when the new one is in force: no way back is needed.
 */
static int move(struct p2m *p, gfn_t from, gfn_t to)
{
    struct slat_entry entry, place;

    if (slat_lookup(&p->slat, from, &entry) || (entry.rights & SLAT_LENT))
        return -ENOENT;
    if (!may_map(p, to, &place))
        return -EEXIST;
    int err = map_one(p, to, &place, entry.mfn, SLAT_RWX);
    if (err)
        return err;
    note_highest(p, to);
    err = p2m_vacate(p, from);
    if (err && p2m_vacate(p, to))
        panic("p2m: a mapping just made cannot be unmade");
    return err;
}

cold int p2m_move(struct p2m *p, gfn_t from, gfn_t to)
{
    spin_lock(&p->lock);
    int err = move(p, from, to);
    spin_unlock(&p->lock);
    return err;
}

void p2m_take_back(struct p2m *p, gfn_t g, mfn_t m)
{
    struct slat_entry entry;

    spin_lock(&p->lock);
    bool lent = slat_lookup(&p->slat, g, &entry) == 0 &&
                (entry.rights & (SLAT_LENT | SLAT_PINNED)) == SLAT_LENT;
    if (lent && entry.mfn.v == m.v)
        p2m_take(p, g, &entry);
    p2m_lost(p, m, ORDER_4K);
    spin_unlock(&p->lock);
}

cold int p2m_lookup(struct p2m *p, gfn_t g, mfn_t *out, bool *lent)
{
    struct slat_entry entry;

    spin_lock(&p->lock);
    int err = slat_lookup(&p->slat, g, &entry);
    spin_unlock(&p->lock);
    if (err)
        return err;
    *out = entry.mfn;
    *lent = entry.rights & SLAT_LENT;
    return 0;
}

/* Where nothing is mapped: may RAM arrive? Of *alike places, this and those that follow, as many as
 * have the same answer. */
static cold bool awaits_ram(const struct p2m *p, gfn_t g, uint64_t *alike)
{
    bool is_inside = false;

    for (unsigned i = 0; i < p->range_count; i++) {
        uint64_t start = p->ram[i].start.v, end = start + p->ram[i].frames;
        bool inside = g.v >= start && g.v < end;
        uint64_t edge = inside ? end : start;
        is_inside |= inside;
        if (edge > g.v && edge - g.v < *alike)
            *alike = edge - g.v;
    }
    return is_inside;
}

cold bool p2m_has_own(struct p2m *p, gfn_t g, uint64_t *alike)
{
    struct slat_entry entry;

    spin_lock(&p->lock);
    bool there = slat_lookup(&p->slat, g, &entry) == 0;
    *alike = (1UL << entry.order) - (g.v & ((1UL << entry.order) - 1));
    bool own = there ? !(entry.rights & SLAT_LENT) : !entry.hole && awaits_ram(p, g, alike);
    spin_unlock(&p->lock);
    return own;
}

cold void p2m_flush(struct p2m *p)
{
    spin_lock(&p->lock);
    p->epoch++;
    p2m_forget(p);
    spin_unlock(&p->lock);
}

static __attribute__((noinline)) uint64_t flush(struct p2m *p, uint64_t *seen)
{
    virt_flush_slat(&p->slat);
    return *seen = p->epoch;
}

void p2m_enter(struct p2m *p, unsigned vcpu)
{
    uint64_t *seen = &p->seen[cpu_id()], epoch = *seen;

    if (unlikely(epoch != p->epoch))
        epoch = flush(p, seen);
    p->inside[vcpu] = epoch;
}
