/*
 * The paravirtual console: a ring in a page that the domain's parameters name, and a port to say
 * that there is something in it. See guest/lib/pvconsole.h.
 */
#include "guest/lib/pvconsole.h"
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/params.h"
#include "include/public/io/console.h"

static struct xencons_interface *ring;
static uint32_t port;

static uint64_t param(uint32_t index)
{
    struct xen_hvm_param arg = { .domid = XEN_DOMID_SELF, .index = index };

    return hypercall(XEN_HYPERCALL_HVM_OP, HVMOP_GET_PARAM, (uint64_t)&arg, 0) ? 0 : arg.value;
}

static void put(char c)
{
    uint32_t prod = ring->out_prod;

    while (prod - __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) == XENCONS_OUT_BYTES)
        xen_sched(XEN_SCHED_YIELD);
    ring->out[prod % XENCONS_OUT_BYTES] = c;
    __atomic_store_n(&ring->out_prod, prod + 1, __ATOMIC_RELEASE);
    if (c == '\n')
        event_send(port);
}

bool pvconsole_init(void)
{
    uint64_t frame = param(HVM_PARAM_CONSOLE_PFN);

    if (!frame)
        return false;
    ring = (struct xencons_interface *)(frame << 12);
    port = (uint32_t)param(HVM_PARAM_CONSOLE_EVTCHN);
    print_to(put);
    return true;
}

char pvconsole_get(void)
{
    uint32_t cons = ring->in_cons;

    while (__atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE) == cons)
        event_wait(port);
    char c = ring->in[cons % XENCONS_IN_BYTES];
    __atomic_store_n(&ring->in_cons, cons + 1, __ATOMIC_RELEASE);
    event_send(port);
    return c;
}
