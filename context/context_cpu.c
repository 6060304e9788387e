/*
 * The record of a vCPU's registers. See context/context.h.
 *
 * What is taken is looked at first as MOV, WRMSR and the checks of a VM entry would; what only the
 * processor finds wrong ends the domain when it begins.
 * Sources: SDM, "Checks on the Guest State Area"; xen/include/public/arch-x86/hvm/save.h.
 */
#include "arch/x86/cpu.h"
#include "context/context.h"
#include "cpu/cpu_model.h"
#include "lib/string.h"
#include "virt/fpu.h"

#define EFER_TAKEN   (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define RFLAGS_TAKEN 0x3F7FD7ul
/* VM entries want the rest to be 0 ("VM-Entry Event Injection"). */
#define ERROR_CODE_TAKEN 0x7FFFu

/* Access rights as in the record: what struct segment has in bits 12 to 15 follows bit 7. */
#define AR_BITS       0xFFFu
#define TYPE_ACCESSED 1u
#define TYPE_CODE     8u
#define TYPE_LDT      2u
#define TYPE_BUSY     3u /* of a TSS of 16 bits; with 8, of 32 */

/* ---- Where each register has its place ---- */

#define CPU(member) __builtin_offsetof(struct hvm_hw_cpu, member)
#define SEGMENT(r)                                                                                 \
    {                                                                                              \
        CPU(r##_base), CPU(r##_limit), CPU(r##_arbytes), CPU(r##_sel)                              \
    }

static const struct {
    uint16_t base, limit, rights, selector;
} segments[SEG_COUNT] = {
    [SEG_ES] = SEGMENT(es),     [SEG_CS] = SEGMENT(cs), [SEG_SS] = SEGMENT(ss),
    [SEG_DS] = SEGMENT(ds),     [SEG_FS] = SEGMENT(fs), [SEG_GS] = SEGMENT(gs),
    [SEG_LDTR] = SEGMENT(ldtr), [SEG_TR] = SEGMENT(tr),
};

static const uint16_t gprs[GPR_COUNT] = {
    [GPR_RAX] = CPU(rax), [GPR_RCX] = CPU(rcx), [GPR_RDX] = CPU(rdx), [GPR_RBX] = CPU(rbx),
    [GPR_RSP] = CPU(rsp), [GPR_RBP] = CPU(rbp), [GPR_RSI] = CPU(rsi), [GPR_RDI] = CPU(rdi),
    [GPR_R8] = CPU(r8),   [GPR_R9] = CPU(r9),   [GPR_R10] = CPU(r10), [GPR_R11] = CPU(r11),
    [GPR_R12] = CPU(r12), [GPR_R13] = CPU(r13), [GPR_R14] = CPU(r14), [GPR_R15] = CPU(r15),
};

static const uint16_t msrs[] = {
    [STATE_STAR] = CPU(msr_star),
    [STATE_LSTAR] = CPU(msr_lstar),
    [STATE_CSTAR] = CPU(msr_cstar),
    [STATE_FMASK] = CPU(msr_syscall_mask),
    [STATE_KERNEL_GS_BASE] = CPU(shadow_gs),
    [STATE_TSC_AUX] = CPU(msr_tsc_aux),
    [STATE_SYSENTER_CS] = CPU(sysenter_cs),
    [STATE_SYSENTER_ESP] = CPU(sysenter_esp),
    [STATE_SYSENTER_EIP] = CPU(sysenter_eip),
};
#define MSRS (sizeof(msrs) / sizeof(msrs[0])) /* the others are in other records */

static uint64_t *wide(const struct hvm_hw_cpu *c, uint16_t at)
{
    return (uint64_t *)((uintptr_t)c + at);
}

static uint32_t *narrow(const struct hvm_hw_cpu *c, uint16_t at)
{
    return (uint32_t *)((uintptr_t)c + at);
}

/* ---- Out ---- */

/* What cannot be used is not present there. */
static uint32_t pack(uint32_t ar)
{
    uint32_t attributes = (ar & 0xFF) | (ar >> 4 & 0xF00);

    return ar & SEG_AR_UNUSABLE ? attributes & ~SEG_AR_P : attributes;
}

static void put_segments(struct hvm_hw_cpu *c, const struct vcpu *v)
{
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct segment *from = &v->start.segment[i];
        *wide(c, segments[i].base) = from->base;
        *narrow(c, segments[i].limit) = from->limit;
        *narrow(c, segments[i].rights) = pack(from->ar);
        *narrow(c, segments[i].selector) = from->selector;
    }
}

static void put_event(struct hvm_hw_cpu *c, const struct event *e)
{
    if (!e->valid)
        return;
    c->pending_event = HVM_EVENT_VALID | e->vector | (uint32_t)e->type << HVM_EVENT_TYPE_SHIFT |
                       (e->has_error ? HVM_EVENT_HAS_ERROR : 0);
    c->error_code = e->has_error ? e->error : 0;
}

/* One that its guest has halted for good is not used: only INIT gets it back. */
static bool is_used(const struct vcpu *v)
{
    if (!v->domain->started)
        return v->begins;
    return !v->down && !v->waits_for_startup && !(v->halted && v->deaf);
}

/* All TSCs are as of one moment. */
static uint64_t tsc_of(const struct vcpu *v)
{
    return v->domain->started ? v->domain->suspended_at + v->xen.tsc_offset : 0;
}

static void fill(struct hvm_hw_cpu *c, struct vcpu *v)
{
    const struct virt_start *s = &v->start;
    const struct virt_rest *r = &v->rest;

    *c = (struct hvm_hw_cpu){
        .rip = s->rip,
        .rflags = s->rflags,
        .cr0 = s->cr0,
        .cr2 = r->hidden.cr2,
        .cr3 = s->cr3,
        .cr4 = s->cr4,
        .dr0 = r->dr[0],
        .dr1 = r->dr[1],
        .dr2 = r->dr[2],
        .dr3 = r->dr[3],
        .dr6 = r->hidden.dr6,
        .dr7 = r->hidden.dr7,
        .idtr_limit = r->hidden.idt.limit,
        .gdtr_limit = r->gdt.limit,
        .idtr_base = r->hidden.idt.base,
        .gdtr_base = r->gdt.base,
        .msr_efer = s->efer,
        .tsc = tsc_of(v),
        .flags = HVM_CPU_FPU,
    };
    memcpy(c->fpu_regs, fpu_image(&v->virt), sizeof(c->fpu_regs));
    for (enum gpr n = GPR_RAX; n < GPR_COUNT; n++)
        *wide(c, gprs[n]) = *context_gpr(v, n);
    for (unsigned i = 0; i < MSRS; i++)
        *wide(c, msrs[i]) = r->msr[i];
    put_segments(c, v);
    put_event(c, &r->pending);
}

/* As on Xen, one that is down has no such state. */
int context_put_cpu(struct stream *s, struct vcpu *v)
{
    struct hvm_hw_cpu c;

    if (!is_used(v))
        return 0;
    fill(&c, v);
    return stream_put_record(s, HVM_SAVE_CPU, v, &c, sizeof(c));
}

/* ---- In: does it fit? ---- */

static bool control_fits(const struct hvm_hw_cpu *c)
{
    bool lme = c->msr_efer & EFER_LME, paging = c->cr0 & CR0_PG;
    bool is_long = lme && paging;

    if (c->msr_efer & ~EFER_TAKEN || ((c->msr_efer & EFER_LMA) && !is_long))
        return false;
    if (c->cr0 >> 32 || (paging && !(c->cr0 & CR0_PE)) || ((c->cr0 & CR0_NW) && !(c->cr0 & CR0_CD)))
        return false;
    if (c->cr4 & ~cpu_model_cr4_mask() || ((c->cr4 & CR4_PCIDE) && !is_long))
        return false;
    if (is_long)
        return (c->cr4 & CR4_PAE) && !(c->cr3 >> cpu_model_address_bits());
    return !(c->cr3 >> 32);
}

static bool addresses_fit(const struct hvm_hw_cpu *c)
{
    const uint64_t linear[] = { c->fs_base,   c->gs_base,      c->tr_base,     c->ldtr_base,
                                c->gdtr_base, c->idtr_base,    c->shadow_gs,   c->msr_lstar,
                                c->msr_cstar, c->sysenter_esp, c->sysenter_eip };

    for (unsigned i = 0; i < sizeof(linear) / sizeof(linear[0]); i++)
        if (!is_canonical(linear[i]))
            return false;
    return !((c->cs_base | c->ss_base | c->ds_base | c->es_base) >> 32);
}

static bool numbers_fit(const struct hvm_hw_cpu *c)
{
    return !(c->rflags & ~RFLAGS_TAKEN) && !(c->dr6 >> 32) && !(c->dr7 >> 32) &&
           !(c->msr_syscall_mask >> 32) && !(c->msr_tsc_aux >> 32) && c->gdtr_limit <= UINT16_MAX &&
           c->idtr_limit <= UINT16_MAX && !(c->flags & ~HVM_CPU_FPU);
}

/* The limit in bytes must be one that a descriptor can say, with G as it is. */
static bool limit_fits(uint32_t limit, uint32_t ar)
{
    return ar & SEG_AR_G ? (limit & 0xFFF) == 0xFFF : limit >> 20 == 0;
}

static bool type_fits(enum seg s, uint32_t ar)
{
    uint32_t type = ar & SEG_AR_TYPE;

    if (s == SEG_TR)
        return !(ar & SEG_AR_S) && (type & ~TYPE_CODE) == TYPE_BUSY;
    if (s == SEG_LDTR)
        return !(ar & SEG_AR_S) && type == TYPE_LDT;
    return (ar & SEG_AR_S) && (s != SEG_CS || type & TYPE_CODE || type == 3); /* 3: real mode's */
}

/* CS and TR are always there. */
static bool segment_fits(enum seg s, uint32_t attributes, uint32_t limit, uint32_t ar)
{
    if (attributes & ~AR_BITS)
        return false;
    if (!(ar & SEG_AR_P))
        return s != SEG_CS && s != SEG_TR;
    return type_fits(s, ar) && limit_fits(limit, ar);
}

static uint32_t unpack(uint32_t attributes)
{
    uint32_t ar = (attributes & 0xFF) | (attributes & 0xF00) << 4;

    if (!(ar & SEG_AR_P))
        return ar | SEG_AR_UNUSABLE;
    return ar & SEG_AR_S ? ar | TYPE_ACCESSED : ar; /* loading it would have marked it */
}

static int take_segments(const struct hvm_hw_cpu *c, struct segment out[SEG_COUNT])
{
    for (enum seg i = SEG_ES; i < SEG_COUNT; i++) {
        uint32_t attributes = *narrow(c, segments[i].rights), limit = *narrow(c, segments[i].limit);
        uint32_t ar = unpack(attributes), selector = *narrow(c, segments[i].selector);
        if (!segment_fits(i, attributes, limit, ar) || selector > UINT16_MAX)
            return -EINVAL;
        out[i] = (struct segment){ *wide(c, segments[i].base), limit, ar, (uint16_t)selector };
    }
    return 0;
}

/* An instruction's own event is no interruption of it: Xen leaves such ones out, as we do. */
static int take_event(const struct hvm_hw_cpu *c, struct event *out)
{
    bool has_error = c->pending_event & HVM_EVENT_HAS_ERROR;
    struct event e = { .valid = true,
                       .has_error = has_error,
                       .vector = (uint8_t)(c->pending_event & HVM_EVENT_VECTOR),
                       .type = c->pending_event >> HVM_EVENT_TYPE_SHIFT & 7,
                       .error = has_error ? c->error_code : 0 };

    *out = (struct event){ 0 };
    if (!(c->pending_event & HVM_EVENT_VALID))
        return 0;
    bool fits = e.type == EVENT_EXCEPTION
                    ? e.vector < 32 && has_error == (ERROR_CODE_VECTORS >> e.vector & 1)
                    : !has_error;
    if (e.type == EVENT_NMI)
        fits &= e.vector == VECTOR_NMI;
    else if (e.type == EVENT_EXTINT)
        fits &= (c->rflags & RFLAGS_IF) != 0;
    else
        fits &= e.type == EVENT_EXCEPTION && e.vector != VECTOR_NMI;
    fits &= !(e.error & ~ERROR_CODE_TAKEN);
    if (fits)
        *out = e;
    return fits ? 0 : -EINVAL;
}

/* ---- In ---- */

static void take_start(const struct hvm_hw_cpu *c, struct virt_start *s)
{
    s->rip = c->rip;
    s->rflags = c->rflags;
    s->cr0 = c->cr0;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    s->efer = c->msr_efer;
}

/* PAT has come with another record. */
static void take_rest(const struct hvm_hw_cpu *c, struct virt_rest *r)
{
    uint64_t pat = r->msr[STATE_PAT];

    *r = (struct virt_rest){
        .gdt = { .base = c->gdtr_base, .limit = c->gdtr_limit },
        .hidden = { .idt = { .base = c->idtr_base, .limit = c->idtr_limit },
                    .cr2 = c->cr2,
                    .dr6 = c->dr6,
                    .dr7 = c->dr7 },
        .dr = { c->dr0, c->dr1, c->dr2, c->dr3 },
    };
    for (unsigned i = 0; i < MSRS; i++)
        r->msr[i] = *wide(c, msrs[i]);
    r->msr[STATE_PAT] = pat;
}

/* It was one TSC when the domain's clock was what it has been set to. */
static uint64_t tsc_offset(const struct vcpu *v, uint64_t tsc)
{
    const struct xen_domain *x = &v->domain->xen;

    return tsc - (x->tsc_set ? x->tsc_set : x->tsc_zero);
}

static int take_fpu(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    return c->flags & HVM_CPU_FPU ? fpu_image_put_legacy(&v->virt, c->fpu_regs) : 0;
}

int context_take_cpu(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v)
{
    struct segment segment[SEG_COUNT];
    struct hvm_hw_cpu c;
    struct event event;
    int err = stream_get_record(s, r, &c, sizeof(c));

    if (!err && !(control_fits(&c) && addresses_fit(&c) && numbers_fit(&c)))
        err = -EINVAL;
    if (!err)
        err = take_segments(&c, segment);
    if (!err)
        err = take_event(&c, &event);
    if (!err)
        err = take_fpu(v, &c);
    if (err)
        return err;
    take_start(&c, &v->start);
    take_rest(&c, &v->rest);
    memcpy(v->start.segment, segment, sizeof(segment));
    v->rest.pending = event;
    for (enum gpr n = GPR_RAX; n < GPR_COUNT; n++)
        *context_gpr(v, n) = *wide(&c, gprs[n]);
    pv_time_set_offset(&v->xen, tsc_offset(v, c.tsc));
    v->begins = v->whole = true;
    v->down = false;
    return 0;
}
