/*
 * The state of a domain's vCPUs, as the control domain's tools read and write it: a header, and
 * records, one behind the other (include/public/hvm/save.h).
 *
 * It is read of a domain that is suspended, or has not begun, and written into one that has not
 * begun. A record at a time is worked off under both locks; how far a call has come stands in the
 * caller's structure, and is believed no more than any other number there.
 */
#include "context/context.h"
#include "arch/x86/tsc.h"
#include "control/control.h"
#include "control/domctl.h"
#include "cpu/cpu_model.h"
#include "lib/nospec.h"
#include "sched/batch.h"
#include "xen/pair.h"

/* In the order in which they are written: of each vCPU, then the next type. */
static const struct {
    uint16_t type;
    context_put *put;
    context_take *take;
} kinds[] = {
    { HVM_SAVE_CPU, context_put_cpu, context_take_cpu },
    { HVM_SAVE_LAPIC, context_put_lapic, context_take_lapic },
    { HVM_SAVE_LAPIC_REGS, context_put_lapic_regs, context_take_lapic_regs },
    { HVM_SAVE_MTRR, context_put_mtrr, context_take_mtrr },
    { HVM_SAVE_XSAVE, context_put_xsave, context_take_xsave },
    { HVM_SAVE_TSC_ADJUST, context_put_tsc_adjust, context_take_tsc_adjust },
    { HVM_SAVE_MSR, context_put_msr, context_take_msr },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Of the structure's padding, between two rounds: bytes that are done, and which record is next. */
#define DONE_BITS  22
#define BYTES_MOST ((1u << DONE_BITS) - 1)
_Static_assert(KINDS *MAX_VCPUS + 1 < 1u << (32 - DONE_BITS), "their number has room there");

#define ROUND 16 /* records, at most */

/* ---- Rounds ---- */

static struct stream stream_of(struct vcpu *v, const struct xen_domctl *op)
{
    const struct xen_domctl_hvmcontext *arg = &op->u.hvmcontext;
    bool goes_on = op->cmd & DOMCTL_GOES_ON;

    return (struct stream){
        .v = v, .at = arg->buffer, .size = arg->size, .done = goes_on ? arg->pad & BYTES_MOST : 0
    };
}

static unsigned record_of(const struct xen_domctl *op)
{
    return op->cmd & DOMCTL_GOES_ON ? op->u.hvmcontext.pad >> DONE_BITS : 0;
}

/* This round is over. */
static int64_t come_again(struct xen_domctl *op, const struct stream *s, unsigned record)
{
    op->cmd |= DOMCTL_GOES_ON;
    op->u.hvmcontext.pad = record << DONE_BITS | s->done;
    return HYPERCALL_CONTINUE;
}

/* ---- Out ---- */

static int put_header(struct stream *s)
{
    struct hvm_save_header h = { .magic = HVM_FILE_MAGIC,
                                 .version = HVM_FILE_VERSION,
                                 .cpuid = cpu_model_leaf(1, 0).eax,
                                 .gtsc_khz = (uint32_t)(tsc_hz / 1000) };
    int err = stream_put_type(s, HVM_SAVE_HEADER, 0, sizeof(h));

    return err ? err : stream_put(s, &h, sizeof(h));
}

/* -EAGAIN: its vCPUs are still about to write down what there is to be read, or on a pCPU. */
static int may_read(struct domain *d)
{
    if (d->started && (d->end || !d->suspended))
        return -EOPNOTSUPP;
    if ((!d->started || domain_is_saved(d)) && domain_is_out(d))
        return 0;
    domain_kick(d);
    return -EAGAIN;
}

static int put_one(struct stream *s, struct domain *d, unsigned record)
{
    unsigned n = d->xen.vcpu_count;
    int err = may_read(d);

    if (err)
        return err;
    if (record == KINDS * n)
        return stream_put_type(s, HVM_SAVE_END, 0, 0);
    err = record ? 0 : put_header(s);
    return err ? err : kinds[index_nospec(record / n, KINDS)].put(s, d->vcpus[record % n]);
}

int64_t domctl_gethvmcontext(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct stream s = stream_of(v, op);
    unsigned record = record_of(op), last = (unsigned)KINDS * d->xen.vcpu_count;
    struct batch b = { .most = ROUND };
    int err = d->bare ? 0 : -EOPNOTSUPP;

    while (!err && record <= last && batch_more(&b)) {
        pair_lock_linked(&v->domain->xen, &d->xen);
        err = put_one(&s, d, record);
        pair_unlock(&v->domain->xen, &d->xen);
        record += !err;
    }
    if (err == -EAGAIN)
        vcpu_give_way(v);
    if (err == -EAGAIN || (!err && record <= last))
        return come_again(op, &s, record);
    op->u.hvmcontext.size = s.done;
    return err;
}

/* ---- In ---- */

static int take_header(struct stream *s)
{
    struct hvm_save_descriptor d;
    struct hvm_save_header h;
    int err = stream_get(s, &d, sizeof(d));

    if (!err)
        err = d.typecode == HVM_SAVE_HEADER ? stream_get_record(s, &d, &h, sizeof(h)) : -EINVAL;
    if (!err && (h.magic != HVM_FILE_MAGIC || h.version != HVM_FILE_VERSION))
        err = -EINVAL;
    return err;
}

static void put_down(struct vcpu *v)
{
    v->begins = v->initialised = v->whole = false;
    v->deadline = 0;
    v->waits_for_startup = v->id != 0;
    v->down = !v->id;
}

/* Each call puts all vCPUs down but those that it has a record of. */
static int begin(struct stream *s, struct domain *d)
{
    int err = take_header(s);

    for (unsigned i = 0; !err && i < d->xen.vcpu_count; i++)
        put_down(d->vcpus[i]);
    return err;
}

/* Xen writes records for devices too, which no domain of ours has, and for itself. */
static int pass_over(struct stream *s, const struct hvm_save_descriptor *r)
{
    return r->typecode <= HVM_SAVE_LAST ? stream_skip(s, r->length) : -EINVAL;
}

static int take(struct stream *s, const struct hvm_save_descriptor *r, struct domain *d)
{
    for (unsigned i = 0; i < KINDS; i++) {
        if (kinds[i].type != r->typecode)
            continue;
        struct vcpu *v = domain_vcpu(d, r->instance);
        return v ? kinds[i].take(s, r, v) : -EINVAL;
    }
    return pass_over(s, r);
}

/* 1: there was another record; 0: that was all; -EAGAIN: as of may_read(). */
static int take_one(struct stream *s, struct domain *d)
{
    struct hvm_save_descriptor r;

    if (d->started)
        return -EBUSY;
    if (!domain_is_out(d))
        return -EAGAIN;
    int err = s->done ? 0 : begin(s, d);
    if (!err)
        err = stream_get(s, &r, sizeof(r));
    if (err)
        return err;
    if (r.typecode == HVM_SAVE_END)
        return r.length ? -EINVAL : 0;
    err = take(s, &r, d);
    return err ? err : 1;
}

int64_t domctl_sethvmcontext(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct stream s = stream_of(v, op);
    struct batch b = { .most = ROUND };
    int more = 1;

    if (!d->bare)
        return -EOPNOTSUPP;
    if (s.size > BYTES_MOST)
        return -E2BIG;
    while (more > 0 && batch_more(&b)) {
        pair_lock_linked(&v->domain->xen, &d->xen);
        more = take_one(&s, d);
        pair_unlock(&v->domain->xen, &d->xen);
    }
    if (more == -EAGAIN)
        vcpu_give_way(v);
    return more > 0 || more == -EAGAIN ? come_again(op, &s, 0) : more;
}
