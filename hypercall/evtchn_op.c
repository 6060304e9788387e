/*
 * event_channel_op: decodes each operation's structure, checks it against the domain, and hands it
 * to the ports (evtchn.c). Source: xen/include/public/event_channel.h.
 *
 * A result goes back into the guest's structure. That it can be written is known before anything
 * changes, so a bad pointer costs no port.
 */
#include "xen/evtchn.h"
#include "lib/likely.h"
#include "xen/pair.h"
#include "hypercall/hypercall.h"
#include "lib/nospec.h"

/* A free port of d's, which may have no vCPU yet to tell. */
static int find_for(struct xen_domain *d)
{
    return d->events && d->vcpu_count ? evtchn_find_free(d) : -EINVAL;
}

static cold int64_t alloc_unbound(struct vcpu *v, void *p)
{
    struct xen_evtchn_alloc_unbound *arg = p;
    struct xen_domain *mine = &v->domain->xen, *d;
    int err = pair_target(mine, arg->dom, PAIR_MANAGE, &d);

    if (err)
        return err;
    pair_lock(mine, d);
    int port = find_for(d);
    if (port >= 0) {
        arg->port = (uint32_t)port;
        evtchn_take(d, arg->port, EVTCHN_UNBOUND, 0)->peer_id =
            arg->remote_dom == XEN_DOMID_SELF ? mine->id : arg->remote_dom;
    }
    pair_unlock(mine, d);
    return port < 0 ? port : 0;
}

static cold int64_t bind_interdomain(struct vcpu *v, void *p)
{
    struct xen_evtchn_bind_interdomain *arg = p;
    struct xen_domain *d = &v->domain->xen;
    struct xen_domain *other;
    int err = pair_target(d, arg->remote_dom, PAIR_MEET, &other);

    if (err)
        return err;
    int port = evtchn_connect(d, other, arg->remote_port);
    if (port < 0)
        return port;
    arg->local_port = (uint32_t)port;
    return 0;
}

enum virq_kind { VIRQ_OF_NOBODY, VIRQ_OF_VCPU, VIRQ_OF_DOMAIN, VIRQ_OF_CONTROL };

/* Those that tell of the whole machine are for the control domain, also those that never come:
 * Linux 6.1.176 takes it for a bug of its own if it cannot bind one of them (bind_virq_to_irq()).
 */
static enum virq_kind virq_kind(uint32_t virq)
{
    switch (virq) {
    case XEN_VIRQ_TIMER:
    case XEN_VIRQ_DEBUG:
    case XEN_VIRQ_XENOPROF:
    case XEN_VIRQ_XENPMU:
        return VIRQ_OF_VCPU;
    case XEN_VIRQ_ARGO:
        return VIRQ_OF_DOMAIN;
    case XEN_VIRQ_CONSOLE:
    case XEN_VIRQ_DOM_EXC:
    case XEN_VIRQ_TBUF:
    case XEN_VIRQ_CON_RING:
    case XEN_VIRQ_PCPU_STATE:
    case XEN_VIRQ_MEM_EVENT:
    case XEN_VIRQ_ENOMEM:
    case XEN_VIRQ_MCA:
        return VIRQ_OF_CONTROL;
    }
    return VIRQ_OF_NOBODY;
}

static cold int64_t bind_virq(struct vcpu *v, void *p)
{
    struct xen_evtchn_bind_virq *arg = p;
    struct xen_domain *d = &v->domain->xen;

    if (arg->virq >= XEN_VIRQ_COUNT || (virq_kind(arg->virq) != VIRQ_OF_VCPU && arg->vcpu != 0))
        return -EINVAL;
    if (arg->vcpu >= d->vcpu_count)
        return -ENOENT;
    if (virq_kind(arg->virq) == VIRQ_OF_NOBODY ||
        (virq_kind(arg->virq) == VIRQ_OF_CONTROL && !d->control))
        return -EBUSY;
    uint16_t *bound = &d->events->virq_port[index_nospec(arg->vcpu, d->vcpu_count)]
                                           [index_nospec(arg->virq, XEN_VIRQ_COUNT)];
    if (*bound)
        return -EEXIST;
    int port = evtchn_find_free(d);
    if (port < 0)
        return port;
    arg->port = (uint32_t)port;
    evtchn_take(d, arg->port, EVTCHN_VIRQ, arg->vcpu)->virq = arg->virq;
    *bound = (uint16_t)port;
    return 0;
}

static cold int64_t bind_ipi(struct vcpu *v, void *p)
{
    struct xen_evtchn_bind_ipi *arg = p;
    struct xen_domain *d = &v->domain->xen;

    if (arg->vcpu >= d->vcpu_count)
        return -ENOENT;
    int port = evtchn_find_free(d);
    if (port < 0)
        return port;
    arg->port = (uint32_t)port;
    evtchn_take(d, arg->port, EVTCHN_IPI, arg->vcpu);
    return 0;
}

static int64_t close_port(struct vcpu *v, void *p)
{
    const struct xen_evtchn_close *arg = p;

    return evtchn_close(&v->domain->xen, arg->port);
}

static int64_t send(struct vcpu *v, void *p)
{
    const struct xen_evtchn_send *arg = p;

    return evtchn_send(&v->domain->xen, arg->port);
}

static int64_t describe(const struct xen_domain *d, struct xen_evtchn_status *arg)
{
    const struct evtchn *ch = evtchn_port(d, arg->port);

    if (!ch)
        return -EINVAL;
    static const uint8_t statuses[] = {
        [EVTCHN_FREE] = EVTCHNSTAT_CLOSED,        [EVTCHN_RESERVED] = EVTCHNSTAT_CLOSED,
        [EVTCHN_UNBOUND] = EVTCHNSTAT_UNBOUND,    [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_INTERDOMAIN,
        [EVTCHN_VIRQ] = EVTCHNSTAT_VIRQ,          [EVTCHN_IPI] = EVTCHNSTAT_IPI,
        [EVTCHN_CAISSON] = EVTCHNSTAT_INTERDOMAIN /* with domain 0 */
    };
    arg->status = statuses[ch->state];
    arg->vcpu = ch->vcpu;
    if (ch->state == EVTCHN_UNBOUND)
        arg->u.unbound.dom = ch->peer_id;
    if (ch->state == EVTCHN_VIRQ)
        arg->u.virq = ch->virq;
    if (arg->status == EVTCHNSTAT_INTERDOMAIN) {
        arg->u.interdomain.dom = ch->state == EVTCHN_CAISSON ? 0 : ch->peer->id;
        arg->u.interdomain.port = ch->peer_port;
    }
    return 0;
}

static cold int64_t status(struct vcpu *v, void *p)
{
    struct xen_evtchn_status *arg = p;
    struct xen_domain *d;
    int err = pair_target(&v->domain->xen, arg->dom, PAIR_MANAGE, &d);

    if (err)
        return err;
    pair_lock(&v->domain->xen, d);
    int64_t result = describe(d, arg);
    pair_unlock(&v->domain->xen, d);
    return result;
}

/* What is bound to one vCPU by its nature stays there. */
static cold int64_t bind_vcpu(struct vcpu *v, void *p)
{
    const struct xen_evtchn_bind_vcpu *arg = p;
    struct xen_domain *d = &v->domain->xen;
    struct evtchn *ch = evtchn_port(d, arg->port);

    if (arg->vcpu >= d->vcpu_count)
        return -ENOENT;
    if (!ch)
        return -EINVAL;
    switch ((enum evtchn_state)ch->state) {
    case EVTCHN_UNBOUND:
    case EVTCHN_INTERDOMAIN:
    case EVTCHN_CAISSON:
        break;
    case EVTCHN_VIRQ:
        if (virq_kind(ch->virq) == VIRQ_OF_VCPU)
            return -EINVAL;
        break;
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_IPI:
        return -EINVAL;
    }
    ch->vcpu = (uint16_t)arg->vcpu;
    return 0;
}

static int64_t unmask(struct vcpu *v, void *p)
{
    const struct xen_evtchn_unmask *arg = p;

    if (!evtchn_port(&v->domain->xen, arg->port))
        return -EINVAL;
    evtchn_abi(&v->domain->xen)->unmask(&v->domain->xen, arg->port);
    return 0;
}

/* All the guest's ports go; those whose far end is Caisson stay. */
static cold int64_t reset(struct vcpu *v, void *p)
{
    const struct xen_evtchn_reset *arg = p;
    struct xen_domain *d;
    int err = pair_target(&v->domain->xen, arg->dom, PAIR_CONTROL, &d);

    return err ? err : evtchn_reset(d);
}

static int64_t init_control(struct vcpu *v, void *p)
{
    struct xen_evtchn_init_control *arg = p;
    int err = evtchn_fifo_init_control(&v->domain->xen, arg);

    if (!err)
        arg->link_bits = EVTCHN_FIFO_LINK_BITS;
    return err;
}

static int64_t expand_array(struct vcpu *v, void *p)
{
    const struct xen_evtchn_expand_array *arg = p;

    return evtchn_fifo_expand(&v->domain->xen, arg->array_gfn);
}

static cold int64_t set_priority(struct vcpu *v, void *p)
{
    const struct xen_evtchn_set_priority *arg = p;
    struct evtchn *ch = evtchn_port(&v->domain->xen, arg->port);

    if (!v->domain->xen.events->fifo)
        return -ENOSYS;
    if (!ch || arg->priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    ch->priority = (uint8_t)arg->priority;
    return 0;
}

static const struct op {
    int64_t (*fn)(struct vcpu *v, void *arg);
    uint8_t bytes;
    bool answers; /* in the structure */
} ops[] = {
    [EVTCHNOP_BIND_INTERDOMAIN] = { bind_interdomain, sizeof(struct xen_evtchn_bind_interdomain),
                                    true },
    [EVTCHNOP_BIND_VIRQ] = { bind_virq, sizeof(struct xen_evtchn_bind_virq), true },
    [EVTCHNOP_CLOSE] = { close_port, sizeof(struct xen_evtchn_close), false },
    [EVTCHNOP_SEND] = { send, sizeof(struct xen_evtchn_send), false },
    [EVTCHNOP_STATUS] = { status, sizeof(struct xen_evtchn_status), true },
    [EVTCHNOP_ALLOC_UNBOUND] = { alloc_unbound, sizeof(struct xen_evtchn_alloc_unbound), true },
    [EVTCHNOP_BIND_IPI] = { bind_ipi, sizeof(struct xen_evtchn_bind_ipi), true },
    [EVTCHNOP_BIND_VCPU] = { bind_vcpu, sizeof(struct xen_evtchn_bind_vcpu), false },
    [EVTCHNOP_UNMASK] = { unmask, sizeof(struct xen_evtchn_unmask), false },
    [EVTCHNOP_RESET] = { reset, sizeof(struct xen_evtchn_reset), false },
    [EVTCHNOP_INIT_CONTROL] = { init_control, sizeof(struct xen_evtchn_init_control), true },
    [EVTCHNOP_EXPAND_ARRAY] = { expand_array, sizeof(struct xen_evtchn_expand_array), false },
    [EVTCHNOP_SET_PRIORITY] = { set_priority, sizeof(struct xen_evtchn_set_priority), false },
};

int64_t hypercall_event_send(struct vcpu *v, uint64_t at)
{
    struct xen_evtchn_send arg;

    if (!v->domain->xen.events)
        return -ENOSYS;
    if (gva_copy_in(&v->space, &arg, at, sizeof(arg)))
        return -EFAULT;
    return evtchn_send(&v->domain->xen, arg.port);
}

cold int64_t hypercall_event_channel_op(struct vcpu *v, uint64_t *args)
{
    uint64_t arg[4] = { 0 }; /* holds any of the structures */
    const uint64_t count = sizeof(ops) / sizeof(ops[0]);
    const struct op *op = &ops[index_nospec(args[0], count)];
    struct gva_place place;
    int err;

    if (args[0] >= count || !op->fn || !v->domain->xen.events)
        return -ENOSYS;
    if (op->answers)
        err = gva_take(&v->space, arg, args[1], op->bytes, &place);
    else
        err = gva_copy_in(&v->space, arg, args[1], op->bytes);
    if (err)
        return err;
    int64_t result = op->fn(v, arg);
    if (result == -EAGAIN)
        return HYPERCALL_CONTINUE;
    if (result == 0 && op->answers)
        return gva_answer(&v->space, args[1], arg, op->bytes, &place);
    return result;
}
