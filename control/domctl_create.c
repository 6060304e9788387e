/*
 * domctl: the control domain makes domains of its own, and says how each is to be before it is let
 * run. What is not to be had is refused, not passed over: a guest would count on it.
 *
 * Such a domain is bare (lifecycle/order.h): it has vCPUs with local APICs and nothing else until
 * its maker fills it.
 */
#include "arch/x86/tsc.h"
#include "control/control.h"
#include "control/domctl.h"
#include "domain/lapic.h"
#include "lib/string.h"
#include "create/create.h"
#include "lifecycle/order.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "xen/pair.h"

#define RATE_TOLERANCE 2000      /* of a TSC: one part in so many */
#define CLOCK_MOST     INT64_MAX /* ticks and ns: some 70 years; see moment.h */

#define MUST_HAVE (XEN_DOMCTL_CDF_HVM | XEN_DOMCTL_CDF_HAP)

/* Who asks again soon lets others go first: what it waits for may want this pCPU. */
static int64_t again(struct vcpu *v)
{
    vcpu_give_way(v);
    return HYPERCALL_CONTINUE;
}

/* ---- A new one ---- */

/* Limits of ports and grants are Caisson's, whatever is asked for: no guest is told them. */
static bool can_be(const struct xen_domctl_createdomain *c)
{
    return (c->flags & ~XEN_DOMCTL_CDF_OOS_OFF) == MUST_HAVE && !c->iommu_opts && c->max_vcpus &&
           c->max_vcpus <= MAX_VCPUS && c->grant_opts == 1 && !c->vmtrace_size && !c->cpupool_id &&
           c->emulation_flags == XEN_X86_EMU_LAPIC && !(c->misc_flags & ~XEN_X86_MSR_RELAXED);
}

/* Ids are given out once (create/id.h), so that nobody chooses one. */
static int check_id(uint16_t id)
{
    if (!id || id >= XEN_DOMID_FIRST_RESERVED)
        return 0;
    return xen_domain_exists(id) ? -EEXIST : -EOPNOTSUPP;
}

int64_t domctl_createdomain(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_createdomain *c = &op->u.createdomain;
    struct order what = { .vcpus = c->max_vcpus,
                          .msr_relaxed = c->misc_flags & XEN_X86_MSR_RELAXED };
    int err = check_id(op->domain);

    (void)d;
    if (err || !can_be(c))
        return err ? err : -EINVAL;
    memcpy(what.uuid, c->handle, sizeof(what.uuid));
    err = order_domain(&what, &op->domain);
    return err == -EAGAIN ? again(v) : err;
}

/* They are there from the beginning. */
int64_t domctl_max_vcpus(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)v;
    return op->u.max_vcpus.max == d->xen.vcpu_count ? 0 : -EINVAL;
}

/* ---- Its memory ---- */

/* With both locks. */
static int64_t set_most(struct vcpu *v, struct domain *d, uint64_t frames)
{
    pair_lock_linked(&v->domain->xen, &d->xen);
    int err = domain_set_most(d, frames);
    pair_unlock(&v->domain->xen, &d->xen);
    return err == -EAGAIN ? again(v) : err;
}

/* A bound on what it may have. What mem= promised one of the menu, it has. */
int64_t domctl_max_mem(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    uint64_t frames = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10), all = frame_total();

    if (!d->bare)
        return frames < promise_of(d->xen.id).ram ? -EOPNOTSUPP : 0;
    return set_most(v, d, frames < all ? frames : all);
}

/* Page tables are promised with the memory that they map. */
int64_t domctl_set_paging_mempool_size(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)v;
    (void)d;
    return op->u.paging_mempool.size & (PAGE_SIZE - 1) ? -EINVAL : 0;
}

/* All memory is one node's. */
int64_t domctl_setnodeaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    uint64_t nodes;

    (void)d;
    if (control_read_mask(v, &op->u.nodeaffinity.nodemap, &nodes))
        return -EFAULT;
    return nodes & 1 ? 0 : -EINVAL;
}

/* ---- Its time ---- */

/* While it is suspended its clock stands still for who saves it. */
int64_t domctl_gettscinfo(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)v;
    uint64_t elapsed =
        d->suspended ? tsc_to_ns(d->suspended_at - d->xen.tsc_zero) : xen_now(&d->xen);
    op->u.tsc_info = (struct xen_domctl_tsc_info){ .tsc_mode = XEN_TSC_MODE_DEFAULT,
                                                   .gtsc_khz = (uint32_t)(tsc_hz / 1000),
                                                   .elapsed_nsec = elapsed };
    return 0;
}

/* A rate is measured anew at each boot: what differs by as little is the same. */
static bool is_our_rate(uint32_t khz)
{
    uint64_t ours = tsc_hz / 1000, apart = khz > ours ? khz - ours : ours - khz;

    return !khz || apart <= ours / RATE_TOLERANCE;
}

static int set_clock(struct domain *d, uint64_t ns)
{
    if (d->started)
        return -EBUSY;
    if (!ns)
        return 0;
    pv_clock_set(&d->xen, ns);
    d->machine.tsc_zero = d->xen.tsc_zero;
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        lapic_clock_set(d->vcpus[i], d->xen.tsc_zero);
    return 0;
}

/* It is the machine's TSC, less what it showed at the domain's birth, or went on from there. */
int64_t domctl_settscinfo(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_tsc_info *arg = &op->u.tsc_info;
    bool native =
        arg->tsc_mode == XEN_TSC_MODE_DEFAULT || arg->tsc_mode == XEN_TSC_MODE_NEVER_EMULATE;

    if (arg->tsc_mode > XEN_TSC_MODE_NEVER_EMULATE || !d->bare || arg->elapsed_nsec > CLOCK_MOST ||
        tsc_from_ns(arg->elapsed_nsec) > CLOCK_MOST)
        return -EINVAL;
    if (!native || !is_our_rate(arg->gtsc_khz))
        return -EOPNOTSUPP;
    pair_lock_linked(&v->domain->xen, &d->xen);
    int err = set_clock(d, arg->elapsed_nsec);
    pair_unlock(&v->domain->xen, &d->xen);
    return err;
}

/* ---- Its end ---- */

/* Of one that suspended; one that has ended some other way does not come back. */
int64_t domctl_resumedomain(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (v->domain == d)
        return -EINVAL;
    pair_lock_linked(&v->domain->xen, &d->xen);
    bool ended = d->end;
    if (!ended)
        domain_resume(d);
    pair_unlock(&v->domain->xen, &d->xen);
    return ended ? -EINVAL : 0;
}

/* One of the menu goes soon, when its console has said all; DOM_EXC tells when. One that was made
 * here is waited for, as what it had may be wanted for the next. */
int64_t domctl_destroydomain(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    if (v->domain == d)
        return -EINVAL;
    domain_end(d, END_DESTROYED, "by the control domain");
    if (!d->bare)
        return 0;
    op->cmd |= DOMCTL_GOES_ON;
    return again(v);
}

int64_t domctl_is_gone(struct vcpu *v, uint16_t id)
{
    return xen_domain_exists(id) ? again(v) : 0;
}
