/*
 * Stand-ins for ports, for tests of what lies beside them: ports below 8 are there, 5 has an event,
 * and virtual interrupts are counted. See tests/fakes/evtchn.h.
 */
#include "tests/fakes/evtchn.h"

unsigned fake_virqs, fake_evtchn_sent;

int evtchn_init(struct xen_domain *d)
{
    (void)d;
    return 0;
}

void evtchn_destroy(struct xen_domain *d)
{
    (void)d;
}

void evtchn_raise_virq(struct xen_vcpu *v, unsigned virq)
{
    (void)v;
    (void)virq;
    fake_virqs++;
}

int evtchn_alloc(struct xen_domain *d, void (*notify)(struct xen_domain *d))
{
    (void)d;
    (void)notify;
    return 3;
}

int evtchn_send(struct xen_domain *d, uint32_t port)
{
    (void)d;
    fake_evtchn_sent = port;
    return 0;
}

void evtchn_raise(struct xen_domain *d, uint32_t port)
{
    (void)d;
    (void)port;
}

struct evtchn *evtchn_port(const struct xen_domain *d, uint32_t port)
{
    static struct evtchn ports[8];

    (void)d;
    return port < 8 ? &ports[port] : NULL;
}

bool evtchn_is_pending(struct xen_domain *d, uint32_t port)
{
    (void)d;
    return port == 5;
}
