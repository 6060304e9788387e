/*
 * domctl: the registers of a vCPU whose domain has suspended, in the structure that paravirtual
 * guests begin with. Tools need it for one thing: a guest that was saved and goes on where it was
 * finds out so by what its own call returns, and they write that into RAX (xg_resume.c).
 */
#include "context/context.h"
#include "control/control.h"
#include "control/domctl.h"
#include "lib/string.h"
#include "xen/pair.h"

#define REGS(r) __builtin_offsetof(struct xen_cpu_user_regs, r)

static const uint8_t places[GPR_COUNT] = {
    [GPR_RAX] = REGS(rax), [GPR_RCX] = REGS(rcx), [GPR_RDX] = REGS(rdx), [GPR_RBX] = REGS(rbx),
    [GPR_RSP] = REGS(rsp), [GPR_RBP] = REGS(rbp), [GPR_RSI] = REGS(rsi), [GPR_RDI] = REGS(rdi),
    [GPR_R8] = REGS(r8),   [GPR_R9] = REGS(r9),   [GPR_R10] = REGS(r10), [GPR_R11] = REGS(r11),
    [GPR_R12] = REGS(r12), [GPR_R13] = REGS(r13), [GPR_R14] = REGS(r14), [GPR_R15] = REGS(r15),
};

static uint64_t *place(const struct xen_cpu_user_regs *r, enum gpr n)
{
    return (uint64_t *)((uintptr_t)r + places[n]);
}

static void fill(struct xen_cpu_user_regs *r, struct vcpu *v)
{
    const struct virt_start *s = &v->start;

    *r = (struct xen_cpu_user_regs){ .rip = s->rip,
                                     .cs = s->segment[SEG_CS].selector,
                                     .rflags = s->rflags,
                                     .ss = s->segment[SEG_SS].selector,
                                     .es = s->segment[SEG_ES].selector,
                                     .ds = s->segment[SEG_DS].selector,
                                     .fs = s->segment[SEG_FS].selector,
                                     .gs = s->segment[SEG_GS].selector };
    for (enum gpr n = GPR_RAX; n < GPR_COUNT; n++)
        *place(r, n) = *context_gpr(v, n);
}

/* What says where it goes on is as it was; the general registers may be others. It is on no pCPU:
 * they are in memory. */
static int change(struct vcpu *v, const struct xen_cpu_user_regs *r)
{
    if (r->rip != v->start.rip || r->rflags != v->start.rflags || r->rsp != v->start.gpr[GPR_RSP])
        return -EOPNOTSUPP;
    for (enum gpr n = GPR_RAX; n < GPR_COUNT; n++) {
        if (n == GPR_RSP)
            continue;
        *context_gpr(v, n) = *place(r, n);
        virt_set_gpr(&v->virt, n, *place(r, n));
    }
    return 0;
}

/* Finds what is meant and calls it with both locks. They are on their way out for a moment after
 * the guest has suspended. */
static int64_t with_vcpu(struct vcpu *v, struct domain *d, const struct xen_domctl_vcpucontext *arg,
                         struct xen_cpu_user_regs *r, bool changes)
{
    struct vcpu *of = domain_vcpu(d, arg->vcpu);
    int err = 0;

    if (v->domain == d || !of)
        return -EINVAL;
    pair_lock_linked(&v->domain->xen, &d->xen);
    if (d->end || !d->suspended)
        err = -EOPNOTSUPP;
    else if (!domain_is_saved(d) || !domain_is_out(d))
        err = -EAGAIN;
    else if (changes)
        err = change(of, r);
    else
        fill(r, of);
    pair_unlock(&v->domain->xen, &d->xen);
    if (err != -EAGAIN)
        return err;
    domain_kick(d);
    vcpu_give_way(v);
    return HYPERCALL_CONTINUE;
}

static int zero(struct vcpu *v, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[512];
    int err = 0;

    for (uint64_t n; !err && from < to; from += n) {
        n = to - from < sizeof(zeros) ? to - from : sizeof(zeros);
        err = gva_copy_out(&v->space, from, zeros, n);
    }
    return err;
}

int64_t domctl_getvcpucontext(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    uint64_t at = op->u.vcpucontext.context, regs = at + XEN_VCPU_GUEST_CONTEXT_REGS;
    struct xen_cpu_user_regs r = { 0 };
    int64_t result = with_vcpu(v, d, &op->u.vcpucontext, &r, false);

    if (result)
        return result;
    if (zero(v, at, regs) || gva_copy_out(&v->space, regs, &r, sizeof(r)) ||
        zero(v, regs + sizeof(r), at + XEN_VCPU_GUEST_CONTEXT_BYTES))
        return -EFAULT;
    return 0;
}

int64_t domctl_setvcpucontext(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_cpu_user_regs r;

    if (gva_copy_in(&v->space, &r, op->u.vcpucontext.context + XEN_VCPU_GUEST_CONTEXT_REGS,
                    sizeof(r)))
        return -EFAULT;
    return with_vcpu(v, d, &op->u.vcpucontext, &r, true);
}
