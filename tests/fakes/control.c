/*
 * Stand-ins for what domctl and sysctl ask of the scheduler, the machine and the domains' table.
 * Weak: a test that has the real thing links that.
 */
#include "arch/x86/topology.h"
#include "arch/x86/tsc.h"
#include "hypercall/hypercall.h"
#include "create/create.h"
#include "lifecycle/order.h"
#include "exits/cpuid.h"
#include "cpu/cpu_model.h"
#include "cpu/cpu_mtrr.h"
#include "mm/frame.h"
#include "mm/promise.h"

#define WEAK __attribute__((weak))

static int set_paused(struct domain *d, enum domain_state from, enum domain_state to)
{
    if (d->end || d->state != from || !spin_is_locked(d->xen.lock))
        return -EINVAL;
    d->state = to;
    return 0;
}

/* The real ones count. */
WEAK int domain_count_pause(struct domain *d)
{
    if (d->more_pauses)
        return -EOVERFLOW;
    int err = set_paused(d, DOMAIN_RUNNING, DOMAIN_PAUSED);
    return d->end || d->state == DOMAIN_PAUSED ? 0 : err;
}

WEAK int domain_count_unpause(struct domain *d)
{
    return d->end ? 0 : set_paused(d, DOMAIN_PAUSED, DOMAIN_RUNNING);
}

WEAK void domain_end(struct domain *d, enum domain_end end, const char *why, ...)
{
    (void)why;
    if (!d->end)
        d->end = end;
}

WEAK struct xen_domain *xen_domain_get_from(uint16_t id)
{
    struct xen_domain *d = NULL;

    for (unsigned i = id; !d && i < MAX_DOMAINS; i++)
        d = xen_domain_get((uint16_t)i);
    return d;
}

WEAK struct xen_domain *xen_domain_by_id(uint16_t id)
{
    (void)id;
    return NULL;
}

WEAK unsigned xen_domain_count(void)
{
    return 3;
}

WEAK uint64_t sched_joined(void)
{
    return 3;
}

WEAK int sched_set_affinity(struct sched_unit *u, uint64_t affinity)
{
    if (!(affinity & sched_joined()))
        return -EINVAL;
    u->affinity = affinity;
    return 0;
}

WEAK void sched_set_likes(struct sched_unit *u, uint64_t pcpus)
{
    u->likes = pcpus;
}

WEAK uint64_t sched_idled(unsigned pcpu)
{
    return 5000 + pcpu;
}

WEAK uint64_t sched_unit_ran(const struct sched_unit *u)
{
    return u->stats.ran;
}

WEAK void sched_group_set_weight(struct sched_group *g, unsigned weight)
{
    g->weight = weight;
}

WEAK void sched_group_set_cap(struct sched_group *g, unsigned cap)
{
    g->cap = cap;
}

WEAK uint64_t frame_total(void)
{
    return 1000;
}

WEAK uint64_t frame_available(void)
{
    return 600;
}

WEAK uint64_t promise_heap_free(void)
{
    return 50;
}

WEAK uint64_t frame_table_size(void)
{
    return 2000;
}

WEAK uint32_t topology_core(uint32_t apic_id)
{
    return apic_id / 2;
}

WEAK uint32_t topology_package(uint32_t apic_id)
{
    return apic_id / 4;
}

WEAK uint8_t cpu_model_address_bits(void)
{
    return 40;
}

WEAK uint64_t tsc_hz = 2000000000;

WEAK uint64_t tsc_to_ns(uint64_t ticks)
{
    return ticks / 2;
}

WEAK uint64_t tsc_from_ns(uint64_t ns)
{
    return 2 * ns;
}

WEAK bool xen_domain_exists(uint16_t id)
{
    struct xen_domain *d = xen_domain_get(id);

    if (d)
        xen_domain_put(d);
    return d;
}

WEAK void vcpu_give_way(struct vcpu *v)
{
    v->virt.deadline = 0;
}

WEAK void domain_resume(struct domain *d)
{
    if (!spin_is_locked(d->xen.lock))
        return;
    d->suspended = false;
}

WEAK bool domain_is_saved(const struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        if (!d->vcpus[i]->whole)
            return false;
    return d->suspended;
}

WEAK void pv_clock_set(struct xen_domain *d, uint64_t ns)
{
    d->tsc_set = rdtsc();
    d->tsc_zero = d->tsc_set - 2 * ns;
}

WEAK void pv_time_set_offset(struct xen_vcpu *v, uint64_t tsc_offset)
{
    v->tsc_offset = tsc_offset;
}

/* What it is asked for the second time has been made. */
WEAK int order_domain(const struct order *what, uint16_t *id)
{
    static unsigned asked;

    (void)what;
    if (++asked % 2)
        return -EAGAIN;
    *id = 77;
    return 0;
}

WEAK int domain_set_most(struct domain *d, uint64_t frames)
{
    p2m_set_most(&d->p2m, frames, d->p2m.tables_for_ram);
    return spin_is_locked(d->xen.lock) ? 0 : -EINVAL;
}

WEAK int domain_add_on_demand(struct domain *d, gfn_t g, unsigned order)
{
    (void)d;
    (void)g;
    (void)order;
    return -ENOMEM;
}

/* Every register of every leaf has the same bits. */
WEAK struct cpuid_regs cpu_model_common(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    if (leaf == 0)
        return (struct cpuid_regs){ 0x16, 1, 2, 3 };
    if (leaf == 0x80000000)
        return (struct cpuid_regs){ .eax = 0x80000008 };
    if (leaf == 7 || leaf == 0xd)
        return (struct cpuid_regs){ .eax = leaf == 0xd ? 7 : 0, .ebx = 0xf0f0, .ecx = 0xf0f0 };
    return (struct cpuid_regs){ leaf == 4 ? 0 : 0xf0f0, 0xf0f0, 0x0400f0f0, 0xf0f0 };
}

WEAK struct cpuid_regs cpu_model_leaf(uint32_t leaf, uint32_t subleaf)
{
    return cpu_model_common(leaf, subleaf);
}

WEAK uint64_t cpu_model_cr4_mask(void)
{
    return 0x6ff;
}

WEAK bool cpu_mtrr_valid(uint32_t msr, uint64_t value)
{
    (void)msr;
    return !(value >> 40);
}
