/*
 * Weight, cap and pCPUs of a domain, as the tools of Xen's credit2 scheduler name them.
 */
#include "control/control.h"
#include "control/domctl.h"

#define CAP_MOST (100 * MAX_PCPUS)

int64_t domctl_getvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *arg = &op->u.vcpuaffinity;
    const struct vcpu *of = domain_vcpu(d, arg->vcpu);
    int err = 0;

    if (!of || !(arg->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    if (arg->flags & XEN_VCPUAFFINITY_HARD)
        err = control_write_mask(v, &arg->hard, of->unit.affinity);
    if (!err && arg->flags & XEN_VCPUAFFINITY_SOFT)
        err = control_write_mask(v, &arg->soft, of->unit.likes);
    return err;
}

/* Goes back: what of the masks is there. Tried before anything changes. */
int64_t domctl_setvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *arg = &op->u.vcpuaffinity;
    bool hard = arg->flags & XEN_VCPUAFFINITY_HARD, soft = arg->flags & XEN_VCPUAFFINITY_SOFT;
    struct vcpu *of = domain_vcpu(d, arg->vcpu);

    if (!of || !(hard | soft) || arg->flags >> 2)
        return -EINVAL;
    struct sched_unit *u = &of->unit;
    uint64_t may = u->affinity, likes = u->likes, there = sched_joined();
    int err = 0;

    if (hard &&
        (control_read_mask(v, &arg->hard, &may) || control_write_mask(v, &arg->hard, may & there)))
        return -EFAULT;
    if (soft && (control_read_mask(v, &arg->soft, &likes) ||
                 control_write_mask(v, &arg->soft, likes & may & there)))
        return -EFAULT;
    if (hard)
        err = sched_set_affinity(u, may);
    if (!err)
        sched_set_likes(u, likes);
    return err;
}

/* As credit2: a weight of 0 leaves the weight, a cap of 0 takes the cap away. */
static int64_t put_info(struct sched_group *g, const struct xen_domctl_scheduler_op *arg)
{
    if (arg->u.credit2.cap > CAP_MOST)
        return -EINVAL;
    if (arg->u.credit2.weight)
        sched_group_set_weight(g, arg->u.credit2.weight);
    sched_group_set_cap(g, arg->u.credit2.cap);
    return 0;
}

int64_t domctl_scheduler_op(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *arg = &op->u.scheduler_op;

    (void)v;
    if (arg->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    if (arg->cmd == XEN_SCHEDOP_PUTINFO)
        return put_info(d->account, arg);
    if (arg->cmd != XEN_SCHEDOP_GETINFO)
        return -EINVAL;
    arg->u.credit2.weight = (uint16_t)d->account->weight;
    arg->u.credit2.cap = (uint16_t)d->account->cap;
    return 0;
}
