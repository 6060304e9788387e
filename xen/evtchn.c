/*
 * Ports: given out, connected, closed, and the events that go through them. See xen/evtchn.h.
 */
#include "sched/batch.h"
#include "xen/evtchn.h"
#include "xen/pair.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/likely.h"
#include "lib/nospec.h"
#include "mm/heap.h"

#define PIECE 64 /* ports that one call looks at, at most */

_Static_assert(sizeof(struct evtchn) * EVTCHN_CHUNK_PORTS <= PAGE_SIZE, "a chunk is a page");
_Static_assert(sizeof(struct evtchn_domain) <= PAGE_SIZE, "a domain's part is a page");
_Static_assert(2 + EVTCHN_CHUNKS <= PV_EVENT_PAGES, "what it is promised, with a page for FIFO");

struct evtchn *evtchn_port(const struct xen_domain *d, uint32_t port)
{
    const struct evtchn_domain *e = d->events;

    if (!e || port >= EVTCHN_PORTS_MOST)
        return NULL;
    port = (uint32_t)index_nospec(port, EVTCHN_PORTS_MOST);
    struct evtchn *chunk = e->chunk[port / EVTCHN_CHUNK_PORTS];
    return chunk ? &chunk[port % EVTCHN_CHUNK_PORTS] : NULL;
}

/* ---- Giving out and taking back ---- */

static bool is_free(struct xen_domain *d, uint32_t port)
{
    return evtchn_port(d, port)->state == EVTCHN_FREE && !evtchn_abi(d)->is_busy(d, port);
}

/* The lowest from `port` on. */
static cold int find_free(struct xen_domain *d, uint32_t port)
{
    struct evtchn_domain *e = d->events;
    uint32_t end = evtchn_abi(d)->ports(d);

    for (unsigned n = 0; n < PIECE && port < end; n++, port++) {
        struct evtchn **chunk = &e->chunk[port / EVTCHN_CHUNK_PORTS];
        if (!*chunk)
            *chunk = heap_pages(0, d->id);
        if (!*chunk)
            return -ENOMEM;
        if (is_free(d, port))
            return (int)port;
        if (e->lowest == port && evtchn_port(d, port)->state != EVTCHN_FREE)
            e->lowest++;
    }
    e->looked = port;
    return port < end ? -EAGAIN : -ENOSPC;
}

cold int evtchn_find_free(struct xen_domain *d)
{
    struct evtchn_domain *e = d->events;
    int port = find_free(d, e->looked > e->lowest ? e->looked : e->lowest);

    if (port != -EAGAIN)
        e->looked = 0;
    return port;
}

struct evtchn *evtchn_take(struct xen_domain *d, uint32_t port, enum evtchn_state state,
                           unsigned vcpu)
{
    struct evtchn *ch = evtchn_port(d, port);

    ASSERT(ch && ch->state == EVTCHN_FREE && vcpu < d->vcpu_count);
    ch->state = (uint8_t)state;
    ch->vcpu = (uint16_t)vcpu;
    ch->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    return ch;
}

/* last_vcpu and last_priority stay: the queue may still have it as its tail. */
static cold void give_back(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);

    evtchn_abi(d)->clear_pending(d, port);
    ch->state = EVTCHN_FREE;
    ch->vcpu = 0;
    ch->pending = false;
    ch->peer = NULL;
    ch->peer_port = 0;
    if (port < d->events->lowest)
        d->events->lowest = port;
}

static void unbind_virq(struct xen_domain *d, uint32_t port)
{
    struct evtchn_domain *e = d->events;
    uint32_t virq = evtchn_port(d, port)->virq;

    for (unsigned i = 0; i < d->vcpu_count; i++)
        if (e->virq_port[i][virq] == port)
            e->virq_port[i][virq] = 0;
}

/* ---- Connections ---- */

/* The far end waits for this domain again, as after EVTCHNOP_alloc_unbound. */
static void disconnect(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);
    struct evtchn *far = evtchn_port(ch->peer, ch->peer_port);

    ASSERT(far && far->state == EVTCHN_INTERDOMAIN && far->peer == d && far->peer_port == port);
    far->state = EVTCHN_UNBOUND;
    far->peer = NULL;
    far->peer_id = d->id;
    give_back(d, port);
}

/* While the peer's lock was waited for, the connection may have been cut, or made anew: then once
 * more. */
static int close_connected(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);
    struct xen_domain *peer = ch->peer;

    pair_lock_linked(d, peer);
    bool same = ch->state == EVTCHN_INTERDOMAIN && ch->peer == peer;
    if (same)
        disconnect(d, port);
    pair_unlock(d, peer);
    return same ? 0 : -EAGAIN;
}

cold int evtchn_close(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);

    switch (ch ? (enum evtchn_state)ch->state : EVTCHN_FREE) {
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_CAISSON: /* not the guest's to close, as on Xen */
        return -EINVAL;
    case EVTCHN_INTERDOMAIN:
        return close_connected(d, port);
    case EVTCHN_VIRQ:
        unbind_virq(d, port);
        break;
    case EVTCHN_UNBOUND:
    case EVTCHN_IPI:
        break;
    }
    give_back(d, port);
    return 0;
}

/* Does that port of d's wait for the domain with this id? With d's lock for sure, without it as far
 * as can be seen. */
static bool awaits(const struct xen_domain *d, uint32_t port, uint16_t id)
{
    const struct evtchn *ch = evtchn_port(d, port);

    return ch && __atomic_load_n(&ch->state, __ATOMIC_RELAXED) == EVTCHN_UNBOUND &&
           __atomic_load_n(&ch->peer_id, __ATOMIC_RELAXED) == id;
}

cold void evtchn_name_ids(const struct xen_domain *d, uint64_t *ids)
{
    for (uint32_t port = 0; port < EVTCHN_PORTS_MOST; port++) {
        const struct evtchn *ch = evtchn_port(d, port);
        uint16_t id = ch ? __atomic_load_n(&ch->peer_id, __ATOMIC_RELAXED) : 0;

        if (id <= INT16_MAX && awaits(d, port, id))
            bitmap_set(ids, id);
    }
}

/* Both locks are held: of mine's port only that it was free is known. */
static int connect(struct xen_domain *mine, uint32_t port, struct xen_domain *other,
                   uint32_t other_port)
{
    struct evtchn *far = evtchn_port(other, other_port), *near;

    if (!awaits(other, other_port, mine->id))
        return -EINVAL;
    if (!is_free(mine, port))
        return -EAGAIN;
    near = evtchn_take(mine, port, EVTCHN_INTERDOMAIN, 0);
    near->peer = other;
    near->peer_port = other_port;
    far->state = EVTCHN_INTERDOMAIN;
    far->peer = mine;
    far->peer_port = port;
    /* The other side may have sent before there was anyone to hear it. */
    evtchn_abi(mine)->set_pending(mine, port);
    return (int)port;
}

/* Who is not awaited does not get at the other's lock. */
cold int evtchn_connect(struct xen_domain *mine, struct xen_domain *other, uint32_t other_port)
{
    int port = -EINVAL;

    if (awaits(other, other_port, mine->id))
        port = evtchn_find_free(mine);
    if (port < 0) {
        pair_forget(mine, other);
        return port;
    }
    pair_lock(mine, other);
    port = connect(mine, (uint32_t)port, other, other_port);
    pair_unlock(mine, other);
    return port;
}

cold int evtchn_reset(struct xen_domain *d)
{
    struct evtchn_domain *e = d->events;
    struct batch b = { .most = PIECE };

    while (e->reset < EVTCHN_PORTS_MOST && batch_more(&b)) {
        uint32_t port = e->reset;
        struct evtchn *ch = evtchn_port(d, port);
        if (evtchn_close(d, port) == -EAGAIN)
            continue;
        if (ch)
            ch->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        if (e->reset == port) /* else another vCPU has been here meanwhile */
            e->reset++;
    }
    if (e->reset < EVTCHN_PORTS_MOST)
        return -EAGAIN;
    e->reset = 0;
    evtchn_fifo_stop(d);
    return 0;
}

cold bool evtchn_detach(struct xen_domain *d)
{
    struct evtchn_domain *e = d->events;
    struct batch b = { .most = PIECE };

    if (!e)
        return true;
    spin_lock(d->lock);
    while (e->detached < EVTCHN_PORTS_MOST && batch_more(&b)) {
        struct evtchn *ch = evtchn_port(d, e->detached);
        bool linked = ch && ch->state == EVTCHN_INTERDOMAIN;
        if (!linked || evtchn_close(d, e->detached) != -EAGAIN)
            e->detached++;
    }
    spin_unlock(d->lock);
    return e->detached == EVTCHN_PORTS_MOST;
}

/* ---- Events ---- */

static void send_to_peer(struct xen_domain *d, const struct evtchn *ch)
{
    struct xen_domain *peer = ch->peer;

    pair_lock_linked(d, peer);
    if (ch->state == EVTCHN_INTERDOMAIN && ch->peer == peer)
        evtchn_abi(peer)->set_pending(peer, ch->peer_port);
    pair_unlock(d, peer);
}

int evtchn_send(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);

    switch (ch ? (enum evtchn_state)ch->state : EVTCHN_FREE) {
    case EVTCHN_INTERDOMAIN:
        send_to_peer(d, ch);
        return 0;
    case EVTCHN_IPI:
        evtchn_abi(d)->set_pending(d, port);
        return 0;
    case EVTCHN_CAISSON:
        ch->notify(d);
        return 0;
    case EVTCHN_UNBOUND:
        return 0; /* nobody hears it */
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_VIRQ:
        break;
    }
    return -EINVAL;
}

void evtchn_raise_virq(struct xen_vcpu *v, unsigned virq)
{
    const struct evtchn_domain *e = v->domain->events;

    ASSERT(virq < XEN_VIRQ_COUNT);
    if (e && e->virq_port[v->id][virq])
        evtchn_abi(v->domain)->set_pending(v->domain, e->virq_port[v->id][virq]);
}

cold int evtchn_alloc(struct xen_domain *d, void (*notify)(struct xen_domain *d))
{
    int port = evtchn_find_free(d);

    if (port >= 0)
        evtchn_take(d, (uint32_t)port, EVTCHN_CAISSON, 0)->notify = notify;
    return port;
}

void evtchn_raise(struct xen_domain *d, uint32_t port)
{
    ASSERT(evtchn_port(d, port) && evtchn_port(d, port)->state == EVTCHN_CAISSON);
    evtchn_abi(d)->set_pending(d, port);
}

cold bool evtchn_is_pending(struct xen_domain *d, uint32_t port)
{
    return evtchn_port(d, port) && evtchn_abi(d)->is_pending(d, port);
}

/* ---- Life ---- */

cold int evtchn_init(struct xen_domain *d)
{
    struct evtchn_domain *e = heap_pages(0, d->id);

    if (!e)
        return -ENOMEM;
    e->chunk[0] = heap_pages(0, d->id);
    if (!e->chunk[0]) {
        heap_free_pages(e, 0, d->id);
        return -ENOMEM;
    }
    e->chunk[0][0].state = EVTCHN_RESERVED;
    e->lowest = 1;
    d->events = e;
    return 0;
}

cold void evtchn_destroy(struct xen_domain *d)
{
    struct evtchn_domain *e = d->events;

    if (!e)
        return;
    evtchn_fifo_stop(d);
    for (unsigned i = 0; i < EVTCHN_CHUNKS; i++)
        if (e->chunk[i])
            heap_free_pages(e->chunk[i], 0, d->id);
    heap_free_pages(e, 0, d->id);
    d->events = NULL;
}
