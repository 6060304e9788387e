/*
 * Events told in two levels: a pending and a mask bit for each port in the shared page, and one bit
 * for 64 of them (32 with a 32-bit guest) in the vcpu_info of the vCPU that is to look.
 * Source: xen/include/public/xen.h, "struct shared_info".
 */
#include "xen/evtchn.h"
#include "include/public/compat.h"

/* Arrays of bits are the same bytes in both layouts: only where they start differs. */
static uint32_t *pending_word(const struct xen_domain *d, uint32_t port)
{
    struct xen_shared_info *s = d->shared;
    void *bits = d->is_32bit ? (void *)((struct xen_shared_info_32 *)s)->evtchn_pending
                             : (void *)s->evtchn_pending;

    return (uint32_t *)bits + port / 32;
}

static uint32_t *mask_word(const struct xen_domain *d, uint32_t port)
{
    struct xen_shared_info *s = d->shared;
    void *bits = d->is_32bit ? (void *)((struct xen_shared_info_32 *)s)->evtchn_mask
                             : (void *)s->evtchn_mask;

    return (uint32_t *)bits + port / 32;
}

static bool test_and_set(uint32_t *word, unsigned bit)
{
    return __atomic_fetch_or(word, 1u << bit, __ATOMIC_SEQ_CST) >> bit & 1;
}

static bool test_and_clear(uint32_t *word, unsigned bit)
{
    return __atomic_fetch_and(word, ~(1u << bit), __ATOMIC_SEQ_CST) >> bit & 1;
}

static bool test(const uint32_t *word, unsigned bit)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST) >> bit & 1;
}

static uint32_t ports(const struct xen_domain *d)
{
    return d->is_32bit ? EVTCHN_2L_PORTS_32 : EVTCHN_2L_PORTS;
}

/* Tells the vCPU which word of evtchn_pending to look at, and that it should. */
static void select_word(struct xen_domain *d, uint32_t port)
{
    struct xen_vcpu *v = d->vcpu[evtchn_port(d, port)->vcpu];
    void *info = pv_info_open(v);
    uint32_t *sel;

    if (!info)
        return; /* the guest has unmapped it: its own loss */
    if (d->is_32bit) {
        sel = &((struct xen_vcpu_info_32 *)info)->evtchn_pending_sel;
        port /= 32;
    } else {
        sel = (uint32_t *)&((struct xen_vcpu_info *)info)->evtchn_pending_sel;
        port /= 64;
    }
    bool was = test_and_set(&sel[port / 32], port % 32);
    pv_info_close(v, info);
    if (!was)
        pv_vcpu_mark_pending(v);
}

static void set_pending(struct xen_domain *d, uint32_t port)
{
    if (port >= ports(d) || test_and_set(pending_word(d, port), port % 32))
        return;
    if (!test(mask_word(d, port), port % 32))
        select_word(d, port);
    pv_poll_wake(d, port);
}

static void clear_pending(struct xen_domain *d, uint32_t port)
{
    if (port < ports(d))
        test_and_clear(pending_word(d, port), port % 32);
}

static void unmask(struct xen_domain *d, uint32_t port)
{
    if (port < ports(d) && test_and_clear(mask_word(d, port), port % 32) &&
        test(pending_word(d, port), port % 32))
        select_word(d, port);
}

static bool is_pending(struct xen_domain *d, uint32_t port)
{
    return port < ports(d) && test(pending_word(d, port), port % 32);
}

static bool is_busy(struct xen_domain *d, uint32_t port)
{
    (void)d;
    (void)port;
    return false;
}

const struct evtchn_abi evtchn_2l = {
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_busy = is_busy,
    .ports = ports,
};
