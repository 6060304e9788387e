/*
 * Weight, cap and pCPUs of a domain, as the tools of Xen's credit2 scheduler name them.
 */
#include "hypercall/control.h"
#include "hypercall/hypercall.h"
#include "lib/bitmap.h"

#define BYTES_MOST 64 /* of a bitmap that are filled */
#define CAP_MOST   (100 * MAX_PCPUS)

static uint64_t bits_below(uint32_t n)
{
    return n < 64 ? (1ul << n) - 1 : UINT64_MAX;
}

static size_t bytes_of(const struct xen_ctl_bitmap *b, size_t most)
{
    size_t n = (b->nr_bits + 7ul) / 8;

    return n < most ? n : most;
}

int control_read_mask(struct vcpu *v, const struct xen_ctl_bitmap *from, uint64_t *out)
{
    *out = 0;
    if (hypercall_copy_in(v, out, from->bitmap, bytes_of(from, sizeof(*out))))
        return -EFAULT;
    *out &= bits_below(from->nr_bits);
    return 0;
}

int control_write_mask(struct vcpu *v, const struct xen_ctl_bitmap *to, uint64_t mask)
{
    uint64_t words[BYTES_MOST / 8] = { mask & bits_below(to->nr_bits) };

    return hypercall_copy_out(v, to->bitmap, words, bytes_of(to, sizeof(words)));
}

/* There is no soft affinity: any pCPU is as good as another. */
int64_t domctl_getvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *arg = &op->u.vcpuaffinity;
    int err = 0;

    if (arg->vcpu >= d->vcpu_count ||
        !(arg->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        return -EINVAL;
    if (arg->flags & XEN_VCPUAFFINITY_HARD)
        err = control_write_mask(v, &arg->hard, d->vcpus[arg->vcpu]->unit.affinity);
    if (!err && arg->flags & XEN_VCPUAFFINITY_SOFT)
        err = control_write_mask(v, &arg->soft, UINT64_MAX);
    return err;
}

/* Goes back: what of the mask is there. Tried before anything changes. */
int64_t domctl_setvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *arg = &op->u.vcpuaffinity;
    uint64_t mask;

    if (arg->vcpu >= d->vcpu_count)
        return -EINVAL;
    if (arg->flags != XEN_VCPUAFFINITY_HARD)
        return -EOPNOTSUPP;
    if (control_read_mask(v, &arg->hard, &mask) ||
        control_write_mask(v, &arg->hard, mask & sched_joined()))
        return -EFAULT;
    return sched_set_affinity(&d->vcpus[arg->vcpu]->unit, mask);
}

/* As credit2: a weight of 0 leaves the weight, a cap of 0 takes the cap away. */
static int64_t put_info(struct sched_group *g, const struct xen_domctl_scheduler_op *arg)
{
    if (arg->u.credit2.cap > CAP_MOST)
        return -EINVAL;
    if (arg->u.credit2.weight)
        sched_group_set_weight(g, arg->u.credit2.weight);
    sched_group_set_cap(g, arg->u.credit2.cap);
    return 0;
}

int64_t domctl_scheduler_op(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *arg = &op->u.scheduler_op;

    (void)v;
    if (arg->sched_id != XEN_SCHEDULER_CREDIT2)
        return -EINVAL;
    if (arg->cmd == XEN_SCHEDOP_PUTINFO)
        return put_info(d->account, arg);
    if (arg->cmd != XEN_SCHEDOP_GETINFO)
        return -EINVAL;
    arg->u.credit2.weight = (uint16_t)d->account->weight;
    arg->u.credit2.cap = (uint16_t)d->account->cap;
    return 0;
}
