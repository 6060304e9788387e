/*
 * All of a vCPU's state. See virt/state.h.
 * Sources: SDM, "Guest-State Area", "Debug Registers"; APM volume 2, "Debug Resources".
 */
#include "virt/state.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/spec.h"
#include "virt/cr.h"
#include "virt/registers.h"

static const uint32_t number[STATE_MSRS] = {
    [STATE_STAR] = MSR_IA32_STAR,
    [STATE_LSTAR] = MSR_IA32_LSTAR,
    [STATE_CSTAR] = MSR_IA32_CSTAR,
    [STATE_FMASK] = MSR_IA32_FMASK,
    [STATE_KERNEL_GS_BASE] = MSR_IA32_KERNEL_GS_BASE,
    [STATE_TSC_AUX] = MSR_IA32_TSC_AUX,
    [STATE_SYSENTER_CS] = MSR_IA32_SYSENTER_CS,
    [STATE_SYSENTER_ESP] = MSR_IA32_SYSENTER_ESP,
    [STATE_SYSENTER_EIP] = MSR_IA32_SYSENTER_EIP,
    [STATE_PAT] = MSR_IA32_PAT,
    [STATE_DEBUGCTL] = MSR_IA32_DEBUGCTL,
};

/* ---- Out ---- */

static void get_start(const struct virt_vcpu *v, struct virt_start *s)
{
    for (enum gpr n = GPR_RAX; n <= GPR_RDI; n++)
        s->gpr[n] = virt_gpr(v, n);
    s->rip = virt_rip(v);
    s->rflags = virt_rflags(v);
    s->cr0 = virt_cr0(v);
    s->cr3 = virt_cr3(v);
    s->cr4 = virt_cr4(v);
    s->efer = virt_efer(v);
    for (enum seg i = SEG_ES; i < SEG_COUNT; i++)
        virt_segment(v, i, &s->segment[i]);
}

static bool stays_pending(const struct event *e)
{
    return e->valid &&
           (e->type == EVENT_EXTINT || e->type == EVENT_NMI || e->type == EVENT_EXCEPTION);
}

void virt_state_get(struct virt_vcpu *v, struct virt_start *start, struct virt_rest *rest)
{
    struct virt_breakpoints at;

    *rest = (struct virt_rest){ .spec_ctrl = registers_spec_ctrl(v) };
    virt_hidden_get(v, &rest->hidden);
    get_start(v, start);
    for (unsigned i = 0; i < GPR_COUNT - GPR_R8; i++)
        rest->gpr[i] = v->gpr[GPR_R8 + i];
    virt_gdt(v, &rest->gdt);
    virt_breakpoints(v, &at);
    for (unsigned i = 0; i < 4; i++)
        rest->dr[i] = at.at[i];
    for (unsigned i = 0; i < STATE_MSRS; i++)
        if (!virt_msr_read(v, number[i], &rest->msr[i]))
            rest->msr[i] = 0;
    if (stays_pending(&v->pending))
        rest->pending = v->pending;
}

/* ---- In ---- */

/* PCIDs come last: in long mode only, and with CR3's set to 0. */
static int put_start(struct virt_vcpu *v, const struct virt_start *start)
{
    struct virt_start s = *start;

    s.cr4 &= ~CR4_PCIDE;
    int err = virt_start_put(v, &s);
    if (err || s.cr4 == start->cr4)
        return err;
    err = virt_set_cr3(v, start->cr3 & PAGE_MASK);
    if (!err)
        err = virt_set_cr4(v, start->cr4);
    return err ? err : virt_set_cr3(v, start->cr3);
}

static int put_msrs(struct virt_vcpu *v, const uint64_t value[STATE_MSRS])
{
    for (unsigned i = 0; i < STATE_MSRS; i++) {
        int err = virt_msr_write(v, number[i], value[i]);
        if (err && (err != -ENOENT || value[i]))
            return -EINVAL;
    }
    return 0;
}

int virt_state_put(struct virt_vcpu *v, const struct virt_start *start,
                   const struct virt_rest *rest)
{
    static const enum seg others[] = { SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };
    int err = put_start(v, start);

    if (!err)
        err = put_msrs(v, rest->msr);
    if (!err)
        err = registers_put_spec_ctrl(v, rest->spec_ctrl);
    if (err)
        return err;
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        virt_set_segment(v, others[i], &start->segment[others[i]]);
    for (unsigned i = 0; i < GPR_COUNT - GPR_R8; i++)
        v->gpr[GPR_R8 + i] = rest->gpr[i];
    virt_set_gdt(v, rest->gdt.base, (uint16_t)rest->gdt.limit);
    virt_hidden_put(v, &rest->hidden);
    registers_put_breakpoints(v, rest->dr);
    v->pending = rest->pending;
    return 0;
}
