/*
 * General registers, segments and descriptor tables of the loaded vCPU.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "vmx/exit.h"
#include "vmx/skip.h"
#include "vmx/vmcs.h"
#include "virt/state.h"
#include "virt/virt.h"

uint64_t virt_rsp(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_RSP);
}

void virt_set_rsp(struct virt_vcpu *v, uint64_t rsp)
{
    (void)v;
    vmcs_write(VMCS_G_RSP, rsp);
}

uint64_t virt_rip(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_RIP);
}

void virt_set_rip(struct virt_vcpu *v, uint64_t rip)
{
    (void)v;
    vmcs_write(VMCS_G_RIP, rip);
}

uint64_t virt_rflags(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_RFLAGS);
}

void virt_set_rflags(struct virt_vcpu *v, uint64_t rflags)
{
    const uint64_t reserved = ~0x3F7FD7UL; /* bits 3, 5, 15 and 22 up are zero */
    (void)v;
    vmcs_write(VMCS_G_RFLAGS, (rflags & ~reserved) | RFLAGS_FIXED);
}

void virt_segment(const struct virt_vcpu *v, enum seg s, struct segment *out)
{
    (void)v;
    ASSERT(s < SEG_COUNT);
    *out = (struct segment){
        .base = vmcs_read(vmcs_nth(VMCS_G_ES_BASE, s)),
        .limit = vmcs_read(vmcs_nth(VMCS_G_ES_LIMIT, s)),
        .ar = vmcs_read(vmcs_nth(VMCS_G_ES_AR, s)),
        .selector = vmcs_read(vmcs_nth(VMCS_G_ES_SEL, s)),
    };
}

void virt_set_segment(struct virt_vcpu *v, enum seg s, const struct segment *in)
{
    (void)v;
    ASSERT(s < SEG_COUNT);
    vmcs_write(vmcs_nth(VMCS_G_ES_BASE, s), in->base);
    vmcs_write(vmcs_nth(VMCS_G_ES_LIMIT, s), in->limit);
    vmcs_write(vmcs_nth(VMCS_G_ES_AR, s), in->ar);
    vmcs_write(vmcs_nth(VMCS_G_ES_SEL, s), in->selector);
}

void virt_gdt(const struct virt_vcpu *v, struct segment *out)
{
    (void)v;
    *out = (struct segment){ .base = vmcs_read(VMCS_G_GDTR_BASE),
                             .limit = (uint32_t)vmcs_read(VMCS_G_GDTR_LIMIT) };
}

void virt_set_gdt(struct virt_vcpu *v, uint64_t base, uint16_t limit)
{
    (void)v;
    vmcs_write(VMCS_G_GDTR_BASE, base);
    vmcs_write(VMCS_G_GDTR_LIMIT, limit);
}

cold void virt_hidden_get(struct virt_vcpu *v, struct virt_hidden *out)
{
    (void)v;
    *out = (struct virt_hidden){
        .idt = { .base = vmcs_read(VMCS_G_IDTR_BASE),
                 .limit = (uint32_t)vmcs_read(VMCS_G_IDTR_LIMIT) },
        .cr2 = read_cr2(),
        .dr6 = read_dr6(),
        .dr7 = vmcs_read(VMCS_G_DR7),
    };
}

/* MOV to DR6 faults if an upper bit is set; those of the lower ones that are fixed stay so. */
cold void virt_hidden_put(struct virt_vcpu *v, const struct virt_hidden *in)
{
    vmcs_write(VMCS_G_IDTR_BASE, in->idt.base);
    vmcs_write(VMCS_G_IDTR_LIMIT, (uint16_t)in->idt.limit);
    vmcs_write(VMCS_G_DR7, (uint32_t)in->dr7 | DR7_FIXED);
    v->cr2 = in->cr2;
    v->dr6 = (uint32_t)in->dr6;
    write_cr2(v->cr2);
    write_dr6(v->dr6);
}

/* The CPU itself takes the CPL from there (SDM, "Guest Register State"). */
unsigned virt_cpl(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_SS_AR) >> 5 & 3;
}

static inline void read_mode(struct virt_mode *m)
{
    m->cr0 = vmcs_read(VMCS_G_CR0);
    m->cr3 = vmcs_read(VMCS_G_CR3);
    m->cr4 = vmcs_read(VMCS_G_CR4);
    m->efer = vmcs_read(VMCS_G_EFER);
    m->cs_ar = (uint32_t)vmcs_read(VMCS_G_CS_AR);
    m->ss_ar = (uint32_t)vmcs_read(VMCS_G_SS_AR);
}

void virt_mode(const struct virt_vcpu *v, struct virt_mode *m)
{
    (void)v;
    read_mode(m);
}

uint64_t virt_mode_and_rip(const struct virt_vcpu *v, struct virt_mode *m)
{
    (void)v;
    read_mode(m);
    return vmcs_read(VMCS_G_RIP);
}

/* SDM, "VM-Exit Instruction Information as Used for INS and OUTS". */
struct virt_io_string virt_io_string(const struct virt_vcpu *v, struct virt_io io)
{
    (void)v;
    uint32_t info = (uint32_t)vmcs_read(VMCS_EXIT_INSN_INFO);
    return (struct virt_io_string){
        .addr_size = (uint8_t)(2u << (info >> 7 & 3)),
        .seg = io.in ? SEG_ES : (enum seg)(info >> 15 & 7),
    };
}

/* Of VMMCALL, which is #UD here, no length is told. */
void virt_skip(struct virt_vcpu *v)
{
    if (unlikely(v->exit.kind == VIRT_EXIT_HYPERCALL_OTHER) &&
        (uint16_t)vmcs_read(VMCS_EXIT_REASON) == REASON_EXCEPTION)
        skip_bytes(VMMCALL_BYTES);
    else
        skip_insn(v);
}

void virt_skip_len(struct virt_vcpu *v, uint64_t len)
{
    (void)v;
    skip_bytes(len);
}

void virt_set_tsc_offset(struct virt_vcpu *v, uint64_t offset)
{
    (void)v;
    vmcs_write(VMCS_TSC_OFFSET, offset);
}
