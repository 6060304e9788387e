/*
 * Copies by grant: from or to a page of another domain without mapping it.
 *
 * Source and destination are taken one after the other, each under its domain's lock, and both stay
 * taken (in use, pinned, and their domains kept from going) while the bytes move. So three domains
 * can have a part in a copy and no more than two locks are ever held.
 */
#include "xen/pair.h"
#include "grant/grant.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/window.h"

struct end {
    struct xen_domain *granter; /* held; NULL: the frame is the caller's own */
    uint32_t ref;
    bool readonly;
    mfn_t frame; /* pinned */
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

static int take(struct xen_domain *mine, const struct xen_gnttab_copy_ptr *p, bool by_ref,
                struct end *e)
{
    if (by_ref)
        return take_grant(mine, p, e);
    if (p->domid != XEN_DOMID_SELF)
        return GNTST_PERMISSION_DENIED;
    return p2m_pin_own(mine->p2m, gfn(p->ref_or_gmfn), e->readonly, &e->frame) ? GNTST_BAD_PAGE
                                                                               : GNTST_OKAY;
}

/* The frame goes before its domain may: it may count as that one's. */
static void drop(struct xen_domain *mine, struct end *e)
{
    if (!e->granter) {
        frame_unpin(e->frame);
        return;
    }
    pair_lock_linked(mine, e->granter);
    grant_release(e->granter, e->ref, e->readonly);
    frame_unpin(e->frame);
    pair_unlock(mine, e->granter);
    xen_domain_put(e->granter);
}

static int move(const struct xen_gnttab_copy *arg, const struct end *from, const struct end *to)
{
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
    int status = take(mine, &arg->source, arg->flags & GNTCOPY_SOURCE_GREF, &from);
    if (status)
        return status;
    status = take(mine, &arg->dest, arg->flags & GNTCOPY_DEST_GREF, &to);
    if (!status) {
        status = move(arg, &from, &to);
        drop(mine, &to);
    }
    drop(mine, &from);
    return status;
}
