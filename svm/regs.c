/*
 * General registers, segments and descriptor tables, in the VMCB; and stepping over instructions.
 *
 * A segment's attributes are packed in 12 bits there; virt.h has them as VT-x does (struct
 * segment). What the one has and the other lacks: "unusable" is "not present" here.
 */
#include "arch/x86/cpu.h"
#include "lib/assert.h"
#include "svm/cr.h"
#include "svm/event.h"
#include "svm/skip.h"
#include "svm/vcpu.h"
#include "virt/state.h"
#include "virt/virt.h"

uint64_t virt_rsp(const struct virt_vcpu *v)
{
    return vmcb_of(v)->rsp;
}

void virt_set_rsp(struct virt_vcpu *v, uint64_t rsp)
{
    vmcb_of(v)->rsp = rsp;
}

uint64_t virt_rip(const struct virt_vcpu *v)
{
    return vmcb_of(v)->rip;
}

void virt_set_rip(struct virt_vcpu *v, uint64_t rip)
{
    vmcb_of(v)->rip = rip;
}

uint64_t virt_rflags(const struct virt_vcpu *v)
{
    return vmcb_of(v)->rflags;
}

void virt_set_rflags(struct virt_vcpu *v, uint64_t rflags)
{
    const uint64_t reserved = ~0x3F7FD7UL; /* bits 3, 5, 15 and 22 up are zero */

    vmcb_of(v)->rflags = (rflags & ~reserved) | RFLAGS_FIXED;
}

/* ---- Segments ---- */

static struct vmcb_segment *segment_of(const struct virt_vcpu *v, enum seg s)
{
    static const uint8_t places[SEG_COUNT] = {
        [SEG_ES] = VMCB_ES, [SEG_CS] = VMCB_CS, [SEG_SS] = VMCB_SS,     [SEG_DS] = VMCB_DS,
        [SEG_FS] = VMCB_FS, [SEG_GS] = VMCB_GS, [SEG_LDTR] = VMCB_LDTR, [SEG_TR] = VMCB_TR,
    };

    ASSERT(s < SEG_COUNT);
    return &vmcb_of(v)->segment[places[s]];
}

static uint32_t ar_of(uint16_t attr)
{
    uint32_t ar = (attr & 0xFFu) | (attr & 0xF00u) << 4;

    return ar & SEG_AR_P ? ar : ar | SEG_AR_UNUSABLE;
}

static uint16_t attr_of(uint32_t ar)
{
    if (ar & SEG_AR_UNUSABLE)
        return 0;
    return (uint16_t)((ar & 0xFF) | (ar >> 4 & 0xF00));
}

void virt_segment(const struct virt_vcpu *v, enum seg s, struct segment *out)
{
    const struct vmcb_segment *in = segment_of(v, s);

    *out = (struct segment){
        .base = in->base, .limit = in->limit, .ar = ar_of(in->attr), .selector = in->selector
    };
    if (s == SEG_TR)
        out->ar |= 2; /* busy: that is not kept here */
    if (s == SEG_SS)
        out->ar = (out->ar & ~SEG_AR_DPL) | (uint32_t)vmcb_of(v)->cpl << 5;
}

/* The CPL is that of SS, as on VT-x; the processor takes it from a field of its own. */
void virt_set_segment(struct virt_vcpu *v, enum seg s, const struct segment *in)
{
    *segment_of(v, s) = (struct vmcb_segment){
        .base = in->base, .limit = in->limit, .attr = attr_of(in->ar), .selector = in->selector
    };
    if (s == SEG_SS)
        vmcb_of(v)->cpl = in->ar >> 5 & 3;
    vmcb_dirty(vmcb_of(v), CLEAN_SEG);
}

void virt_gdt(const struct virt_vcpu *v, struct segment *out)
{
    const struct vmcb_segment *gdtr = &vmcb_of(v)->segment[VMCB_GDTR];

    *out = (struct segment){ .base = gdtr->base, .limit = gdtr->limit };
}

void virt_set_gdt(struct virt_vcpu *v, uint64_t base, uint16_t limit)
{
    vmcb_of(v)->segment[VMCB_GDTR] = (struct vmcb_segment){ .base = base, .limit = limit };
    vmcb_dirty(vmcb_of(v), CLEAN_DT);
}

cold void virt_hidden_get(struct virt_vcpu *v, struct virt_hidden *out)
{
    const struct vmcb *vmcb = vmcb_of(v);
    const struct vmcb_segment *idtr = &vmcb->segment[VMCB_IDTR];

    event_take_back(v);
    *out = (struct virt_hidden){ .idt = { .base = idtr->base, .limit = idtr->limit },
                                 .cr2 = vmcb->cr2,
                                 .dr6 = vmcb->dr6,
                                 .dr7 = vmcb->dr7 };
}

cold void virt_hidden_put(struct virt_vcpu *v, const struct virt_hidden *in)
{
    struct vmcb *vmcb = vmcb_of(v);

    vmcb->segment[VMCB_IDTR] =
        (struct vmcb_segment){ .base = in->idt.base, .limit = (uint16_t)in->idt.limit };
    vmcb->cr2 = in->cr2;
    vmcb->dr6 = (uint32_t)in->dr6;
    vmcb->dr7 = (uint32_t)in->dr7 | DR7_FIXED;
    vmcb_dirty(vmcb, CLEAN_DT | CLEAN_CR2 | CLEAN_DRX);
}

unsigned virt_cpl(const struct virt_vcpu *v)
{
    return vmcb_of(v)->cpl;
}

static inline void read_mode(const struct vmcb *vmcb, struct virt_mode *m)
{
    m->cr0 = vmcb->cr0;
    m->cr3 = vmcb->cr3;
    m->cr4 = vmcb->cr4;
    m->efer = vmcb->efer;
    m->cs_ar = ar_of(vmcb->segment[VMCB_CS].attr);
    m->ss_ar = (uint32_t)vmcb->cpl << 5;
}

void virt_mode(const struct virt_vcpu *v, struct virt_mode *m)
{
    read_mode(vmcb_of(v), m);
}

uint64_t virt_mode_and_rip(const struct virt_vcpu *v, struct virt_mode *m)
{
    read_mode(vmcb_of(v), m);
    return vmcb_of(v)->rip;
}

/* ---- Stepping over an instruction ---- */

/* IP running over 0xFFFF is the segment limit's affair: the next fetch raises #GP there, as on
 * hardware. */
uint64_t svm_skip_wrapped(const struct vmcb *vmcb, uint64_t rip)
{
    return cr_in_64bit_code(vmcb) ? rip : (uint32_t)rip;
}

void svm_skip_flags(struct svm_vcpu *s)
{
    s->vmcb->rflags &= ~RFLAGS_RF;
    if (s->vmcb->rflags & RFLAGS_TF)
        s->step_due = true;
}

void virt_skip(struct virt_vcpu *v)
{
    skip_insn(v);
}

void virt_skip_len(struct virt_vcpu *v, uint64_t len)
{
    skip_to(svm_of(v), vmcb_of(v)->rip + len);
}

/* Without decode assists the exit may say nothing of these; the instruction has been looked at then
 * (exit.c). */
struct virt_io_string virt_io_string(const struct virt_vcpu *v, struct virt_io io)
{
    const struct svm_vcpu *s = svm_of(v);
    uint32_t info = (uint32_t)s->vmcb->exit_info1;

    if (s->insn.length)
        return (struct virt_io_string){
            .addr_size = s->insn.addr_size,
            .seg = io.in ? SEG_ES : (enum seg)s->insn.segment,
        };
    return (struct virt_io_string){
        .addr_size = (uint8_t)((info >> IOIO_ADDR_SHIFT & 7) << 1),
        .seg = io.in ? SEG_ES : (enum seg)(info >> IOIO_SEG_SHIFT & 7),
    };
}

void virt_set_tsc_offset(struct virt_vcpu *v, uint64_t offset)
{
    vmcb_of(v)->tsc_offset = offset;
    vmcb_dirty(vmcb_of(v), CLEAN_INTERCEPTS);
}
