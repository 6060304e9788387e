/*
 * platform_op and physdev_op: what the control domain does to the machine. Source:
 * xen/include/public/platform.h and physdev.h.
 *
 * There is little of it: the machine is Caisson's own. Linux sets the wall clock each time that it
 * has disciplined its own; were that refused it would try again at each tick, for ever.
 */
#include "control/control.h"
#include "include/public/platform.h"
#include "xen/pair.h"

/* Taken, and not used: a domain's wall clock is that of the machine's RTC at its creation. */
static int64_t set_time(const struct xen_platform_op *op)
{
    return op->u.settime64.mbz ? -EINVAL : 0;
}

int64_t control_platform_op(struct vcpu *v, uint64_t *args)
{
    struct xen_platform_op op;
    int err = control_decode(v, args[0], &op, sizeof(op), XENPF_INTERFACE_VERSION);

    if (err)
        return err;
    return op.cmd == XENPF_SETTIME64 ? set_time(&op) : -ENOSYS;
}

/* Linux tells of each PCI device that it finds, or loses. Those are its own, and Caisson's already.
 */
int64_t control_physdev_op(struct vcpu *v, uint64_t *args)
{
    int err = pair_may_rule(&v->domain->xen);

    if (err)
        return err;
    return args[0] == PHYSDEVOP_PCI_DEVICE_ADD || args[0] == PHYSDEVOP_PCI_DEVICE_REMOVE ? 0
                                                                                         : -ENOSYS;
}
