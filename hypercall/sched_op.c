/*
 * sched_op: give way, wait, end. Source: xen/include/public/sched.h.
 */
#include "include/public/sched.h"
#include "arch/x86/cpu.h"
#include "domain/domain.h"
#include "xen/evtchn.h"
#include "hypercall/hypercall.h"
#include "lib/nospec.h"
#include "include/public/compat.h"
#include "sched/sched.h"

/* ---- The end ---- */

static void suspend(struct domain *d)
{
    if (!d->bare) { /* nobody could wake it up */
        domain_end(d, END_POWEROFF, "SCHEDOP_shutdown: suspended for good");
        return;
    }
    domain_suspend(d);
    if (d->xen.suspend_port)
        evtchn_send(&d->xen, d->xen.suspend_port);
}

static void shutdown(struct vcpu *v, uint32_t reason)
{
    switch (reason) {
    case XEN_SHUTDOWN_POWEROFF:
        domain_end(v->domain, END_POWEROFF, "SCHEDOP_shutdown");
        return;
    case XEN_SHUTDOWN_REBOOT:
        domain_end(v->domain, END_REBOOT, "SCHEDOP_shutdown");
        return;
    case XEN_SHUTDOWN_SOFT_RESET: /* on Xen the toolstack would build it anew in place */
        domain_end(v->domain, END_REBOOT, "SCHEDOP_shutdown: soft reset");
        return;
    case XEN_SHUTDOWN_SUSPEND:
        suspend(v->domain);
        return;
    case XEN_SHUTDOWN_WATCHDOG:
        domain_end(v->domain, END_CRASH, "SCHEDOP_shutdown: its watchdog");
        return;
    }
    domain_end(v->domain, END_CRASH, "SCHEDOP_shutdown");
}

static int64_t shutdown_decode(struct vcpu *v, uint64_t pointer, bool now)
{
    struct xen_sched_shutdown arg;

    if (gva_copy_in(&v->space, &arg, pointer, sizeof(arg)))
        return -EFAULT;
    if (arg.reason > XEN_SHUTDOWN_SOFT_RESET)
        return -EINVAL;
    if (now)
        shutdown(v, arg.reason);
    return 0;
}

/* ---- Waiting ---- */

/* Until an event; enables their delivery, as STI; HLT does. */
static int64_t block(struct vcpu *v)
{
    virt_set_rflags(&v->virt, virt_rflags(&v->virt) | RFLAGS_IF);
    v->halted = true;
    return 0;
}

static int read_poll(struct vcpu *v, uint64_t at, struct xen_sched_poll *out)
{
    struct xen_sched_poll_32 narrow;

    if (virt_in_64bit_code(&v->virt))
        return gva_copy_in(&v->space, out, at, sizeof(*out));
    int err = gva_copy_in(&v->space, &narrow, at, sizeof(narrow));
    *out = (struct xen_sched_poll){ .ports = narrow.ports,
                                    .nr_ports = narrow.nr_ports,
                                    .timeout = narrow.timeout };
    return err;
}

/* Are all ports valid, and is one of them pending? 0 or 1; -EFAULT, -EINVAL. The list is read in
 * one go: a guest that changes its page tables meanwhile makes each read walk them anew. */
static int look_at_ports(struct vcpu *v, const struct xen_sched_poll *poll, uint32_t *port)
{
    uint32_t ports[XEN_SCHED_POLL_MOST];

    if (gva_copy_in(&v->space, ports, poll->ports, poll->nr_ports * sizeof(*ports)))
        return -EFAULT;
    for (uint32_t i = 0; i < poll->nr_ports; i++) {
        *port = ports[i];
        if (!evtchn_port(&v->domain->xen, *port))
            return -EINVAL;
        if (evtchn_is_pending(&v->domain->xen, *port))
            return 1;
    }
    return 0;
}

static int64_t poll(struct vcpu *v, uint64_t at)
{
    struct xen_sched_poll poll;
    uint32_t port = 0;

    if (read_poll(v, at, &poll))
        return -EFAULT;
    if (poll.nr_ports > XEN_SCHED_POLL_MOST)
        return -EINVAL;
    int ready = look_at_ports(v, &poll, &port);
    if (ready)
        return ready < 0 ? ready : 0;
    v->xen.poll = poll.nr_ports == 1 ? port : PV_POLL_SEVERAL;
    if (poll.timeout)
        pv_poll_until(&v->xen, poll.timeout);
    v->halted = true;
    return 0;
}

/* ---- Watchdogs ---- */

static int64_t new_watchdog(struct domain *d, uint32_t timeout)
{
    if (!timeout)
        return -EINVAL;
    for (unsigned i = 0; i < XEN_SCHED_WATCHDOGS; i++) {
        if (d->xen.watchdog[i])
            continue;
        pv_watchdog_set(&d->xen, i, timeout);
        return i + 1;
    }
    return -ENOSPC;
}

static int64_t watchdog(struct vcpu *v, uint64_t at)
{
    struct xen_sched_watchdog arg;

    if (gva_copy_in(&v->space, &arg, at, sizeof(arg)))
        return -EFAULT;
    if (arg.id == 0)
        return new_watchdog(v->domain, arg.timeout);
    if (arg.id > XEN_SCHED_WATCHDOGS)
        return -EINVAL;
    unsigned i = (unsigned)index_nospec(arg.id - 1, XEN_SCHED_WATCHDOGS);
    if (!v->domain->xen.watchdog[i])
        return -EINVAL;
    pv_watchdog_set(&v->domain->xen, i, arg.timeout);
    return 0;
}

int64_t hypercall_sched_op(struct vcpu *v, uint64_t *args)
{
    switch (args[0]) {
    case XEN_SCHED_YIELD:
        vcpu_give_way(v);
        return 0;
    case XEN_SCHED_BLOCK:
        return block(v);
    case XEN_SCHED_SHUTDOWN:
        return shutdown_decode(v, args[1], true);
    case XEN_SCHED_SHUTDOWN_CODE: /* tells the reason beforehand; the shutdown tells it again */
        return shutdown_decode(v, args[1], false);
    case XEN_SCHED_POLL:
        return poll(v, args[1]);
    case XEN_SCHED_WATCHDOG:
        return watchdog(v, args[1]);
    case XEN_SCHED_REMOTE_SHUTDOWN:
    case XEN_SCHED_PIN_OVERRIDE:
        return -EPERM;
    }
    return -ENOSYS;
}
