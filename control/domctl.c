/*
 * domctl: the control domain asks about a domain, or changes it. Source:
 * xen/include/public/domctl.h.
 *
 * Each operation is decoded, then the right to it is asked for in xen/pair.h, then it is done. The
 * domain is kept from going away meanwhile; it is locked only where something of it changes.
 */
#include "control/control.h"
#include "control/domctl.h"
#include "mm/promise.h"
#include "xen/pair.h"

static bool is_self(const struct vcpu *v, const struct domain *d)
{
    return v->domain == d;
}

/* With both locks, the caller's perhaps let go meanwhile. */
static bool set_paused(struct vcpu *v, struct domain *d, bool paused)
{
    pair_lock_linked(&v->domain->xen, &d->xen);
    bool changes = domain_set_paused(d, paused);
    pair_unlock(&v->domain->xen, &d->xen);
    return changes;
}

/* Xen counts; here it is paused, or it is not, whoever did it. */
static int64_t pause(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (is_self(v, d))
        return -EINVAL;
    set_paused(v, d, true);
    return 0;
}

static int64_t unpause(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (is_self(v, d))
        return -EINVAL;
    return set_paused(v, d, false) || d->end ? 0 : -EINVAL;
}

/* Done by its keeper, soon; DOM_EXC tells when. */
static int64_t destroy(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (is_self(v, d))
        return -EINVAL;
    domain_end(d, END_DESTROYED, "by the control domain");
    return 0;
}

/* A bound on what it may have. What mem= promised it, it has. */
static int64_t max_mem(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)v;
    return op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10) < promise_of(d->id).ram ? -EOPNOTSUPP : 0;
}

static const struct {
    int64_t (*fn)(struct vcpu *v, struct domain *d, struct xen_domctl *op);
    bool answers; /* in the structure */
} ops[] = {
    [XEN_DOMCTL_DESTROYDOMAIN] = { destroy, false },
    [XEN_DOMCTL_PAUSEDOMAIN] = { pause, false },
    [XEN_DOMCTL_UNPAUSEDOMAIN] = { unpause, false },
    [XEN_DOMCTL_GETDOMAININFO] = { domctl_getdomaininfo, true },
    [XEN_DOMCTL_SETVCPUAFFINITY] = { domctl_setvcpuaffinity, false },
    [XEN_DOMCTL_MAX_MEM] = { max_mem, false },
    [XEN_DOMCTL_GETVCPUINFO] = { domctl_getvcpuinfo, true },
    [XEN_DOMCTL_SCHEDULER_OP] = { domctl_scheduler_op, true },
    [XEN_DOMCTL_GETVCPUAFFINITY] = { domctl_getvcpuaffinity, false },
};

/* Asked about one that does not exist, getdomaininfo answers with the next one: so tools find all
 * domains. It says in the structure which one that is. */
static int find(struct vcpu *v, struct xen_domctl *op, struct xen_domain **out)
{
    if (op->cmd != XEN_DOMCTL_GETDOMAININFO)
        return pair_target(&v->domain->xen, op->domain, PAIR_RULE, out);
    *out = xen_domain_get_from(op->domain);
    if (*out == &v->domain->xen)
        xen_domain_put(*out); /* as pair_target(): oneself is not held */
    return *out ? 0 : -ESRCH;
}

int64_t control_domctl(struct vcpu *v, uint64_t *args)
{
    struct xen_domctl op;
    struct xen_domain *d;
    int err = control_decode(v, args[0], &op, sizeof(op), XEN_DOMCTL_INTERFACE_VERSION);

    if (err)
        return err;
    if (op.cmd >= sizeof(ops) / sizeof(ops[0]) || !ops[op.cmd].fn)
        return -ENOSYS;
    bool answers = ops[op.cmd].answers;
    if (answers && gva_copy_out(&v->space, args[0], &op, sizeof(op)))
        return -EFAULT;
    err = find(v, &op, &d);
    if (err)
        return err;
    int64_t result = ops[op.cmd].fn(v, domain_of(d), &op);
    pair_forget(&v->domain->xen, d);
    if (result == 0 && answers && gva_copy_out(&v->space, args[0], &op, sizeof(op)))
        return -EFAULT;
    return result;
}
