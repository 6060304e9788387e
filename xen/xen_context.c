/*
 * The state that a vCPU is to begin with, as VCPUOP_initialise has it: read and checked.
 * Source: xen/include/public/hvm/hvm_vcpu.h, and what Xen refuses.
 *
 * What it lets pass must pass VM entry too: a field that only the CPU objects to would end the
 * domain where an error number is owed.
 */
#include "xen/xen_context.h"
#include "arch/x86/cpu.h"
#include "cpu/cpu_model.h"
#include "virt/virt.h"

#define EFER_ALLOWED   (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define RFLAGS_ALLOWED 0x3d7fd7ul /* all that are defined, but VM */

/* The lowest bits of an access rights field; SDM, "Segment Descriptors". */
#define TYPE           0xfu
#define TYPE_CODE      8u
#define TYPE_WRITES    2u /* of data; of code: may be read */
#define TYPE_TSS       0xbu
#define TYPE_ACCESSED  1u
#define DPL            0x60u
#define AR_32_RESERVED 0xf000u

/* ---- Segments ---- */

/* The limit in bytes must be one that a descriptor can say, with G as it is. */
static bool limit_fits(uint32_t limit, uint32_t ar)
{
    return ar & SEG_AR_G ? (limit & 0xfff) == 0xfff : limit >> 20 == 0;
}

static bool type_fits(enum seg s, uint32_t ar)
{
    switch (s) {
    case SEG_CS:
        return (ar & SEG_AR_S) && (ar & TYPE_CODE);
    case SEG_SS:
        return (ar & SEG_AR_S) && (ar & (TYPE_CODE | TYPE_WRITES)) == TYPE_WRITES;
    case SEG_TR:
        return (ar & (SEG_AR_S | TYPE)) == TYPE_TSS;
    default: /* code must be readable */
        return (ar & SEG_AR_S) && (!(ar & TYPE_CODE) || (ar & TYPE_WRITES));
    }
}

static int read_segment(struct virt_start *out, enum seg s, uint32_t base, uint32_t limit,
                        uint16_t ar)
{
    uint32_t wide = (ar & 0xffu) | (ar & 0xf00u) << 4;
    bool null = ar == 0;

    if (ar & AR_32_RESERVED || (null && s != SEG_DS && s != SEG_ES))
        return -EINVAL;
    if (!null && (!(wide & SEG_AR_P) || !type_fits(s, wide) || !limit_fits(limit, wide)))
        return -EINVAL;
    if (s != SEG_TR) /* loading it would have marked it */
        wide |= TYPE_ACCESSED;
    out->segment[s] =
        (struct segment){ .base = base, .limit = limit, .ar = null ? SEG_AR_UNUSABLE : wide };
    return 0;
}

static int read_segments(struct virt_start *out, const struct xen_vcpu_hvm_x86_32 *c)
{
    int err = read_segment(out, SEG_CS, c->cs_base, c->cs_limit, c->cs_ar);

    if (!err)
        err = read_segment(out, SEG_DS, c->ds_base, c->ds_limit, c->ds_ar);
    if (!err)
        err = read_segment(out, SEG_SS, c->ss_base, c->ss_limit, c->ss_ar);
    if (!err)
        err = read_segment(out, SEG_ES, c->es_base, c->es_limit, c->es_ar);
    if (!err)
        err = read_segment(out, SEG_TR, c->tr_base, c->tr_limit, c->tr_ar);
    uint32_t cs = out->segment[SEG_CS].ar, ss = out->segment[SEG_SS].ar;
    if (!err &&
        ((cs ^ ss) & DPL || (ss & DPL && !(c->cr0 & CR0_PE)) || (cs & SEG_AR_L && cs & SEG_AR_DB)))
        err = -EINVAL;
    return err;
}

/* ---- The rest ---- */

static bool is_long(const struct virt_start *s)
{
    return (s->efer & EFER_LME) && (s->cr0 & CR0_PG);
}

/* As MOV to the registers would have it. */
static bool control_fits(const struct virt_start *s)
{
    if (s->efer & ~EFER_ALLOWED || ((s->efer & EFER_LMA) && !is_long(s)))
        return false;
    if (s->cr0 >> 32 || ((s->cr0 & CR0_PG) && !(s->cr0 & CR0_PE)) ||
        ((s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD)))
        return false;
    if (s->cr4 & ~cpu_model_cr4_mask() || s->cr4 & CR4_PCIDE)
        return false;
    if (is_long(s))
        return (s->cr4 & CR4_PAE) && !(s->cr3 >> cpu_model_address_bits());
    return !(s->cr3 >> 32);
}

static int read_32(struct virt_start *out, const struct xen_vcpu_hvm_x86_32 *c)
{
    *out = (struct virt_start){
        .gpr = { [GPR_RAX] = c->eax,
                 [GPR_RCX] = c->ecx,
                 [GPR_RDX] = c->edx,
                 [GPR_RBX] = c->ebx,
                 [GPR_RSP] = c->esp,
                 [GPR_RBP] = c->ebp,
                 [GPR_RSI] = c->esi,
                 [GPR_RDI] = c->edi },
        .rip = c->eip,
        .rflags = c->eflags,
        .cr0 = c->cr0,
        .cr3 = c->cr3,
        .cr4 = c->cr4,
        .efer = c->efer,
    };
    if (c->pad1 || c->pad2[0] || c->pad2[1] || c->pad2[2])
        return -EINVAL;
    int err = read_segments(out, c);
    if (err || c->eip > c->cs_limit || ((out->segment[SEG_CS].ar & SEG_AR_L) && !is_long(out)))
        return -EINVAL;
    return 0;
}

static int read_64(struct virt_start *out, const struct xen_vcpu_hvm_x86_64 *c)
{
    *out = (struct virt_start){
        .gpr = { [GPR_RAX] = c->rax,
                 [GPR_RCX] = c->rcx,
                 [GPR_RDX] = c->rdx,
                 [GPR_RBX] = c->rbx,
                 [GPR_RSP] = c->rsp,
                 [GPR_RBP] = c->rbp,
                 [GPR_RSI] = c->rsi,
                 [GPR_RDI] = c->rdi },
        .rip = c->rip,
        .rflags = c->rflags,
        .cr0 = c->cr0,
        .cr3 = c->cr3,
        .cr4 = c->cr4,
        .efer = c->efer,
    };
    virt_start_flat(out, true, 0, 0);
    out->segment[SEG_TR] = (struct segment){ .limit = 0x67, .ar = SEG_AR_P | TYPE_TSS };
    bool asks_for_it = c->efer & EFER_LMA; /* Xen wants both bits */
    return is_long(out) && asks_for_it && is_canonical(c->rip) ? 0 : -EINVAL;
}

int xen_context_read(const struct xen_vcpu_hvm_context *c, struct virt_start *out)
{
    int err = -EINVAL;

    if (c->pad)
        return -EINVAL;
    if (c->mode == XEN_VCPU_HVM_MODE_32B)
        err = read_32(out, &c->cpu_regs.x86_32);
    if (c->mode == XEN_VCPU_HVM_MODE_64B)
        err = read_64(out, &c->cpu_regs.x86_64);
    if (err || !control_fits(out) || out->rflags & ~RFLAGS_ALLOWED)
        return -EINVAL;
    out->rflags |= RFLAGS_FIXED;
    return 0;
}
