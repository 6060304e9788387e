/*
 * Mapped without a grant. See grant/foreign.h.
 */
#include "grant/foreign.h"
#include "grant/grant.h"
#include "guestmem/p2m.h"
#include "lib/likely.h"
#include "mm/frame.h"
#include "xen/pair.h"

/* Makes room at g: what was there goes. */
static int make_room(struct xen_domain *mine, gfn_t g)
{
    int err = p2m_remove(mine->p2m, g);

    return err == -ENOENT ? 0 : err;
}

/* Both locks are held. To a log of what is written the page is written while it is mapped, and no
 * longer: who reads it for a copy of the domain does not mean to write. */
static int map(struct xen_domain *mine, struct xen_domain *other, gfn_t from, gfn_t to)
{
    mfn_t m;
    int err = p2m_pin_own(other->p2m, from, true, &m);

    if (err)
        return err;
    err = make_room(mine, to);
    if (!err)
        err = p2m_lend(mine->p2m, to, m, SLAT_R | SLAT_W | SLAT_PINNED);
    if (err)
        frame_unpin(m);
    else
        other->foreign.mapped = true;
    return err;
}

int foreign_map(struct xen_domain *mine, struct xen_domain *other, gfn_t from, gfn_t to)
{
    pair_lock_linked(mine, other);
    int err = map(mine, other, from, to);
    pair_unlock(mine, other);
    return err;
}

static int map_grants(struct xen_domain *mine, struct xen_domain *other, uint64_t frame, gfn_t to)
{
    mfn_t m;
    int err = grant_table_frame(other, frame, &m);

    if (!err)
        err = make_room(mine, to);
    if (!err)
        err = p2m_lend(mine->p2m, to, m, SLAT_R | SLAT_W);
    if (!err)
        other->foreign.mapped = true;
    return err;
}

cold int foreign_map_grants(struct xen_domain *mine, struct xen_domain *other, uint64_t frame,
                            gfn_t to)
{
    pair_lock_linked(mine, other);
    int err = map_grants(mine, other, frame, to);
    pair_unlock(mine, other);
    return err;
}

/* ---- The end of a domain ---- */

/* RAM that was given back counts as d's no more. A page of its table is not to be seen. */
static bool part_with(void *ctx, mfn_t m)
{
    struct xen_domain *d = ctx;

    if (grant_table_has(d, m))
        return true;
    frame_abandon(m, d->id);
    return false;
}

/* Both locks: who works for the control domain outside its guest code may be about to write to a
 * page that he has found there. */
static void look_at_some(struct xen_domain *d, struct xen_domain *control)
{
    struct p2m *p = control->p2m;

    spin_lock(d->lock);
    pair_lock_linked(d, control);
    d->foreign.looked = p2m_each_lent(p, &d->foreign.next, part_with, d);
    d->foreign.epoch = p->epoch;
    pair_unlock(d, control);
    spin_unlock(d->lock);
}

cold bool foreign_detach(struct xen_domain *d)
{
    struct xen_domain *control = xen_domain_by_id(XEN_DOMID_CONTROL);

    if (!d->foreign.mapped || !control || control == d)
        return true; /* a control domain that ended has let go of all */
    if (d->foreign.looked)
        return xen_domain_has_flushed(control, d->foreign.epoch);
    look_at_some(d, control);
    return false;
}
