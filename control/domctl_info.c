/*
 * What the control domain is told of a domain, its vCPUs, and of all domains.
 *
 * Figures are read while other pCPUs write them: each may be a moment old, never torn.
 */
#include "arch/x86/tsc.h"
#include "control/control.h"
#include "control/domctl.h"
#include "control/sysctl.h"
#include "cpu/cpu_model.h"
#include "mm/promise.h"
#include "sched/batch.h"

#define LIST_BATCH 8 /* domains at a time */

/* One that has halted with interrupts off is not used: only another one can start it again. */
static bool is_online(const struct vcpu *v)
{
    return !v->down && !v->waits_for_startup && !(v->halted && v->deaf);
}

/* What its vCPUs do, together: it is blocked if none of those that are online wants to run. */
static uint32_t look_at_vcpus(const struct domain *d, struct xen_domctl_getdomaininfo *out)
{
    uint32_t flags = XEN_DOMINF_BLOCKED;

    for (unsigned i = 0; i < d->xen.vcpu_count; i++) {
        const struct vcpu *v = d->vcpus[i];
        enum sched_state state = v->unit.state;

        out->cpu_time += tsc_to_ns(sched_unit_ran(&v->unit));
        if (!is_online(v))
            continue;
        out->nr_online_vcpus++;
        if (state != SCHED_BLOCKED)
            flags &= ~XEN_DOMINF_BLOCKED;
        if (state == SCHED_RUNNING)
            flags |= XEN_DOMINF_RUNNING;
    }
    return flags;
}

/* A bare one stays until it is destroyed. */
static bool is_dying(const struct domain *d, enum domain_end end)
{
    return end && (!d->bare || __atomic_load_n(&d->unwanted, __ATOMIC_RELAXED));
}

/* An end by its own doing has a reason, as guests give it to SCHEDOP_shutdown. */
static uint32_t end_flags(const struct domain *d, enum domain_end end)
{
    static const uint8_t reason[] = {
        [END_POWEROFF] = XEN_SHUTDOWN_POWEROFF,  [END_REBOOT] = XEN_SHUTDOWN_REBOOT,
        [END_TRIPLE_FAULT] = XEN_SHUTDOWN_CRASH, [END_CRASH] = XEN_SHUTDOWN_CRASH,
        [END_KILLED] = XEN_SHUTDOWN_CRASH,       [END_DESTROYED] = 0,
    };

    uint32_t dying = is_dying(d, end) ? XEN_DOMINF_DYING : 0, why = reason[end];

    if (end == END_NOT && d->suspended)
        why = XEN_SHUTDOWN_SUSPEND;
    else if (end == END_NOT || end == END_DESTROYED)
        return dying;
    return dying | XEN_DOMINF_SHUTDOWN | why << XEN_DOMINF_SHUTDOWN_SHIFT;
}

void control_describe(const struct domain *d, struct xen_domctl_getdomaininfo *out)
{
    /* Once: it may end now. */
    enum domain_end end = *(const volatile enum domain_end *)&d->end;

    *out = (struct xen_domctl_getdomaininfo){
        .domain = d->xen.id,
        .flags = XEN_DOMINF_HVM_GUEST | XEN_DOMINF_HAP | end_flags(d, end),
        .tot_pages = d->p2m.promised,
        .max_pages = d->bare ? d->p2m.most : promise_of(d->xen.id).ram,
        .shared_info_frame = UINT64_MAX,
        .max_vcpu_id = d->xen.vcpu_count - 1,
        .gpaddr_bits = cpu_model_address_bits(),
        .emulation_flags = XEN_X86_EMU_LAPIC,
    };
    out->flags |= look_at_vcpus(d, out);
    if (d->state == DOMAIN_PAUSED && !end)
        out->flags |= XEN_DOMINF_PAUSED;
    control_handle(d, out->handle);
}

int64_t domctl_getdomaininfo(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)v;
    control_describe(d, &op->u.getdomaininfo);
    op->domain = d->xen.id;
    return 0;
}

int64_t domctl_getvcpuinfo(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct vcpu *of = domain_vcpu(d, op->u.getvcpuinfo.vcpu);

    (void)v;
    if (!of)
        return -EINVAL;
    op->u.getvcpuinfo = (struct xen_domctl_getvcpuinfo){
        .vcpu = of->id,
        .online = is_online(of),
        .blocked = of->unit.state == SCHED_BLOCKED,
        .running = of->unit.state == SCHED_RUNNING,
        .cpu_time = tsc_to_ns(sched_unit_ran(&of->unit)),
        .cpu = of->unit.pcpu,
    };
    return 0;
}

/* Some of them. 1: there are no more, or no more are wanted; 0; -EFAULT. */
static int list_some(struct vcpu *v, struct xen_sysctl_getdomaininfolist *l)
{
    struct batch b = { .most = LIST_BATCH };
    struct xen_domctl_getdomaininfo info;

    while (batch_more(&b)) {
        struct xen_domain *x =
            l->num_domains < l->max_domains ? xen_domain_get_from(l->first_domain) : NULL;
        if (!x)
            return 1;
        control_describe(domain_of(x), &info);
        l->first_domain = (uint16_t)(x->id + 1);
        xen_domain_put(x);
        if (gva_copy_out(&v->space, l->buffer + l->num_domains * sizeof(info), &info, sizeof(info)))
            return -EFAULT;
        l->num_domains++;
    }
    return 0;
}

/* How far it has come stands in the caller's structure, as there are no other arguments. */
int64_t sysctl_getdomaininfolist(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;

    if (!(op->cmd & SYSCTL_GOES_ON))
        l->num_domains = 0;
    op->cmd |= SYSCTL_GOES_ON;
    int done = list_some(v, l);
    if (done == 0)
        return HYPERCALL_CONTINUE;
    op->cmd &= ~SYSCTL_GOES_ON;
    return done < 0 ? done : 0;
}
