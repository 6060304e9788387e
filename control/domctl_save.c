/*
 * domctl: what who saves a domain asks of it beside its vCPUs' state (context.c): which of its
 * pages there are to be saved, which were written meanwhile, and to be told when it has suspended.
 */
#include "control/control.h"
#include "control/domctl.h"
#include "sched/batch.h"
#include "xen/pair.h"

#define PIECE  64 /* pages that are looked at together */
#define PIECES (XEN_PFINFO_MOST / PIECE)

/* ---- Pages ---- */

/* Tools ask for one place after the other, a million of them for a small guest, and most are as
 * empty as their neighbours. */
struct run {
    uint64_t first, count;
    bool ram;
};

/* What has not arrived yet is the guest's RAM too, and comes when the tools map it: what they make
 * of it gets no more than what they save. What is lent is not the domain's. */
static uint64_t type_of(struct p2m *p, uint64_t g, struct run *r)
{
    if (g - r->first >= r->count) {
        r->first = g;
        r->ram = p2m_has_own(p, gfn(g), &r->count);
    }
    return r->ram ? XEN_PFINFO_NOTAB : XEN_PFINFO_XTAB;
}

static int type_some(struct vcpu *v, struct p2m *p, struct xen_domctl_getpageframeinfo3 *arg,
                     struct run *r)
{
    uint64_t list[PIECE], n = arg->num < PIECE ? arg->num : PIECE;

    if (gva_copy_in(&v->space, list, arg->array, n * sizeof(list[0])))
        return -EFAULT;
    for (uint64_t i = 0; i < n; i++)
        list[i] = type_of(p, list[i], r);
    if (gva_copy_out(&v->space, arg->array, list, n * sizeof(list[0])))
        return -EFAULT;
    arg->array += n * sizeof(list[0]);
    arg->num -= n;
    return 0;
}

/* As on Xen, number and place of those that are left stand in the structure. Not of a domain that
 * has more places for RAM than frames, as its balloon is too small: not all can be saved. */
int64_t domctl_getpageframeinfo3(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getpageframeinfo3 *arg = &op->u.getpageframeinfo3;
    struct batch b = { .most = PIECES };
    struct run r = { 0 };
    int err = 0;

    if (arg->num > XEN_PFINFO_MOST)
        return -E2BIG;
    if (d->p2m.lacking > 0)
        return -EBUSY;
    while (!err && arg->num && batch_more(&b))
        err = type_some(v, &d->p2m, arg, &r);
    if (err)
        return err;
    return arg->num ? HYPERCALL_CONTINUE : 0;
}

/* ---- The log of what is written ---- */

#define MOST_PAGES     (1ul << (SLAT_BITS - PAGE_SHIFT))
#define LOG_WINDOWS    64 /* looked at in one go: holes, of any size, and one with RAM */
#define HOLES          8  /* windows of a hole of which the caller is told at once */
#define windows(pages) (((pages) + P2M_LOG_PLACES - 1) / P2M_LOG_PLACES)

static void clean(struct vcpu *v, struct domain *d, gfn_t first, const uint64_t *written)
{
    pair_lock_linked(&v->domain->xen, &d->xen);
    p2m_log_clean(&d->p2m, first, written);
    pair_unlock(&v->domain->xen, &d->xen);
}

/* What is written there, told to the caller, as far as he asked; then it is written no more. */
static int report(struct vcpu *v, struct domain *d, struct xen_domctl_shadow_op *arg, gfn_t first)
{
    uint64_t written[P2M_LOG_WORDS], left = arg->pages - first.v;
    size_t bytes = left < P2M_LOG_PLACES ? (left + 7) / 8 : sizeof(written);

    arg->dirty_count += p2m_log_read(&d->p2m, first, written);
    if (left < P2M_LOG_PLACES)
        for (uint64_t i = left; i < P2M_LOG_PLACES; i++)
            written[i / SLAT_WORD] &= ~(1ul << i % SLAT_WORD);
    if (arg->dirty_bitmap &&
        gva_copy_out(&v->space, arg->dirty_bitmap + first.v / 8, written, bytes))
        return -EFAULT;
    if (arg->op == XEN_SHADOW_OP_CLEAN)
        clean(v, d, first, written);
    return 0;
}

static void forget(struct vcpu *v, struct domain *d, gfn_t first)
{
    uint64_t written[P2M_LOG_WORDS];

    (void)p2m_log_read(&d->p2m, first, written);
    clean(v, d, first, written);
}

static int look_at(struct vcpu *v, struct domain *d, struct xen_domctl_shadow_op *arg, gfn_t first)
{
    switch (arg->op) {
    case XEN_SHADOW_OP_OFF:
        p2m_log_open(&d->p2m, first);
        return 0;
    case XEN_SHADOW_OP_ENABLE_LOGDIRTY:
        forget(v, d, first);
        return 0;
    }
    return report(v, d, arg, first);
}

/* May it begin, or go on? */
static int check(const struct domain *d, const struct xen_domctl_shadow_op *arg, bool begins)
{
    bool on = d->p2m.log.on;

    switch (arg->op) {
    case XEN_SHADOW_OP_OFF:
        return 0;
    case XEN_SHADOW_OP_ENABLE_LOGDIRTY:
        if (!d->bare) /* it may have devices, which know no log */
            return -EOPNOTSUPP;
        return on == begins ? -EINVAL : 0;
    case XEN_SHADOW_OP_CLEAN:
    case XEN_SHADOW_OP_PEEK:
        return on && arg->pages <= MOST_PAGES ? 0 : -EINVAL;
    }
    return -EOPNOTSUPP;
}

/* All has been looked at. */
static int64_t end(struct domain *d, struct xen_domctl_shadow_op *arg)
{
    if (arg->op == XEN_SHADOW_OP_OFF)
        d->p2m.log.on = false;
    else if (!xen_domain_has_flushed(&d->xen, d->p2m.log.epoch))
        return HYPERCALL_CONTINUE;
    arg->fault_count = d->p2m.log.faults;
    if (arg->op == XEN_SHADOW_OP_CLEAN)
        d->p2m.log.faults = 0;
    arg->mb = 0;
    return 0;
}

static uint64_t how_many(const struct domain *d, const struct xen_domctl_shadow_op *arg)
{
    if (arg->op == XEN_SHADOW_OP_OFF && !d->p2m.log.on)
        return 0;
    if (arg->op == XEN_SHADOW_OP_OFF || arg->op == XEN_SHADOW_OP_ENABLE_LOGDIRTY)
        return windows(p2m_highest(&d->p2m).v + 1);
    return windows(arg->pages);
}

/* Nothing is mapped at so many places from first on, so nothing has been written there. *places: of
 * how many of them the caller knows then. */
static int pass(struct vcpu *v, const struct xen_domctl_shadow_op *arg, gfn_t first,
                uint64_t *places)
{
    const uint64_t zeros[P2M_LOG_WORDS * HOLES] = { 0 };
    bool reports = arg->op == XEN_SHADOW_OP_CLEAN || arg->op == XEN_SHADOW_OP_PEEK;
    uint64_t left = arg->pages - first.v;

    if (!reports || !arg->dirty_bitmap)
        return 0;
    if (*places > 8 * sizeof(zeros))
        *places = 8 * sizeof(zeros);
    size_t bytes = ((left < *places ? left : *places) + 7) / 8;
    return gva_copy_out(&v->space, arg->dirty_bitmap + first.v / 8, zeros, bytes) ? -EFAULT : 0;
}

/* One window, or all of a hole: a guest may have RAM at both ends of what can be mapped, and
 * nothing between. */
static int look_on(struct vcpu *v, struct domain *d, struct xen_domctl_shadow_op *arg, bool *hole)
{
    const gfn_t first = gfn((uint64_t)arg->mb * P2M_LOG_PLACES);
    uint64_t places = p2m_log_hole(&d->p2m, first);
    int err;

    *hole = places;
    if (*hole) {
        err = pass(v, arg, first, &places);
    } else {
        places = P2M_LOG_PLACES;
        err = look_at(v, d, arg, first);
    }
    arg->mb += (uint32_t)(places / P2M_LOG_PLACES);
    return err;
}

/* Of Xen's operations those that need no shadow page tables. How far it has come stands in `mb`,
 * which means nothing to these. */
int64_t domctl_shadow_op(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_shadow_op *arg = &op->u.shadow_op;
    bool begins = !(op->cmd & DOMCTL_GOES_ON);
    struct batch b = { .most = LOG_WINDOWS };
    int err = v->domain == d ? -EINVAL : check(d, arg, begins);

    if (err)
        return err;
    if (begins) {
        op->cmd |= DOMCTL_GOES_ON;
        arg->mb = arg->fault_count = arg->dirty_count = 0;
        d->p2m.log.on |= arg->op == XEN_SHADOW_OP_ENABLE_LOGDIRTY;
    }
    uint64_t all = how_many(d, arg);
    for (bool hole = true; !err && hole && arg->mb < all && batch_more(&b);)
        err = look_on(v, d, arg, &hole);
    if (err)
        return err;
    return arg->mb < all ? HYPERCALL_CONTINUE : end(d, arg);
}

/* ---- When it has suspended ---- */

/* Whether there is such a port is seen then. */
int64_t domctl_subscribe(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    pair_lock_linked(&v->domain->xen, &d->xen);
    d->xen.suspend_port = op->u.subscribe.port;
    pair_unlock(&v->domain->xen, &d->xen);
    return 0;
}
