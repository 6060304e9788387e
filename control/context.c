/*
 * The state of a domain's vCPUs, as the control domain's tools read and write it: a header, and
 * records, one behind the other (include/public/hvm/save.h).
 *
 * So far it is what a new domain needs: where its first vCPU begins, in protected mode without
 * paging or whatever else VCPUOP_initialise could say of 32-bit code, and MTRRs. What a record says
 * beyond that is refused, not dropped. Of a vCPU that has run there is no record yet.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "control/control.h"
#include "control/domctl.h"
#include "include/public/hvm/hvm_vcpu.h"
#include "include/public/hvm/save.h"
#include "lib/string.h"
#include "cpu/cpu_model.h"
#include "cpu/cpu_mtrr.h"
#include "xen/pair.h"
#include "xen/xen_context.h"

#define FIXED_AT   HVM_MTRRS_VARIABLE /* in v->mtrr[] */
#define DEFAULT_AT (FIXED_AT + HVM_MTRRS_FIXED)

/* Where records go to, or come from. */
struct stream {
    struct vcpu *v; /* the caller */
    uint64_t at;    /* 0: they are only counted */
    uint32_t size, done;
};

static struct hvm_save_header header(void)
{
    return (struct hvm_save_header){ .magic = HVM_FILE_MAGIC,
                                     .version = HVM_FILE_VERSION,
                                     .cpuid = cpu_model_leaf(1, 0).eax,
                                     .gtsc_khz = (uint32_t)(tsc_hz / 1000) };
}

/* ---- Out ---- */

static int put(struct stream *s, const void *what, uint32_t n)
{
    uint32_t done = s->done;

    s->done += n;
    if (!s->at)
        return 0;
    if (s->done > s->size)
        return -ENOSPC;
    return gva_copy_out(&s->v->space, s->at + done, what, n) ? -EFAULT : 0;
}

static int put_record(struct stream *s, uint16_t type, unsigned i, const void *what, uint32_t n)
{
    struct hvm_save_descriptor d = { .typecode = type, .instance = (uint16_t)i, .length = n };
    int err = put(s, &d, sizeof(d));

    return err || !n ? err : put(s, what, n);
}

static uint32_t narrow(uint32_t ar)
{
    return ar & SEG_AR_UNUSABLE ? 0 : (ar & 0xff) | (ar >> 4 & 0xf00);
}

/* The start that it was given; FPU and all else are as at reset. */
static int put_cpu(struct stream *s, const struct vcpu *v)
{
    const struct virt_start *from = &v->start;
    const struct segment *seg = from->segment;
    struct hvm_hw_cpu c = {
        .rax = from->gpr[GPR_RAX],
        .rbx = from->gpr[GPR_RBX],
        .rcx = from->gpr[GPR_RCX],
        .rdx = from->gpr[GPR_RDX],
        .rbp = from->gpr[GPR_RBP],
        .rsi = from->gpr[GPR_RSI],
        .rdi = from->gpr[GPR_RDI],
        .rsp = from->gpr[GPR_RSP],
        .rip = from->rip,
        .rflags = from->rflags,
        .cr0 = from->cr0,
        .cr3 = from->cr3,
        .cr4 = from->cr4,
        .dr6 = DR6_FIXED,
        .dr7 = DR7_FIXED,
        .msr_efer = from->efer,
        .cs_limit = seg[SEG_CS].limit,
        .ds_limit = seg[SEG_DS].limit,
        .es_limit = seg[SEG_ES].limit,
        .ss_limit = seg[SEG_SS].limit,
        .tr_limit = seg[SEG_TR].limit,
        .cs_base = seg[SEG_CS].base,
        .ds_base = seg[SEG_DS].base,
        .es_base = seg[SEG_ES].base,
        .ss_base = seg[SEG_SS].base,
        .tr_base = seg[SEG_TR].base,
        .cs_arbytes = narrow(seg[SEG_CS].ar),
        .ds_arbytes = narrow(seg[SEG_DS].ar),
        .es_arbytes = narrow(seg[SEG_ES].ar),
        .ss_arbytes = narrow(seg[SEG_SS].ar),
        .tr_arbytes = narrow(seg[SEG_TR].ar),
    };

    return put_record(s, HVM_SAVE_CPU, v->id, &c, sizeof(c));
}

static int put_mtrr(struct stream *s, const struct vcpu *v)
{
    struct hvm_hw_mtrr m = { .msr_pat_cr = PAT_AFTER_RESET,
                             .msr_mtrr_cap = CPU_MTRRCAP,
                             .msr_mtrr_def_type = v->mtrr[DEFAULT_AT] };

    memcpy(m.msr_mtrr_var, v->mtrr, sizeof(m.msr_mtrr_var));
    memcpy(m.msr_mtrr_fixed, v->mtrr + FIXED_AT, sizeof(m.msr_mtrr_fixed));
    return put_record(s, HVM_SAVE_MTRR, v->id, &m, sizeof(m));
}

/* As on Xen, a vCPU that is down has no state. */
static int put_all(struct stream *s, const struct domain *d)
{
    struct hvm_save_header h = header();
    int err = put_record(s, HVM_SAVE_HEADER, 0, &h, sizeof(h));

    for (unsigned i = 0; !err && i < d->xen.vcpu_count; i++)
        if (d->vcpus[i]->begins)
            err = put_cpu(s, d->vcpus[i]);
    for (unsigned i = 0; !err && i < d->xen.vcpu_count; i++)
        err = put_mtrr(s, d->vcpus[i]);
    return err ? err : put_record(s, HVM_SAVE_END, 0, NULL, 0);
}

int64_t domctl_gethvmcontext(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_hvmcontext *arg = &op->u.hvmcontext;
    struct stream s = { .v = v, .at = arg->buffer, .size = arg->size };

    if (!d->bare)
        return -EOPNOTSUPP;
    pair_lock_linked(&v->domain->xen, &d->xen);
    int err = d->started ? -EOPNOTSUPP : put_all(&s, d);
    pair_unlock(&v->domain->xen, &d->xen);
    arg->size = s.done;
    return err;
}

/* ---- In ---- */

static int get(struct stream *s, void *what, uint32_t n)
{
    if (n > s->size - s->done)
        return -ENODATA;
    if (gva_copy_in(&s->v->space, what, s->at + s->done, n))
        return -EFAULT;
    s->done += n;
    return 0;
}

static int get_record(struct stream *s, const struct hvm_save_descriptor *d, void *what, uint32_t n)
{
    return d->length == n ? get(s, what, n) : -EINVAL;
}

/* What stands in both records alike. */
static void take_registers(const struct hvm_hw_cpu *c, struct xen_vcpu_hvm_x86_32 *to)
{
    *to = (struct xen_vcpu_hvm_x86_32){
        .eax = (uint32_t)c->rax,
        .ecx = (uint32_t)c->rcx,
        .edx = (uint32_t)c->rdx,
        .ebx = (uint32_t)c->rbx,
        .esp = (uint32_t)c->rsp,
        .ebp = (uint32_t)c->rbp,
        .esi = (uint32_t)c->rsi,
        .edi = (uint32_t)c->rdi,
        .eip = (uint32_t)c->rip,
        .eflags = (uint32_t)c->rflags,
        .cr0 = (uint32_t)c->cr0,
        .cr3 = (uint32_t)c->cr3,
        .cr4 = (uint32_t)c->cr4,
        .efer = c->msr_efer,
        .cs_base = (uint32_t)c->cs_base,
        .ds_base = (uint32_t)c->ds_base,
        .ss_base = (uint32_t)c->ss_base,
        .es_base = (uint32_t)c->es_base,
        .tr_base = (uint32_t)c->tr_base,
        .cs_limit = c->cs_limit,
        .ds_limit = c->ds_limit,
        .ss_limit = c->ss_limit,
        .es_limit = c->es_limit,
        .tr_limit = c->tr_limit,
        .cs_ar = (uint16_t)c->cs_arbytes,
        .ds_ar = (uint16_t)c->ds_arbytes,
        .ss_ar = (uint16_t)c->ss_arbytes,
        .es_ar = (uint16_t)c->es_arbytes,
        .tr_ar = (uint16_t)c->tr_arbytes,
    };
}

/* Takes out of c what take_registers() has, and what is as at reset; upper halves stay. */
static void take_away(struct hvm_hw_cpu *c)
{
    uint64_t *const regs[] = { &c->rax,     &c->rcx,     &c->rdx,    &c->rbx,     &c->rsp,
                               &c->rbp,     &c->rsi,     &c->rdi,    &c->rip,     &c->rflags,
                               &c->cr0,     &c->cr3,     &c->cr4,    &c->cs_base, &c->ds_base,
                               &c->ss_base, &c->es_base, &c->tr_base };
    uint32_t *const limits[] = { &c->cs_limit, &c->ds_limit, &c->ss_limit, &c->es_limit,
                                 &c->tr_limit };
    uint32_t *const rights[] = { &c->cs_arbytes, &c->ds_arbytes, &c->ss_arbytes, &c->es_arbytes,
                                 &c->tr_arbytes };

    for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
        *regs[i] &= ~(uint64_t)UINT32_MAX;
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        *limits[i] = 0;
        *rights[i] &= ~(uint32_t)UINT16_MAX;
    }
    c->msr_efer = c->tsc = 0; /* its TSC is what it is */
    if (c->dr6 == DR6_FIXED)
        c->dr6 = 0;
    if (c->dr7 == DR7_FIXED)
        c->dr7 = 0;
}

static bool is_all_zero(const void *p, size_t n)
{
    const uint8_t *bytes = p;

    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

static int take_cpu(struct stream *s, const struct hvm_save_descriptor *d, struct vcpu *v)
{
    struct xen_vcpu_hvm_context context = { .mode = XEN_VCPU_HVM_MODE_32B };
    struct virt_start start;
    struct hvm_hw_cpu c;
    int err = get_record(s, d, &c, sizeof(c));

    if (err)
        return err;
    take_registers(&c, &context.cpu_regs.x86_32);
    take_away(&c);
    if (!is_all_zero(&c, sizeof(c)))
        return -EOPNOTSUPP;
    err = xen_context_read(&context, &start);
    if (err)
        return err;
    v->start = start;
    v->begins = true;
    v->down = false;
    return 0;
}

static uint32_t msr_of(unsigned i)
{
    if (i < FIXED_AT)
        return MSR_IA32_MTRR_PHYSBASE0 + i;
    if (i == FIXED_AT)
        return MSR_IA32_MTRR_FIX64K;
    if (i < FIXED_AT + 3)
        return MSR_IA32_MTRR_FIX16K_80000 + i - FIXED_AT - 1;
    return i < DEFAULT_AT ? MSR_IA32_MTRR_FIX4K_C0000 + i - FIXED_AT - 3 : MSR_IA32_MTRR_DEF_TYPE;
}

static int take_mtrr(struct stream *s, const struct hvm_save_descriptor *d, struct vcpu *v)
{
    uint64_t regs[DEFAULT_AT + 1];
    struct hvm_hw_mtrr m;
    int err = get_record(s, d, &m, sizeof(m));

    if (err)
        return err;
    if (m.msr_pat_cr != PAT_AFTER_RESET || m.msr_mtrr_cap != CPU_MTRRCAP)
        return -EOPNOTSUPP;
    memcpy(regs, m.msr_mtrr_var, sizeof(m.msr_mtrr_var));
    memcpy(regs + FIXED_AT, m.msr_mtrr_fixed, sizeof(m.msr_mtrr_fixed));
    regs[DEFAULT_AT] = m.msr_mtrr_def_type;
    for (unsigned i = 0; i <= DEFAULT_AT; i++)
        if (!cpu_mtrr_valid(msr_of(i), regs[i]))
            return -EINVAL;
    memcpy(v->mtrr, regs, sizeof(regs));
    return 0;
}

static int take_record(struct stream *s, const struct hvm_save_descriptor *r, struct domain *d)
{
    if (r->instance >= d->xen.vcpu_count)
        return -EINVAL;
    if (r->typecode == HVM_SAVE_CPU)
        return take_cpu(s, r, d->vcpus[r->instance]);
    if (r->typecode == HVM_SAVE_MTRR)
        return take_mtrr(s, r, d->vcpus[r->instance]);
    return -EOPNOTSUPP;
}

static int take_header(struct stream *s)
{
    struct hvm_save_descriptor d;
    struct hvm_save_header h;
    int err = get(s, &d, sizeof(d));

    if (!err)
        err = d.typecode == HVM_SAVE_HEADER ? get_record(s, &d, &h, sizeof(h)) : -EINVAL;
    if (!err && (h.magic != HVM_FILE_MAGIC || h.version != HVM_FILE_VERSION))
        err = -EINVAL;
    return err;
}

static void put_down(struct vcpu *v)
{
    v->begins = v->initialised = false;
    v->waits_for_startup = v->id != 0;
    v->down = !v->id;
}

/* Each puts all vCPUs down but those that it has a record of. */
static int take_all(struct stream *s, struct domain *d)
{
    struct hvm_save_descriptor r;
    int err = take_header(s);

    for (unsigned i = 0; !err && i < d->xen.vcpu_count; i++)
        put_down(d->vcpus[i]);
    while (!err && !(err = get(s, &r, sizeof(r))) && r.typecode != HVM_SAVE_END)
        err = take_record(s, &r, d);
    return err;
}

/* Not more than there is to say: a record of each kind for each vCPU, and the ends. */
static uint32_t size_most(const struct domain *d)
{
    uint32_t each = sizeof(struct hvm_hw_cpu) + sizeof(struct hvm_hw_mtrr) +
                    2 * sizeof(struct hvm_save_descriptor);

    return sizeof(struct hvm_save_header) + 2 * sizeof(struct hvm_save_descriptor) +
           each * d->xen.vcpu_count;
}

int64_t domctl_sethvmcontext(struct vcpu *v, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_hvmcontext *arg = &op->u.hvmcontext;
    struct stream s = { .v = v, .at = arg->buffer, .size = arg->size };

    if (!d->bare)
        return -EOPNOTSUPP;
    if (arg->size > size_most(d))
        return -E2BIG;
    pair_lock_linked(&v->domain->xen, &d->xen);
    int err = d->started ? -EBUSY : take_all(&s, d);
    pair_unlock(&v->domain->xen, &d->xen);
    return err;
}
