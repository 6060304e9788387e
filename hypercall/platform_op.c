/*
 * platform_op: what the control domain does to the machine. Source: xen/include/public/platform.h.
 *
 * There is little of it: the machine is Caisson's own. Linux sets the wall clock each time that it
 * has disciplined its own; were that refused it would try again at each tick, for ever.
 */
#include "hypercall/hypercall.h"
#include "include/public/platform.h"
#include "xen/pair.h"

/* Taken, and not used: a domain's wall clock is that of the machine's RTC at its creation. */
static int64_t set_time(const struct xen_platform_op *op)
{
    return op->u.settime64.mbz ? -EINVAL : 0;
}

/* args: the structure. */
int64_t hypercall_platform_op(struct vcpu *v, uint64_t *args)
{
    struct xen_platform_op op;
    int err = pair_may_rule(&v->domain->xen);

    if (err)
        return err;
    if (hypercall_copy_in(v, &op, args[0], sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    return op.cmd == XENPF_SETTIME64 ? set_time(&op) : -ENOSYS;
}
