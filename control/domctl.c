/*
 * domctl: the control domain asks about a domain, or changes it. Source:
 * xen/include/public/domctl.h.
 *
 * Each operation is decoded, then the right to it is asked for in xen/pair.h, then it is done. The
 * domain is kept from going away meanwhile; it is locked only where something of it changes.
 */
#include "control/control.h"
#include "control/domctl.h"
#include "lib/nospec.h"
#include "xen/pair.h"

static bool is_self(const struct vcpu *v, const struct domain *d)
{
    return v->domain == d;
}

/* With both locks, the caller's perhaps let go meanwhile. */
static int64_t with_locks(struct vcpu *v, struct domain *d, int (*fn)(struct domain *d))
{
    if (is_self(v, d))
        return -EINVAL;
    pair_lock_linked(&v->domain->xen, &d->xen);
    int err = fn(d);
    pair_unlock(&v->domain->xen, &d->xen);
    return err;
}

static int64_t pause(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return with_locks(v, d, domain_count_pause);
}

static int64_t unpause(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return with_locks(v, d, domain_count_unpause);
}

struct operation {
    int64_t (*fn)(struct vcpu *v, struct domain *d, struct xen_domctl *op);
    bool answers;  /* in the structure */
    bool explains; /* there too, what it is refused for */
    bool creates;  /* it is about no domain that there is */
    bool moves;    /* how far it has come goes into the structure at each continuation, */
    bool goes_on;  /* with DOMCTL_GOES_ON, by which it knows that it is one */
};

static const struct operation ops[] = {
    [XEN_DOMCTL_CREATEDOMAIN] = { .fn = domctl_createdomain, .answers = true, .creates = true },
    [XEN_DOMCTL_DESTROYDOMAIN] = { .fn = domctl_destroydomain },
    [XEN_DOMCTL_PAUSEDOMAIN] = { .fn = pause },
    [XEN_DOMCTL_UNPAUSEDOMAIN] = { .fn = unpause },
    [XEN_DOMCTL_GETDOMAININFO] = { .fn = domctl_getdomaininfo, .answers = true },
    [XEN_DOMCTL_SETVCPUAFFINITY] = { .fn = domctl_setvcpuaffinity },
    [XEN_DOMCTL_SHADOW_OP] = { .fn = domctl_shadow_op,
                               .answers = true,
                               .moves = true,
                               .goes_on = true },
    [XEN_DOMCTL_MAX_MEM] = { .fn = domctl_max_mem },
    [XEN_DOMCTL_SETVCPUCONTEXT] = { .fn = domctl_setvcpucontext },
    [XEN_DOMCTL_GETVCPUCONTEXT] = { .fn = domctl_getvcpucontext },
    [XEN_DOMCTL_GETVCPUINFO] = { .fn = domctl_getvcpuinfo, .answers = true },
    [XEN_DOMCTL_MAX_VCPUS] = { .fn = domctl_max_vcpus },
    [XEN_DOMCTL_SCHEDULER_OP] = { .fn = domctl_scheduler_op, .answers = true },
    [XEN_DOMCTL_GETVCPUAFFINITY] = { .fn = domctl_getvcpuaffinity },
    [XEN_DOMCTL_RESUMEDOMAIN] = { .fn = domctl_resumedomain },
    [XEN_DOMCTL_SUBSCRIBE] = { .fn = domctl_subscribe },
    [XEN_DOMCTL_GETHVMCONTEXT] = { .fn = domctl_gethvmcontext,
                                   .answers = true,
                                   .moves = true,
                                   .goes_on = true },
    [XEN_DOMCTL_SETHVMCONTEXT] = { .fn = domctl_sethvmcontext, .moves = true, .goes_on = true },
    [XEN_DOMCTL_GETTSCINFO] = { .fn = domctl_gettscinfo, .answers = true },
    [XEN_DOMCTL_SETTSCINFO] = { .fn = domctl_settscinfo },
    [XEN_DOMCTL_GETPAGEFRAMEINFO3] = { .fn = domctl_getpageframeinfo3, .moves = true },
    [XEN_DOMCTL_SETNODEAFFINITY] = { .fn = domctl_setnodeaffinity },
    [XEN_DOMCTL_GET_CPU_POLICY] = { .fn = domctl_get_cpu_policy, .answers = true },
    [XEN_DOMCTL_SET_CPU_POLICY] = { .fn = domctl_set_cpu_policy, .explains = true, .moves = true },
    [XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE] = { .fn = domctl_set_paging_mempool_size },
};

/* Asked about one that does not exist, getdomaininfo answers with the next one: so tools find all
 * domains. It says in the structure which one that is. */
static int find(struct vcpu *v, struct xen_domctl *op, struct xen_domain **out)
{
    if (op->cmd != XEN_DOMCTL_GETDOMAININFO)
        return pair_target(&v->domain->xen, op->domain, PAIR_RULE, out);
    *out = xen_domain_get_from(op->domain);
    if (*out == &v->domain->xen)
        xen_domain_put(*out); /* as pair_target(): oneself is not held */
    return *out ? 0 : -ESRCH;
}

static int64_t act(struct vcpu *v, const struct operation *o, struct xen_domctl *op)
{
    struct xen_domain *d;

    if (o->creates)
        return o->fn(v, NULL, op);
    int err = find(v, op, &d);
    if (err)
        return err;
    int64_t result = o->fn(v, domain_of(d), op);
    pair_forget(&v->domain->xen, d);
    return result;
}

static bool goes_back(const struct operation *o, int64_t result)
{
    if (result == HYPERCALL_CONTINUE)
        return o->moves;
    return result == 0 ? o->answers : result < 0 && o->explains;
}

/* A destruction that began before: it is waited for, and the domain is not found any more. */
static int64_t await_end(struct vcpu *v, uint64_t at, struct xen_domctl *op)
{
    int64_t result = domctl_is_gone(v, op->domain);

    op->cmd &= ~DOMCTL_GOES_ON;
    if (result == 0 && gva_copy_out(&v->space, at, op, sizeof(*op)))
        return -EFAULT;
    return result;
}

/* NULL: there is none of that number, or it does not go on. */
static const struct operation *find_operation(uint32_t asked)
{
    const uint32_t count = sizeof(ops) / sizeof(ops[0]), cmd = asked & ~DOMCTL_GOES_ON;
    const struct operation *o = &ops[index_nospec(cmd, count)];

    return cmd < count && o->fn && (asked == cmd || o->goes_on) ? o : NULL;
}

static int64_t carry_out(struct vcpu *v, uint64_t at, struct xen_domctl *op)
{
    const uint32_t asked = op->cmd;
    const struct operation *o = find_operation(asked);

    if (!o)
        return -ENOSYS;
    if (o->answers && gva_copy_out(&v->space, at, op, sizeof(*op)))
        return -EFAULT;
    int64_t result = act(v, o, op);
    if (result != HYPERCALL_CONTINUE)
        op->cmd = asked & ~DOMCTL_GOES_ON;
    if ((op->cmd != asked || goes_back(o, result)) && gva_copy_out(&v->space, at, op, sizeof(*op)))
        return -EFAULT;
    return result;
}

int64_t control_domctl(struct vcpu *v, uint64_t *args)
{
    struct xen_domctl op;
    int err = control_decode(v, args[0], &op, sizeof(op), XEN_DOMCTL_INTERFACE_VERSION);

    if (err)
        return err;
    if (op.cmd == (DOMCTL_GOES_ON | XEN_DOMCTL_DESTROYDOMAIN))
        return await_end(v, args[0], &op);
    return carry_out(v, args[0], &op);
}
