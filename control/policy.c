/*
 * The CPU that guests are shown, as the control domain's tools read it and change it: CPUID leaves,
 * MSRs, words of features. See cpu/cpu_policy.h.
 *
 * The machine's, the most and the default are one and the same: what Caisson can carry with it.
 */
#include "control/control.h"
#include "control/domctl.h"
#include "control/sysctl.h"
#include "lib/log.h"
#include "lifecycle/throttle.h"
#include "sched/batch.h"
#include "xen/pair.h"

#define ROUND  16 /* leaves, at most, under both locks */
#define LEAVES 16 /* that are written together */

/* Lists of MSRs say that there is nothing in them: none of their bits is ours. */
static const struct xen_msr_entry msrs[XEN_MSRS_MOST] = { { .idx = XEN_MSR_PLATFORM_INFO },
                                                          { .idx = XEN_MSR_ARCH_CAPABILITIES } };

/* ---- Out ---- */

/* Those from *l on, as many as go in; *l is the one behind them then. */
static uint32_t next_leaves(const struct cpu_policy *p, struct xen_cpuid_leaf *l, bool *more,
                            struct xen_cpuid_leaf out[LEAVES], uint32_t room)
{
    uint32_t n = 0;

    for (; *more && n < LEAVES && n < room; *more = cpu_policy_next(p, l))
        out[n++] = *l;
    return n;
}

/* Some at a time: a caller that changes its page tables meanwhile makes each writing walk them
 * anew, which takes longer than all that there is to a leaf. */
static int write_leaves(struct vcpu *v, const struct cpu_policy *p, uint64_t at, uint32_t *n)
{
    struct xen_cpuid_leaf l = CPU_POLICY_BEGIN, some[LEAVES];
    bool more = cpu_policy_next(p, &l);
    uint32_t room = *n, done = 0;

    *n = XEN_CPUID_LEAVES_MOST;
    if (!at)
        return 0;
    while (more && done < room) {
        uint32_t count = next_leaves(p, &l, &more, some, room - done);
        if (gva_copy_out(&v->space, at + done * sizeof(l), some, count * sizeof(l)))
            return -EFAULT;
        done += count;
    }
    if (more)
        return -ENOBUFS;
    *n = done;
    return 0;
}

static int write_msrs(struct vcpu *v, uint64_t at, uint32_t *n)
{
    uint32_t room = *n;

    *n = XEN_MSRS_MOST;
    if (!at)
        return 0;
    if (room < XEN_MSRS_MOST)
        return -ENOBUFS;
    return gva_copy_out(&v->space, at, msrs, sizeof(msrs)) ? -EFAULT : 0;
}

/* Of the machine, or for guests that are not paravirtual: there are no others. */
static int check_index(uint32_t index, uint32_t pv, uint32_t other_pv, uint32_t last)
{
    if (index > last)
        return -EINVAL;
    return index == pv || index == other_pv ? -EOPNOTSUPP : 0;
}

int64_t sysctl_cpu_policy(struct vcpu *v, struct xen_sysctl *op)
{
    static const struct cpu_policy whole;
    struct xen_sysctl_cpu_policy *arg = &op->u.cpu_policy;
    int err = check_index(arg->index, XEN_CPU_POLICY_PV_MAX, XEN_CPU_POLICY_PV_DEFAULT,
                          XEN_CPU_POLICY_HVM_DEFAULT);

    if (!err && arg->reserved)
        err = -EINVAL;
    if (!err)
        err = write_leaves(v, &whole, arg->leaves, &arg->nr_leaves);
    return err ? err : write_msrs(v, arg->msrs, &arg->nr_msrs);
}

/* Who has too little room gets what goes in, and is told so. */
int64_t sysctl_cpu_featureset(struct vcpu *v, struct xen_sysctl *op)
{
    struct xen_sysctl_cpu_featureset *arg = &op->u.cpu_featureset;
    uint32_t words[XEN_FEATURES],
        n = arg->nr_features < XEN_FEATURES ? arg->nr_features : XEN_FEATURES;
    int err = check_index(arg->index, XEN_CPU_FEATURESET_PV, XEN_CPU_FEATURESET_PV_MAX,
                          XEN_CPU_FEATURESET_HVM_MAX);

    arg->nr_features = XEN_FEATURES;
    if (err || !arg->features)
        return err;
    cpu_policy_features(words);
    if (gva_copy_out(&v->space, arg->features, words, n * sizeof(words[0])))
        return -EFAULT;
    return n < XEN_FEATURES ? -ENOBUFS : 0;
}

/* The first that tools ask of a domain which they are about to save, before they have it suspend:
 * one of the menu would end by that. */
int64_t domctl_get_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *arg = &op->u.cpu_policy;

    if (!d->bare) {
        log_warn(CONTROL_REFUSED "%s is of the menu, so it can be neither saved nor moved",
                 d->name);
        return -EOPNOTSUPP;
    }
    pair_lock_linked(&v->domain->xen, &d->xen);
    struct cpu_policy p = d->cpu_policy;
    pair_unlock(&v->domain->xen, &d->xen);
    int err = write_leaves(v, &p, arg->leaves, &arg->nr_leaves);
    return err ? err : write_msrs(v, arg->msrs, &arg->nr_msrs);
}

/* ---- In ---- */

/* Some of them; those that are left stand in the structure. */
static int take_leaves(struct vcpu *v, struct cpu_policy *p, struct xen_domctl_cpu_policy *arg)
{
    struct batch b = { .most = ROUND };
    struct xen_cpuid_leaf l;
    int err = 0;

    while (!err && arg->nr_leaves && batch_more(&b)) {
        if (gva_copy_in(&v->space, &l, arg->leaves, sizeof(l)))
            return -EFAULT;
        err = cpu_policy_take(p, &l);
        if (err) {
            arg->err_leaf = l.leaf;
            arg->err_subleaf = l.subleaf;
            return err;
        }
        arg->leaves += sizeof(l);
        arg->nr_leaves--;
    }
    return err;
}

static bool is_ours(const struct xen_msr_entry *e)
{
    return (e->idx == msrs[0].idx || e->idx == msrs[1].idx) && !e->flags && !e->val;
}

static int check_msrs(struct vcpu *v, struct xen_domctl_cpu_policy *arg)
{
    struct xen_msr_entry e;

    for (uint32_t i = 0; i < arg->nr_msrs; i++) {
        if (gva_copy_in(&v->space, &e, arg->msrs + i * sizeof(e), sizeof(e)))
            return -EFAULT;
        if (!is_ours(&e)) {
            arg->err_msr = e.idx;
            return -EINVAL;
        }
    }
    return 0;
}

/* With both locks. All of this round comes into force, or nothing. */
static int change(struct vcpu *v, struct domain *d, struct xen_domctl_cpu_policy *arg)
{
    struct cpu_policy p = d->cpu_policy;

    if (d->started)
        return -EEXIST;
    int err = take_leaves(v, &p, arg);
    if (!err && !arg->nr_leaves)
        err = check_msrs(v, arg);
    if (!err)
        d->cpu_policy = p;
    return err;
}

int64_t domctl_set_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *arg = &op->u.cpu_policy;

    if (!d->bare)
        return -EINVAL;
    if (arg->nr_leaves > XEN_CPUID_LEAVES_MOST || arg->nr_msrs > XEN_MSRS_MOST)
        return -E2BIG;
    pair_lock_linked(&v->domain->xen, &d->xen);
    int err = change(v, d, arg);
    pair_unlock(&v->domain->xen, &d->xen);
    return !err && arg->nr_leaves ? HYPERCALL_CONTINUE : err;
}
