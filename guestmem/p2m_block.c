/*
 * Large pieces, put where somebody else wants them: RAM, as whoever builds a domain from outside
 * says what is where, and the p2m knows of no ranges then but of what is populated on demand; and
 * registers of devices. See guestmem/p2m.h.
 */
#include "guestmem/p2m.h"
#include "lib/likely.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "virt/virt.h"

/* Nothing is at any of these places, and nothing is to come there. 1 GiB may have 2^18 entries, so
 * that there are tables is enough to say no. */
static int check_place(struct p2m *p, gfn_t g, unsigned order)
{
    uint64_t frames = 1UL << order;
    struct slat_entry entry;

    if (g.v & (frames - 1))
        return -EINVAL;
    if (slat_lookup(&p->slat, g, &entry) == 0 || (order == ORDER_1G && entry.order < order))
        return -EEXIST;
    if (p->giant.open && g.v >> ORDER_1G == p->giant.at.v >> ORDER_1G)
        return -EEXIST;
    for (unsigned i = 0; i < p->range_count; i++)
        if (g.v < p->ram[i].start.v + p->ram[i].frames && p->ram[i].start.v < g.v + frames)
            return -EEXIST;
    if (p->slat.cut || p->limbo_count == P2M_LIMBO)
        return -EAGAIN;
    return p2m_tables_used_up(p) ? -ENOMEM : 0;
}

unsigned p2m_largest_order(uint64_t frames)
{
    if (virt_caps.slat_1g && frames >= 1UL << ORDER_1G)
        return ORDER_1G;
    return virt_caps.slat_2m && frames >= 1UL << ORDER_2M ? ORDER_2M : ORDER_4K;
}

/* As many frames more than the domain has now. */
static int ask_for(struct p2m *p, uint64_t frames)
{
    uint64_t has = promise_of(p->owner).ram;

    return has + frames <= p->most ? promise_more(p->owner, frames) : -ENOMEM;
}

static void count(struct p2m *p, gfn_t g, unsigned order)
{
    p->promised += 1UL << order;
    if (g.v + (1UL << order) > p->beyond)
        p->beyond = g.v + (1UL << order);
}

static int fill_large(struct p2m *p, gfn_t g, mfn_t *m)
{
    int err = frame_alloc(ORDER_2M, p->owner, m);

    if (err)
        return err;
    err = p2m_map_large(p, g, *m, ORDER_2M);
    if (err) {
        frame_free(*m, ORDER_2M, p->owner);
        return err;
    }
    p->populated += 1UL << ORDER_2M;
    return 0;
}

static int begin_giant(struct p2m *p, gfn_t g, mfn_t *m)
{
    int err = frame_alloc_unscrubbed(ORDER_1G, p->owner, m);

    if (err)
        return err;
    p->giant.at = g;
    p->giant.first = *m;
    p->giant.scrubbed = 0;
    p->giant.open = true;
    return -EAGAIN;
}

/* Asked for, promised, then had. */
static int begin(struct p2m *p, gfn_t g, unsigned order)
{
    mfn_t m;
    int err = check_place(p, g, order);

    if (!err)
        err = ask_for(p, 1UL << order);
    if (err)
        return err;
    err = order == ORDER_1G ? begin_giant(p, g, &m) : fill_large(p, g, &m);
    if (err && err != -EAGAIN)
        promise_less(p->owner, 1UL << order);
    else
        count(p, g, order);
    return err;
}

static int go_on(struct p2m *p, gfn_t g)
{
    bool same = p->giant.at.v == g.v;
    int64_t step = p2m_giant_goes_on(p);

    if (step < 0)
        return (int)step;
    return step && same ? 0 : -EAGAIN;
}

static int fill(struct p2m *p, gfn_t g, unsigned order)
{
    if (p2m_largest_order(1UL << order) != order)
        return -EINVAL;
    return order == ORDER_1G && p->giant.open ? go_on(p, g) : begin(p, g, order);
}

cold int p2m_fill_block(struct p2m *p, gfn_t g, unsigned order)
{
    spin_lock(&p->lock);
    int err = fill(p, g, order);
    spin_unlock(&p->lock);
    return err;
}

cold int p2m_lend_device_block(struct p2m *p, gfn_t g, mfn_t m, unsigned order)
{
    spin_lock(&p->lock);
    int err = check_place(p, g, order);
    if (!err)
        err = p2m_map_block(p, g, m, order, P2M_REGISTERS, SLAT_UC);
    spin_unlock(&p->lock);
    return err;
}

/* ---- On demand ---- */

/* Whoever builds a domain begins at the lowest place: most pieces follow each other. */
static int add_place(struct p2m *p, gfn_t g, uint64_t frames)
{
    unsigned i = 0;

    while (i < p->range_count && p->ram[i].start.v + p->ram[i].frames != g.v)
        i++;
    if (i == P2M_RAM_RANGES)
        return -ENOSPC;
    if (i == p->range_count) {
        p->ram[i].start = g;
        p->ram[i].frames = 0;
        p->range_count++;
    }
    p->ram[i].frames += frames;
    p->lacking += (int64_t)frames;
    return 0;
}

/* Nothing may be mapped at any of the places: it would be counted twice. */
static int check_empty(struct p2m *p, gfn_t g, unsigned order)
{
    struct slat_entry entry;
    int err = check_place(p, g, order);

    if (!err && slat_lookup(&p->slat, g, &entry) && entry.order < order)
        err = -EEXIST;
    return err;
}

cold int p2m_add_on_demand(struct p2m *p, gfn_t g, unsigned order)
{
    spin_lock(&p->lock);
    int err = check_empty(p, g, order);
    if (!err)
        err = add_place(p, g, 1UL << order);
    spin_unlock(&p->lock);
    return err;
}

cold int p2m_set_pool(struct p2m *p, uint64_t frames)
{
    spin_lock(&p->lock);
    uint64_t more = frames > p->promised ? frames - p->promised : 0;
    int err = frames > p->most ? -ENOMEM : more ? ask_for(p, more) : 0;
    if (!err) {
        p->promised += more;
        p->lacking -= (int64_t)more;
    }
    spin_unlock(&p->lock);
    return err;
}
