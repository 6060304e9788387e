/*
 * hvm_op: the domain's parameters, and how events interrupt it.
 * Source: xen/include/public/hvm/hvm_op.h and params.h.
 */
#include "include/public/hvm/hvm_op.h"
#include "domain/domain.h"
#include "xen/pair.h"
#include "hypercall/hypercall.h"
#include "lib/nospec.h"
#include "include/public/hvm/params.h"

#define LEAST_VECTOR 16 /* below are exceptions */

/* Which parameters a guest may ask for, and change; the others are the toolstack's on Xen. */
static const struct {
    bool get, set;
} access[HVM_PARAMS] = {
    [HVM_PARAM_CALLBACK_IRQ] = { true, true },    [HVM_PARAM_STORE_PFN] = { true, false },
    [HVM_PARAM_STORE_EVTCHN] = { true, false },   [HVM_PARAM_CONSOLE_PFN] = { true, false },
    [HVM_PARAM_CONSOLE_EVTCHN] = { true, false }, [HVM_PARAM_VM_GENERATION_ID] = { true, true },
};

/* *d is found then, as by pair_target(). */
static int64_t read_param(struct vcpu *v, uint64_t at, struct xen_hvm_param *out,
                          struct xen_domain **d)
{
    if (gva_copy_in(&v->space, out, at, sizeof(*out)))
        return -EFAULT;
    int err = pair_target(&v->domain->xen, out->domid, PAIR_MANAGE, d);
    if (err)
        return err;
    if (out->index < HVM_PARAMS) {
        out->index = (uint32_t)index_nospec(out->index, HVM_PARAMS);
        return 0;
    }
    pair_forget(&v->domain->xen, *d);
    return -EINVAL;
}

/* Only a vector will do: there is no line of a device that an event could pull. */
static void set_callback(struct xen_domain *d, uint64_t value)
{
    uint8_t vector = (uint8_t)value;
    bool usable = value >> HVM_CALLBACK_TYPE_SHIFT == HVM_CALLBACK_TYPE_VECTOR;

    d->callback = usable && vector >= LEAST_VECTOR ? vector : 0;
}

/* Of oneself, what guests may; of another domain, which only the control domain can have named,
 * all. */
static bool may_get(const struct vcpu *v, const struct xen_domain *d, uint32_t index)
{
    return d != &v->domain->xen || access[index].get;
}

static bool may_set(const struct vcpu *v, const struct xen_domain *d, uint32_t index)
{
    return d != &v->domain->xen || access[index].set;
}

static void put_param(struct vcpu *v, struct xen_domain *d, const struct xen_hvm_param *p)
{
    pair_lock_linked(&v->domain->xen, d);
    d->param[p->index] = p->value;
    if (p->index == HVM_PARAM_CALLBACK_IRQ)
        set_callback(d, p->value);
    if (p->index == HVM_PARAM_CALLBACK_IRQ && d == &v->domain->xen)
        pv_set_width(d, !virt_in_64bit_code(&v->virt));
    pair_unlock(&v->domain->xen, d);
}

static int64_t set_param(struct vcpu *v, uint64_t at)
{
    struct xen_hvm_param p;
    struct xen_domain *d;
    int64_t err = read_param(v, at, &p, &d);

    if (err)
        return err;
    err = may_set(v, d, p.index) ? 0 : -EPERM;
    if (!err)
        put_param(v, d, &p);
    pair_forget(&v->domain->xen, d);
    return err;
}

static int64_t get_param(struct vcpu *v, uint64_t at)
{
    struct xen_hvm_param p;
    struct xen_domain *d;
    int64_t err = read_param(v, at, &p, &d);

    if (err)
        return err;
    err = may_get(v, d, p.index) ? 0 : -EPERM;
    p.value = __atomic_load_n(&d->param[p.index], __ATOMIC_RELAXED);
    pair_forget(&v->domain->xen, d);
    return err ? err : gva_copy_out(&v->space, at, &p, sizeof(p));
}

static int64_t set_upcall_vector(struct vcpu *v, uint64_t at)
{
    struct xen_hvm_evtchn_upcall_vector arg;

    if (gva_copy_in(&v->space, &arg, at, sizeof(arg)))
        return -EFAULT;
    if (arg.vector < LEAST_VECTOR)
        return -EINVAL;
    struct vcpu *which = domain_vcpu(v->domain, arg.vcpu);
    if (!which)
        return -ENOENT;
    pv_upcall_set_vector(&which->xen, arg.vector);
    return 0;
}

/* For shadow page tables. With a second-level page table there is nothing to tell, and by this
 * answer Linux knows. */
static int64_t pagetable_dying(struct vcpu *v, uint64_t at)
{
    struct xen_hvm_pagetable_dying arg;

    if (gva_copy_in(&v->space, &arg, at, sizeof(arg)))
        return -EFAULT;
    int err = hypercall_may_control(v, arg.domid);
    return err == -ESRCH ? err : -EINVAL;
}

static int64_t get_time(struct vcpu *v, uint64_t at)
{
    struct xen_hvm_get_time arg = { .now = xen_now(&v->domain->xen) };

    return gva_copy_out(&v->space, at, &arg, sizeof(arg));
}

/* Every vCPU flushes before it enters the guest again. */
static int64_t flush_tlbs(struct vcpu *v, uint64_t at)
{
    if (at)
        return -EINVAL;
    p2m_flush(&v->domain->p2m);
    domain_kick(v->domain);
    return 0;
}

int64_t hypercall_hvm_op(struct vcpu *v, uint64_t *args)
{
    switch (args[0]) {
    case HVMOP_SET_PARAM:
        return set_param(v, args[1]);
    case HVMOP_GET_PARAM:
        return get_param(v, args[1]);
    case HVMOP_SET_EVTCHN_UPCALL_VECTOR:
        return set_upcall_vector(v, args[1]);
    case HVMOP_PAGETABLE_DYING:
        return pagetable_dying(v, args[1]);
    case HVMOP_GET_TIME:
        return get_time(v, args[1]);
    case HVMOP_FLUSH_TLBS:
        return flush_tlbs(v, args[1]);
    }
    return -ENOSYS;
}
