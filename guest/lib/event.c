/*
 * Event channels. See guest/lib/event.h.
 */
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "include/public/event_channel.h"
#include "include/public/memory.h"

struct xen_shared_info *event_shared_page(void)
{
    return (struct xen_shared_info *)GUEST_SHARED_PAGE;
}

bool event_init(void)
{
    struct xen_add_to_physmap arg = { .domid = XEN_DOMID_SELF,
                                      .space = XENMAPSPACE_SHARED_INFO,
                                      .gpfn = GUEST_SHARED_PAGE >> 12 };

    if (hypercall(XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, (uint64_t)&arg, 0))
        return false;
    for (unsigned i = 0; i < 64; i++)
        event_shared_page()->evtchn_mask[i] = ~0ul;
    return true;
}

static int64_t event_op(uint64_t op, void *arg)
{
    return hypercall(XEN_HYPERCALL_EVENT_CHANNEL_OP, op, (uint64_t)arg, 0);
}

int64_t event_alloc(uint16_t peer)
{
    struct xen_evtchn_alloc_unbound arg = { .dom = XEN_DOMID_SELF, .remote_dom = peer };
    int64_t err = event_op(EVTCHNOP_ALLOC_UNBOUND, &arg);

    return err ? err : arg.port;
}

int64_t event_connect(uint16_t peer, uint32_t port)
{
    struct xen_evtchn_bind_interdomain arg = { .remote_dom = peer, .remote_port = port };
    int64_t err = event_op(EVTCHNOP_BIND_INTERDOMAIN, &arg);

    return err ? err : arg.local_port;
}

int64_t event_send(uint32_t port)
{
    struct xen_evtchn_send arg = { .port = port };

    return event_op(EVTCHNOP_SEND, &arg);
}

int64_t event_close(uint32_t port)
{
    struct xen_evtchn_close arg = { .port = port };

    return event_op(EVTCHNOP_CLOSE, &arg);
}

bool event_take(uint32_t port)
{
    uint64_t *word = &event_shared_page()->evtchn_pending[port / 64], bit = 1ul << port % 64;

    return __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit;
}

void event_wait(uint32_t port)
{
    struct xen_sched_poll arg = { .ports = (uint64_t)&port, .nr_ports = 1 };

    while (!event_take(port))
        hypercall(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_POLL, (uint64_t)&arg, 0);
}
