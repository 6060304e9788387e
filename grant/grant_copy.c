/*
 * Copies by grant: from or to a page of another domain without mapping it.
 *
 * What others grant of source and destination is taken one after the other, each under its domain's
 * lock, and stays taken (in use, pinned, and its domain kept from going) while the bytes move. So
 * three domains can have a part in a copy and no more than two locks are ever held. One's own page
 * is looked for last: from then on one's own lock is not let go.
 */
#include "xen/pair.h"
#include "grant/grant.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/window.h"

struct end {
    struct xen_domain *granter; /* held, and the frame pinned; NULL: it is the caller's own */
    uint32_t ref;
    bool readonly;
    mfn_t frame;
};

static int take_grant(struct xen_domain *mine, const struct xen_gnttab_copy_ptr *p, struct end *e)
{
    struct xen_domain *granter;

    if (pair_target(mine, p->domid, PAIR_MEET, &granter))
        return GNTST_BAD_DOMAIN;
    e->ref = (uint32_t)p->ref_or_gmfn;
    int status = grant_look(granter, e->ref, mine->id, e->readonly);
    if (status) {
        pair_forget(mine, granter);
        return status;
    }
    pair_lock(mine, granter);
    status = grant_acquire(granter, e->ref, mine->id, e->readonly, &e->frame);
    if (!status) {
        e->granter = granter;
        xen_domain_hold(granter);
    }
    pair_unlock(mine, granter);
    return status;
}

static int find_own(struct xen_domain *mine, const struct xen_gnttab_copy_ptr *p, struct end *e)
{
    if (e->granter)
        return GNTST_OKAY;
    if (p->domid != XEN_DOMID_SELF)
        return GNTST_PERMISSION_DENIED;
    return p2m_find_own(mine->p2m, gfn(p->ref_or_gmfn), e->readonly, &e->frame) ? GNTST_BAD_PAGE
                                                                                : GNTST_OKAY;
}

/* The frame goes before its domain may: it may count as that one's. */
static void drop(struct xen_domain *mine, struct end *e)
{
    if (!e->granter)
        return;
    pair_lock_linked(mine, e->granter);
    grant_release(e->granter, e->ref, e->readonly);
    frame_unpin(e->frame);
    pair_unlock(mine, e->granter);
    xen_domain_put(e->granter);
}

static int move(struct xen_domain *mine, const struct xen_gnttab_copy *arg, struct end *from,
                struct end *to)
{
    int status = find_own(mine, &arg->source, from);

    if (!status)
        status = find_own(mine, &arg->dest, to);
    if (status)
        return status;
    if (arg->source.offset + arg->len > (int)PAGE_SIZE ||
        arg->dest.offset + arg->len > (int)PAGE_SIZE)
        return GNTST_BAD_COPY_ARG;
    char *source = window_open(from->frame), *dest = window_open(to->frame);
    memmove(dest + arg->dest.offset, source + arg->source.offset, arg->len);
    window_close(dest);
    window_close(source);
    return GNTST_OKAY;
}

int grant_copy(struct xen_vcpu *v, const struct xen_gnttab_copy *arg)
{
    struct xen_domain *mine = v->domain;
    struct end from = { .readonly = true }, to = { .readonly = false };

    if (!arg->len)
        return GNTST_OKAY;
    int status = GNTST_OKAY;
    if (arg->flags & GNTCOPY_SOURCE_GREF)
        status = take_grant(mine, &arg->source, &from);
    if (!status && arg->flags & GNTCOPY_DEST_GREF)
        status = take_grant(mine, &arg->dest, &to);
    if (!status)
        status = move(mine, arg, &from, &to);
    drop(mine, &to);
    drop(mine, &from);
    return status;
}
