/*
 * The console ring: two queues in a page, and a port. See xen/pv_console.h.
 *
 * The guest writes its indices whenever it likes and to whatever it likes: each is read once, and
 * one that cannot be is taken as "the queue is empty". Source: xen/include/public/io/console.h.
 */
#include "xen/pv_console.h"
#include "xen/evtchn.h"
#include "include/public/io/console.h"
#include "mm/heap.h"

static uint32_t get(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void put(uint32_t *index, uint32_t value)
{
    __atomic_store_n(index, value, __ATOMIC_RELEASE);
}

static void tell_guest(struct xen_domain *d)
{
    evtchn_raise(d, d->console_port);
}

/* The guest may write on while we look: each byte is read once. */
static size_t copy_out(const struct xencons_interface *ring, uint32_t at, uint32_t to, uint8_t *out)
{
    size_t n = 0;

    while (at != to)
        out[n++] = (uint8_t)ring->out[at++ & (XENCONS_OUT_BYTES - 1)];
    return n;
}

/* Hands on what the guest has written, as far as the operator's console takes it. */
static void drain(struct xen_domain *d)
{
    struct xencons_interface *ring = d->console;
    uint32_t from = get(&ring->out_cons), to = get(&ring->out_prod), at = from;
    uint8_t bytes[XENCONS_OUT_BYTES];

    if (to - from > XENCONS_OUT_BYTES)
        at = to;
    at += (uint32_t)d->console_bus->put(d, bytes, copy_out(ring, at, to, bytes));
    if (at == from)
        return;
    put(&ring->out_cons, at);
    tell_guest(d);
}

/* The guest has written, or read. */
static void notified(struct xen_domain *d)
{
    if (!d->console)
        return;
    drain(d);
    d->console_bus->room(d);
}

bool pv_console_give(struct xen_domain *d, uint8_t byte)
{
    struct xencons_interface *ring = d->console;

    if (!ring)
        return true;
    uint32_t at = get(&ring->in_prod), used = at - get(&ring->in_cons);
    if (used >= XENCONS_IN_BYTES)
        return false;
    ring->in[at & (XENCONS_IN_BYTES - 1)] = (char)byte;
    put(&ring->in_prod, at + 1);
    return true;
}

void pv_console_given(struct xen_domain *d)
{
    if (!d->console)
        return;
    tell_guest(d);
    if (d->control) /* it asks by a call, when this tells it */
        evtchn_raise_virq(d->vcpu[0], XEN_VIRQ_CONSOLE);
}

size_t pv_console_peek(const struct xen_domain *d, uint8_t *out, size_t n, uint32_t *next)
{
    const struct xencons_interface *ring = d->console;

    if (!ring)
        return 0;
    uint32_t at = get(&ring->in_cons), used = get(&ring->in_prod) - at;
    if (used > XENCONS_IN_BYTES)
        return 0;
    n = used < n ? used : n;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)ring->in[(at + i) & (XENCONS_IN_BYTES - 1)];
    *next = at + (uint32_t)n;
    return n;
}

void pv_console_take(struct xen_domain *d, uint32_t next)
{
    struct xencons_interface *ring = d->console;

    put(&ring->in_cons, next);
    d->console_bus->room(d);
}

void pv_console_kick(struct xen_domain *d)
{
    if (d->console)
        drain(d);
}

int pv_console_init(struct xen_domain *d, const struct xen_console_bus *bus)
{
    d->console_bus = bus;
    d->console = heap_pages(0, d->id);
    if (!d->console)
        return -ENOMEM;
    mfn_t m = maddr_to_mfn(heap_to_maddr(d->console));
    int err = p2m_lend(d->p2m, gpa_to_gfn(gpa(PV_CONSOLE_GPA)), m, SLAT_R | SLAT_W);
    if (err)
        return err;
    int port = evtchn_alloc(d, notified);
    if (port < 0)
        return port;
    d->console_port = (uint32_t)port;
    d->param[HVM_PARAM_CONSOLE_EVTCHN] = (uint64_t)port;
    d->param[HVM_PARAM_CONSOLE_PFN] = gpa_to_gfn(gpa(PV_CONSOLE_GPA)).v;
    return 0;
}

void pv_console_destroy(struct xen_domain *d)
{
    if (d->console)
        heap_free_pages(d->console, 0, d->id);
    d->console = NULL;
}
