/*
 * What a domain's run loop is to do for it soon, written down by others. See domain/domain.h.
 *
 * Things happen to a domain with its lock held, or others; to raise an event of another one wants
 * that one's lock. So it is written down, and the control domain's own run loop raises it.
 */
#include "domain/domain.h"
#include "domain/domain_console.h"
#include "xen/evtchn.h"

void domain_tell_control(unsigned virq)
{
    struct xen_domain *x = xen_domain_get(XEN_DOMID_CONTROL);

    if (!x)
        return;
    struct domain *d = domain_of(x);
    __atomic_or_fetch(&d->owed, 1u << virq, __ATOMIC_RELEASE);
    vcpu_kick(d->vcpus[0]);
    xen_domain_put(x);
}

void domain_settle(struct domain *d)
{
    uint32_t owed = __atomic_exchange_n(&d->owed, 0, __ATOMIC_ACQUIRE);

    if (owed & DOMAIN_OWED_CONSOLE)
        domain_console_kick(d);
    if (owed & DOMAIN_OWED_PCI)
        vpci_settle(&d->machine.pci);
    for (unsigned virq = 0; virq < XEN_VIRQ_COUNT; virq++)
        if (owed & 1u << virq)
            evtchn_raise_virq(d->xen.vcpu[0], virq);
}
