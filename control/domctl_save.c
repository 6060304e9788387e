/*
 * domctl: what who saves a domain asks of it beside its vCPUs' state (context.c): which of its
 * pages there are to be saved, and to be told when it has suspended.
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

/* What has not arrived yet need not be saved, and what is lent is not the domain's. */
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

/* As on Xen, number and place of those that are left stand in the structure. */
int64_t domctl_getpageframeinfo3(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getpageframeinfo3 *arg = &op->u.getpageframeinfo3;
    struct batch b = { .most = PIECES };
    struct run r = { 0 };
    int err = 0;

    if (arg->num > XEN_PFINFO_MOST)
        return -E2BIG;
    while (!err && arg->num && batch_more(&b))
        err = type_some(v, &d->p2m, arg, &r);
    if (err)
        return err;
    return arg->num ? HYPERCALL_CONTINUE : 0;
}

/* There are no shadow page tables to be switched off, and no log of what is written. */
int64_t domctl_shadow_op(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    if (v->domain == d)
        return -EINVAL;
    return op->u.shadow_op.op == XEN_SHADOW_OP_OFF ? 0 : -EOPNOTSUPP;
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
