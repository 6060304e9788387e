/*
 * Events on their way into the guest: exceptions, interrupts, NMIs, and the windows for them,
 * into the VMCS and out of it. How they are merged is in virt/event.c.
 * Sources: SDM, "Event Injection", "Information for VM Exits During Event Delivery".
 */
#include "vmx/event.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "vmx/controls.h"
#include "vmx/exit.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

bool virt_inject_pf(struct virt_vcpu *v, gva_t address, uint32_t error)
{
    write_cr2(address.v); /* loaded, so CR2 is the guest's */
    return virt_inject_with(v, VECTOR_PF, error);
}

/* ---- Windows ---- */

void event_window(struct virt_vcpu *v, uint32_t window, bool want)
{
    struct vmx_vcpu *x = vmx_of(v);
    uint32_t ctls = want ? x->proc_ctls | window : x->proc_ctls & ~window;
    if (ctls == x->proc_ctls)
        return;
    x->proc_ctls = ctls;
    vmcs_write(VMCS_PROC_CTLS, ctls);
}

/* A single step or breakpoint that the end of an instruction left behind. The entry delivers it by
 * itself, unless it is given an event to inject: that would make the CPU forget it (SDM, "Delivery
 * of Pending Debug Exceptions after VM Entry"). */
static bool debug_pending(void)
{
    return vmcs_read(VMCS_G_PENDING_DEBUG) & (PENDING_DEBUG_BS | PENDING_DEBUG_ENABLED_BP);
}

bool virt_event_pending(const struct virt_vcpu *v)
{
    return v->pending.valid || debug_pending();
}

bool virt_irq_open(const struct virt_vcpu *v)
{
    uint64_t rflags = vmcs_read(VMCS_G_RFLAGS);
    if (v->pending.valid || !(rflags & RFLAGS_IF))
        return false;
    if ((rflags & RFLAGS_TF) && debug_pending())
        return false; /* the step comes first (SDM, "Prioritization of Concurrent Events") */
    return !(vmcs_read(VMCS_G_INTERRUPTIBILITY) & (SHADOW_STI | SHADOW_MOV_SS));
}

void virt_want_irq_window(struct virt_vcpu *v, bool want)
{
    event_window(v, PROC_IRQ_WINDOW, want);
}

/* ---- Into the VMCS ---- */

static void queue_waiting_nmi(struct virt_vcpu *v)
{
    uint64_t state = vmcs_read(VMCS_G_INTERRUPTIBILITY);
    if (state & BLOCKED_NMI)
        __atomic_store_n(&v->nmis_waiting, 1, __ATOMIC_RELAXED);
    if (v->pending.valid || debug_pending() ||
        (state & (SHADOW_STI | SHADOW_MOV_SS | BLOCKED_NMI))) {
        event_window(v, PROC_NMI_WINDOW, true);
        return;
    }
    bool more = __atomic_sub_fetch(&v->nmis_waiting, 1, __ATOMIC_SEQ_CST) > 0;
    event_window(v, PROC_NMI_WINDOW, more);
    v->pending = (struct event){ .valid = true, .vector = VECTOR_NMI, .type = EVENT_NMI };
}

static bool is_soft(const struct event *e)
{
    return e->type == EVENT_SOFT_INT || e->type == EVENT_SOFT_EXC || e->type == EVENT_PRIV_SOFT_EXC;
}

/* Fault-class exceptions are pushed with RF set, so that the instruction can be restarted over a
 * breakpoint on it (SDM, "Resume Flag"). */
static bool sets_rf(const struct event *e)
{
    return e->type == EVENT_EXCEPTION && e->vector != VECTOR_DB && e->vector != VECTOR_DF &&
           e->vector != VECTOR_MC;
}

static void write_event(const struct event *e)
{
    uint32_t info = EVENT_VALID | (uint32_t)e->type << 8 | e->vector;
    /* Real mode pushes no error codes (SDM, "VM-Entry Control Fields", checks). */
    if (e->has_error && (vmcs_read(VMCS_G_CR0) & CR0_PE)) {
        info |= EVENT_HAS_ERROR;
        vmcs_write(VMCS_ENTRY_EVENT_ERROR, e->error);
    }
    if (is_soft(e))
        vmcs_write(VMCS_ENTRY_INSN_LEN, e->insn_len);
    if (sets_rf(e))
        vmcs_write(VMCS_G_RFLAGS, vmcs_read(VMCS_G_RFLAGS) | RFLAGS_RF);
    vmcs_write(VMCS_ENTRY_EVENT, info);
}

void event_prepare(struct virt_vcpu *v)
{
    if (v->nmis_waiting)
        queue_waiting_nmi(v);
    if (v->pending.valid)
        write_event(&v->pending);
    v->pending.valid =
        false; /* hardware takes it; event_collect() has it if that came to nothing */
}

/* ---- Out of the VMCS ---- */

struct event event_decode(uint32_t info, uint32_t error)
{
    return (struct event){
        .valid = info & EVENT_VALID,
        .has_error = info & EVENT_HAS_ERROR,
        .vector = EVENT_VECTOR(info),
        .type = (enum event_type)EVENT_TYPE(info),
        .error = info & EVENT_HAS_ERROR ? error : 0,
    };
}

static void set_nmi_blocking(bool blocked)
{
    uint64_t state = vmcs_read(VMCS_G_INTERRUPTIBILITY);
    vmcs_write(VMCS_G_INTERRUPTIBILITY,
               blocked ? state | BLOCKED_NMI : state & ~(uint64_t)BLOCKED_NMI);
}

/* SDM, "Debug Control Register (DR7)"; "Task Switching". */
void virt_task_switched(struct virt_vcpu *v, const struct virt_task *t)
{
    uint64_t state = vmcs_read(VMCS_G_INTERRUPTIBILITY);
    (void)v;
    vmcs_write(VMCS_G_INTERRUPTIBILITY, state & ~(uint64_t)(SHADOW_STI | SHADOW_MOV_SS));
    vmcs_write(VMCS_G_PENDING_DEBUG, 0);
    vmcs_write(VMCS_G_DR7, vmcs_read(VMCS_G_DR7) & ~DR7_LOCAL);
    if (t->by == TASK_IRET)
        set_nmi_blocking(false);
    else if (t->event.valid && t->event.type == EVENT_NMI)
        set_nmi_blocking(true);
}

/* An IRET that faulted had already ended NMI blocking, and will be executed again (SDM,
 * "Information for VM Exits Due to Vectored Events", bit 12; EPT violations: qualification). */
cold void event_restore_nmi_blocking(uint32_t reason)
{
    if (reason == REASON_EPT_VIOLATION) { /* event_collect() has looked */
        set_nmi_blocking(true);
        return;
    }
    uint32_t info = vmcs_read(VMCS_EXIT_EVENT);
    bool df = EVENT_TYPE(info) == EVENT_EXCEPTION && EVENT_VECTOR(info) == VECTOR_DF;
    if ((info & EVENT_VALID) && (info & EVENT_NMI_UNBLOCKING) && !df)
        set_nmi_blocking(true);
}

void event_keep_interrupted(struct virt_vcpu *v, uint32_t info)
{
    v->pending = event_decode(info, vmcs_read(VMCS_IDT_EVENT_ERROR));
    if (is_soft(&v->pending))
        v->pending.insn_len = vmcs_read(VMCS_EXIT_INSN_LEN);
    if (v->pending.type == EVENT_NMI)
        set_nmi_blocking(false); /* its delivery had set it, and will again */
}
