/*
 * sysctl: the control domain asks about the machine. Source: xen/include/public/sysctl.h.
 *
 * There is one pool of CPUs, number 0, with all of them, and one scheduler, which is told to be
 * Xen's credit2: weight and cap mean the same there.
 */
#include "control/control.h"
#include "control/sysctl.h"
#include "lib/nospec.h"
#include "mm/frame.h"
#include "xen/xen.h"

static int64_t sched_id(struct vcpu *v, struct xen_sysctl *op)
{
    (void)v;
    op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
    return 0;
}

static int64_t availheap(struct vcpu *v, struct xen_sysctl *op)
{
    (void)v;
    op->u.availheap.avail_bytes = frame_available() << PAGE_SHIFT;
    return 0;
}

/* Asked about a pool that does not exist, it answers with the next one. */
static int64_t cpupool_info(struct vcpu *v, struct xen_sysctl_cpupool_op *arg)
{
    if (arg->cpupool_id != 0)
        return -ENOENT;
    arg->sched_id = XEN_SCHEDULER_CREDIT2;
    arg->n_dom = xen_domain_count();
    return control_write_mask(v, &arg->cpumap, sched_joined());
}

static int64_t cpupool_op(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_cpupool_op *arg = &op->u.cpupool_op;

    if (arg->op == XEN_CPUPOOL_OP_INFO)
        return cpupool_info(v, arg);
    if (arg->op == XEN_CPUPOOL_OP_FREEINFO)
        return control_write_mask(v, &arg->cpumap, 0);
    return arg->op > 0 && arg->op <= XEN_CPUPOOL_OP_LAST ? -EOPNOTSUPP : -ENOSYS;
}

/* It has one parameter, for how long nobody's turn is cut short: not at all. */
static int64_t scheduler_op(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_scheduler_op *arg = &op->u.scheduler_op;

    (void)v;
    if (arg->sched_id != XEN_SCHEDULER_CREDIT2 || arg->cmd > XEN_SCHEDOP_GETINFO)
        return -EINVAL;
    if (arg->cpupool_id != 0)
        return -ESRCH;
    if (arg->cmd == XEN_SCHEDOP_PUTINFO)
        return -EOPNOTSUPP;
    arg->u.credit2.ratelimit_us = 0;
    return 0;
}

typedef int64_t (*operation_fn)(struct vcpu *v, struct xen_sysctl *op);

static const operation_fn ops[] = {
    [XEN_SYSCTL_READCONSOLE] = sysctl_readconsole,
    [XEN_SYSCTL_PHYSINFO] = sysctl_physinfo,
    [XEN_SYSCTL_SCHED_ID] = sched_id,
    [XEN_SYSCTL_GETDOMAININFOLIST] = sysctl_getdomaininfolist,
    [XEN_SYSCTL_DEBUG_KEYS] = sysctl_debug_keys,
    [XEN_SYSCTL_GETCPUINFO] = sysctl_getcpuinfo,
    [XEN_SYSCTL_AVAILHEAP] = availheap,
    [XEN_SYSCTL_CPUTOPOINFO] = sysctl_cputopoinfo,
    [XEN_SYSCTL_NUMAINFO] = sysctl_numainfo,
    [XEN_SYSCTL_CPUPOOL_OP] = cpupool_op,
    [XEN_SYSCTL_SCHEDULER_OP] = scheduler_op,
    [XEN_SYSCTL_CPU_FEATURESET] = sysctl_cpu_featureset,
    [XEN_SYSCTL_CPU_POLICY] = sysctl_cpu_policy,
};

/* NULL: there is none of that number, or it does not go on. */
static operation_fn find_operation(uint32_t asked)
{
    const uint32_t count = sizeof(ops) / sizeof(ops[0]), cmd = asked & ~SYSCTL_GOES_ON;

    if (cmd >= count || (asked != cmd && cmd != XEN_SYSCTL_GETDOMAININFOLIST))
        return NULL;
    return ops[index_nospec(cmd, count)];
}

/* Nothing of the machine changes by any of them. */
int64_t control_sysctl(struct vcpu *v, uint64_t *args)
{
    struct xen_sysctl op;
    int err = control_decode(v, args[0], &op, sizeof(op), XEN_SYSCTL_INTERFACE_VERSION);

    if (err)
        return err;
    operation_fn fn = find_operation(op.cmd);
    if (!fn)
        return -ENOSYS;
    bool went_on = op.cmd & SYSCTL_GOES_ON; /* that it does not stay in the caller's structure */
    int64_t result = fn(v, &op);
    if ((result == 0 || result == HYPERCALL_CONTINUE || went_on) &&
        gva_copy_out(&v->space, args[0], &op, sizeof(op)))
        return -EFAULT;
    return result;
}
