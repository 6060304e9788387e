/*
 * A right that was taken away, or a frame: when no TLB of a domain's vCPUs knows it any more. See
 * xen/xen.h.
 */
#include "lib/likely.h"
#include "xen/xen.h"

cold bool xen_domain_has_flushed(const struct xen_domain *d, uint64_t epoch)
{
    bool all = true;

    for (unsigned i = 0; i < d->vcpu_count; i++) {
        uint64_t inside = __atomic_load_n(&d->p2m->inside[i], __ATOMIC_ACQUIRE);
        if (!inside || inside >= epoch)
            continue;
        sched_kick(d->vcpu[i]->unit);
        all = false;
    }
    return all;
}
