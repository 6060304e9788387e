/*
 * The records of a vCPU's local APIC, memory types, extended states and MSRs. See
 * context/context.h. Source: xen/include/public/arch-x86/hvm/save.h.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "context/context.h"
#include "cpu/cpu_model.h"
#include "cpu/cpu_mtrr.h"
#include "devices/vlapic.h"
#include "lib/string.h"
#include "virt/fpu.h"
#include "virt/msr.h"

/* ---- The local APIC ---- */

#define DISABLED_BY_HARDWARE 1u
#define DISABLED_BY_SOFTWARE 2u
#define LAPIC_DIVIDE         0x3E /* its register */

/* Of the domain's clock: when it stopped, or now. */
static uint64_t moment(const struct domain *d)
{
    return d->started ? tsc_to_ns(d->suspended_at - d->xen.tsc_zero) : xen_now(&d->xen);
}

/* SDM, "Divide Configuration Register": bits 3, 1 and 0, one less than the power of two. */
static uint32_t divisor(uint32_t divide)
{
    return 1u << ((((divide & 3) | (divide & 8) >> 1) + 1) & 7);
}

int context_put_lapic(struct stream *s, struct vcpu *v)
{
    struct vlapic_state state;

    vlapic_get(&v->lapic, &state, moment(v->domain));
    bool off = !vlapic_enabled(&v->lapic), deaf = !vlapic_takes_interrupts(&v->lapic);
    struct hvm_hw_lapic l = {
        .apic_base_msr = state.base,
        .disabled = (off ? DISABLED_BY_HARDWARE : 0) | (!off && deaf ? DISABLED_BY_SOFTWARE : 0),
        .timer_divisor = divisor(state.reg[LAPIC_DIVIDE]),
        .tdt_msr = v->deadline,
        .pending_esr = state.esr_pending,
    };
    return stream_put_record(s, HVM_SAVE_LAPIC, v, &l, sizeof(l));
}

int context_put_lapic_regs(struct stream *s, struct vcpu *v)
{
    struct hvm_hw_lapic_regs regs = { 0 };
    struct vlapic_state state;

    vlapic_get(&v->lapic, &state, moment(v->domain));
    for (unsigned i = 0; i < VLAPIC_REGS; i++)
        regs.reg[i].value = state.reg[i];
    return stream_put_record(s, HVM_SAVE_LAPIC_REGS, v, &regs, sizeof(regs));
}

/* What is disabled follows from the base and from the registers. */
int context_take_lapic(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v)
{
    struct hvm_hw_lapic l;
    int err = stream_get_record(s, r, &l, sizeof(l));

    if (!err)
        err = vlapic_put_base(&v->lapic, l.apic_base_msr);
    if (err)
        return err;
    v->lapic.esr_pending = l.pending_esr;
    v->deadline = l.tdt_msr;
    return 0;
}

int context_take_lapic_regs(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v)
{
    struct vlapic_state state = { .esr_pending = v->lapic.esr_pending };
    struct hvm_hw_lapic_regs regs;
    int err = stream_get_record(s, r, &regs, sizeof(regs));

    if (err)
        return err;
    for (unsigned i = 0; i < VLAPIC_REGS; i++)
        state.reg[i] = regs.reg[i].value;
    vlapic_put_regs(&v->lapic, &state, moment(v->domain));
    return 0;
}

/* ---- Memory types ---- */

#define FIXED_AT   HVM_MTRRS_VARIABLE /* in v->mtrr[] */
#define DEFAULT_AT (FIXED_AT + HVM_MTRRS_FIXED)

int context_put_mtrr(struct stream *s, struct vcpu *v)
{
    struct hvm_hw_mtrr m = { .msr_pat_cr = v->rest.msr[STATE_PAT],
                             .msr_mtrr_cap = CPU_MTRRCAP,
                             .msr_mtrr_def_type = v->mtrr[DEFAULT_AT] };

    memcpy(m.msr_mtrr_var, v->mtrr, sizeof(m.msr_mtrr_var));
    memcpy(m.msr_mtrr_fixed, v->mtrr + FIXED_AT, sizeof(m.msr_mtrr_fixed));
    return stream_put_record(s, HVM_SAVE_MTRR, v, &m, sizeof(m));
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

int context_take_mtrr(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v)
{
    uint64_t regs[DEFAULT_AT + 1];
    struct hvm_hw_mtrr m;
    int err = stream_get_record(s, r, &m, sizeof(m));

    if (err)
        return err;
    if (m.msr_mtrr_cap != CPU_MTRRCAP)
        return -EOPNOTSUPP;
    memcpy(regs, m.msr_mtrr_var, sizeof(m.msr_mtrr_var));
    memcpy(regs + FIXED_AT, m.msr_mtrr_fixed, sizeof(m.msr_mtrr_fixed));
    regs[DEFAULT_AT] = m.msr_mtrr_def_type;
    for (unsigned i = 0; i <= DEFAULT_AT; i++)
        if (!cpu_mtrr_valid(msr_of(i), regs[i]))
            return -EINVAL;
    if (!msr_is_pat(m.msr_pat_cr))
        return -EINVAL;
    memcpy(v->mtrr, regs, sizeof(regs));
    v->rest.msr[STATE_PAT] = m.msr_pat_cr;
    return 0;
}

/* ---- FPU, SSE, and what XSAVE has besides ---- */

int context_put_xsave(struct stream *s, struct vcpu *v)
{
    uint64_t states = fpu_image_states(&v->virt);
    struct hvm_hw_cpu_xsave x = { states, fpu_image_xcr0(&v->virt), states };
    uint32_t bytes = fpu_image_bytes(&v->virt);

    if (!bytes)
        return 0;
    int err = stream_put_type(s, HVM_SAVE_XSAVE, v->id, (uint32_t)sizeof(x) + bytes);
    if (!err)
        err = stream_put(s, &x, sizeof(x));
    return err ? err : stream_put(s, fpu_image(&v->virt), bytes);
}

/* The beginning is looked at before it takes its place; the rest may be anything. */
int context_take_xsave(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v)
{
    uint8_t first[FPU_LEGACY_BYTES + FPU_HEADER_BYTES] __attribute__((aligned(8)));
    uint32_t bytes = fpu_image_bytes(&v->virt);
    struct hvm_hw_cpu_xsave x;

    if (!bytes || r->length != sizeof(x) + bytes)
        return -EINVAL;
    int err = stream_get(s, &x, sizeof(x));
    if (!err)
        err = stream_get(s, first, sizeof(first));
    if (!err)
        err = fpu_image_put(&v->virt, first, x.xcr0);
    return err ? err : stream_get(s, fpu_image_rest(&v->virt), bytes - (uint32_t)sizeof(first));
}

/* ---- MSRs ---- */

#define MSRS_MOST 32 /* in a record */

int context_put_tsc_adjust(struct stream *s, struct vcpu *v)
{
    struct hvm_tsc_adjust t = { v->tsc_adjust };

    return stream_put_record(s, HVM_SAVE_TSC_ADJUST, v, &t, sizeof(t));
}

int context_take_tsc_adjust(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v)
{
    struct hvm_tsc_adjust t;
    int err = stream_get_record(s, r, &t, sizeof(t));

    if (!err)
        v->tsc_adjust = t.tsc_adjust;
    return err;
}

/* Those that are not 0. */
int context_put_msr(struct stream *s, struct vcpu *v)
{
    const struct hvm_one_msr all[] = {
        { .index = MSR_IA32_SPEC_CTRL, .val = v->rest.spec_ctrl },
        { .index = MSR_IA32_DEBUGCTL, .val = v->rest.msr[STATE_DEBUGCTL] },
    };
    struct hvm_msr m = { .count = (all[0].val != 0) + (all[1].val != 0) };

    if (!m.count)
        return 0;
    int err =
        stream_put_type(s, HVM_SAVE_MSR, v->id, (uint32_t)(sizeof(m) + m.count * sizeof(all[0])));
    if (!err)
        err = stream_put(s, &m, sizeof(m));
    for (unsigned i = 0; !err && i < 2; i++)
        if (all[i].val)
            err = stream_put(s, &all[i], sizeof(all[i]));
    return err;
}

/* The bits of IA32_SPEC_CTRL that guests are told of: IBRS, STIBP, SSBD. */
static uint64_t spec_ctrl_bits(void)
{
    uint32_t intel = cpu_model_leaf(7, 0).edx, amd = cpu_model_leaf(0x80000008, 0).ebx;
    bool ibrs = intel & CPUID_7D_SPEC_CTRL || amd & CPUID_EXT8B_IBRS;
    bool stibp = intel & CPUID_7D_STIBP || amd & CPUID_EXT8B_STIBP;
    bool ssbd = intel & CPUID_7D_SSBD || amd & CPUID_EXT8B_SSBD;

    return ibrs | stibp << 1 | ssbd << 2;
}

/* One of Xen's that we do not have says nothing if it is 0. */
static int take_one(const struct hvm_one_msr *m, struct vcpu *v)
{
    if (m->reserved)
        return -EINVAL;
    switch (m->index) {
    case MSR_IA32_SPEC_CTRL:
        v->rest.spec_ctrl = m->val & spec_ctrl_bits();
        return v->rest.spec_ctrl == m->val ? 0 : -EINVAL;
    case MSR_IA32_DEBUGCTL:
        if (!msr_fits(MSR_DEBUGCTL, m->val))
            return -EINVAL;
        v->rest.msr[STATE_DEBUGCTL] = m->val;
        return 0;
    default:
        return m->val ? -EOPNOTSUPP : 0;
    }
}

int context_take_msr(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v)
{
    struct hvm_one_msr one;
    struct hvm_msr m;
    int err = r->length < sizeof(m) ? -EINVAL : stream_get(s, &m, sizeof(m));

    if (!err && (m.count > MSRS_MOST || r->length != sizeof(m) + m.count * sizeof(one)))
        err = -EINVAL;
    for (uint32_t i = 0; !err && i < m.count; i++) {
        err = stream_get(s, &one, sizeof(one));
        if (!err)
            err = take_one(&one, v);
    }
    return err;
}
