/*
 * Events on their way into the guest: into EVENTINJ, out of EXITINTINFO, and the windows for them.
 *
 * An interrupt has its window by a virtual interrupt (V_IRQ) whose taking is intercepted. NMIs have
 * neither a mask nor a window here: while the guest handles one its IRET is intercepted, and the
 * next may come once that has been executed.
 * Sources: APM volume 2, "Event Injection", "Virtual Interrupts", "EXITINTINFO Pseudo-Code",
 * "NMI Support".
 */
#include "svm/event.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/tsc.h"
#include "svm/apic.h"
#include "lib/likely.h"
#include "svm/caps.h"
#include "svm/vcpu.h"
#include "virt/virt.h"

#define IRETS_PER_SECOND 50000 /* how soon it is looked again whether one has been executed */

/* Loaded or not, the guest's CR2 is in the VMCB while it does not run. */
bool virt_inject_pf(struct virt_vcpu *v, gva_t address, uint32_t error)
{
    vmcb_of(v)->cr2 = address.v;
    vmcb_dirty(vmcb_of(v), CLEAN_CR2);
    return virt_inject_with(v, VECTOR_PF, error);
}

/* ---- Windows ---- */

void event_irq_window(struct svm_vcpu *s, bool want)
{
    struct vmcb *vmcb = s->vmcb;

    if (!(vmcb->vintr & VINT_IRQ) == !want)
        return;
    vmcb->vintr = want ? vmcb->vintr | VINT_REQUEST : vmcb->vintr & ~VINT_REQUEST;
    vmcb_intercept(vmcb, ICPT_VINTR, want);
    vmcb_dirty(vmcb, CLEAN_TPR);
}

void virt_want_irq_window(struct virt_vcpu *v, bool want)
{
    event_irq_window(svm_of(v), want);
}

bool virt_event_pending(const struct virt_vcpu *v)
{
    return v->pending.valid || svm_of(v)->step_due;
}

/* The one that ends NMI blocking has been executed, which is told by RIP: it may fault before. */
static bool iret_is_over(const struct svm_vcpu *s)
{
    return s->iret_due && s->vmcb->rip != s->iret_rip;
}

/* An NMI that waits for no more than the end of a shadow, or for an IRET that is over, goes before
 * interrupts; but not before those that come in with the IRET still to be executed: V_IRQ would
 * exit before that, again and again. */
static bool nmi_is_next(const struct virt_vcpu *v)
{
    const struct svm_vcpu *s = svm_of(v);

    return unlikely(v->nmis_waiting) && (!s->nmi_blocked || iret_is_over(s));
}

/* A step that is due comes first, an NMI next. */
bool virt_irq_open(const struct virt_vcpu *v)
{
    const struct vmcb *vmcb = vmcb_of(v);

    return !virt_event_pending(v) && (vmcb->rflags & RFLAGS_IF) &&
           !(vmcb->int_state & SHADOW_ACTIVE) && !nmi_is_next(v);
}

/* ---- NMIs ---- */

static void block_nmis(struct svm_vcpu *s)
{
    s->nmi_blocked = true;
    s->iret_due = false;
    vmcb_intercept(s->vmcb, ICPT_IRET, true);
}

void event_iret(struct svm_vcpu *s)
{
    vmcb_intercept(s->vmcb, ICPT_IRET, false);
    s->iret_due = true;
    s->iret_rip = s->vmcb->rip;
}

static bool nmis_are_blocked(struct svm_vcpu *s)
{
    if (iret_is_over(s))
        s->nmi_blocked = s->iret_due = false;
    return s->nmi_blocked;
}

/* APM volume 2, "Task Switches". */
void virt_task_switched(struct virt_vcpu *v, const struct virt_task *t)
{
    struct svm_vcpu *s = svm_of(v);

    s->vmcb->int_state = 0;
    s->step_due = false;
    s->vmcb->dr7 &= ~DR7_LOCAL;
    vmcb_dirty(s->vmcb, CLEAN_DRX);
    if (t->event.valid && t->event.type == EVENT_NMI)
        block_nmis(s);
    if (t->by != TASK_IRET)
        return;
    s->nmi_blocked = s->iret_due = false;
    vmcb_intercept(s->vmcb, ICPT_IRET, false);
}

/* If only an IRET is in the way, or a shadow, no exit tells when it is over: the machine's timer
 * does. (It is set again for the next stay in the guest.) */
static void queue_waiting_nmi(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    if (nmis_are_blocked(s)) {
        __atomic_store_n(&v->nmis_waiting, 1, __ATOMIC_RELAXED);
        if (s->iret_due)
            lapic_timer_set(rdtsc() + tsc_hz / IRETS_PER_SECOND);
        return;
    }
    if (virt_event_pending(v) || (s->vmcb->int_state & SHADOW_ACTIVE)) {
        lapic_timer_set(rdtsc() + tsc_hz / IRETS_PER_SECOND);
        return;
    }
    __atomic_fetch_sub(&v->nmis_waiting, 1, __ATOMIC_SEQ_CST);
    v->pending = (struct event){ .valid = true, .vector = VECTOR_NMI, .type = EVENT_NMI };
    block_nmis(s);
}

/* ---- Into the VMCB ---- */

/* Fault-class exceptions are pushed with RF set, so that the instruction can be restarted over a
 * breakpoint on it (APM, "RFLAGS Register", RF). */
static bool sets_rf(const struct event *e)
{
    return e->type == EVENT_EXCEPTION && e->vector != VECTOR_DB && e->vector != VECTOR_DF &&
           e->vector != VECTOR_MC;
}

/* INT3 and INTO are exceptions like others here. */
static unsigned type_of(const struct event *e)
{
    return e->type == EVENT_SOFT_EXC || e->type == EVENT_PRIV_SOFT_EXC ? EVENT_EXCEPTION : e->type;
}

static void write_event(struct vmcb *vmcb, const struct event *e)
{
    uint64_t info = EVENT_VALID | type_of(e) << EVENT_TYPE_SHIFT | e->vector;

    /* Real mode pushes no error codes. */
    if (e->has_error && (vmcb->cr0 & CR0_PE))
        info |= EVENT_HAS_ERROR | (uint64_t)e->error << EVENT_ERROR_SHIFT;
    if (sets_rf(e))
        vmcb->rflags |= RFLAGS_RF;
    vmcb->event_inj = info;
}

/* QEMU notes what it delivers for EVENTINJ, and delivers an interrupt once more, whatever IF says,
 * if its thread is called away before the next exit (docs/qemu.md). What V_IRQ asks for it takes
 * once. So an interrupt goes that way where there is no next RIP, unless V_IRQ is a window's. */
static bool goes_by_virq(const struct vmcb *vmcb, const struct event *e)
{
    return e->type == EVENT_EXTINT && !svm_has(FEATURE_NEXT_RIP) && !(vmcb->vintr & VINT_IRQ);
}

static void write_virq(struct vmcb *vmcb, uint8_t vector)
{
    vmcb->vintr = VINT_MASKING | VINT_REQUEST | (uint64_t)vector << VINT_VECTOR_SHIFT;
    vmcb_dirty(vmcb, CLEAN_TPR);
}

/* A window's has its intercept. */
static bool has_virq(const struct vmcb *vmcb)
{
    return (vmcb->vintr & VINT_IRQ) && !(vmcb->intercepts[ICPT_VINTR / 32] >> ICPT_VINTR % 32 & 1);
}

void event_take_back(struct virt_vcpu *v)
{
    struct vmcb *vmcb = vmcb_of(v);

    if (!has_virq(vmcb) || v->pending.valid)
        return;
    v->pending = (struct event){ .valid = true,
                                 .type = EVENT_EXTINT,
                                 .vector = (uint8_t)(vmcb->vintr >> VINT_VECTOR_SHIFT) };
    vmcb->vintr = VINT_MASKING;
    vmcb_dirty(vmcb, CLEAN_TPR);
}

static const struct event debug_exception = { .valid = true,
                                              .vector = VECTOR_DB,
                                              .type = EVENT_EXCEPTION };

/* The step over an instruction that was carried out: #DB, as the CPU would have raised it. */
static void queue_step(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    if (v->pending.valid)
        return;
    s->step_due = false;
    s->vmcb->dr6 |= DR6_BS;
    vmcb_dirty(s->vmcb, CLEAN_DRX);
    v->pending = debug_exception;
}

uint64_t virt_dr7(const struct virt_vcpu *v)
{
    return vmcb_of(v)->dr7;
}

void virt_watch_dr7(struct virt_vcpu *v, bool watch)
{
    vmcb_intercept(vmcb_of(v), ICPT_DR_WRITE + 7, watch);
}

/* DR6 and DR7 as the CPU leaves them: it says which breakpoints of the last instruction it was, and
 * the handler may use the registers. */
void virt_debug_trap(struct virt_vcpu *v, uint32_t met)
{
    struct vmcb *vmcb = vmcb_of(v);

    vmcb->dr6 = (vmcb->dr6 & ~DR6_BREAKPOINTS) | met;
    vmcb->dr7 &= ~DR7_GD;
    vmcb_dirty(vmcb, CLEAN_DRX);
    if (svm_of(v)->step_due)
        queue_step(v);
    else
        v->pending = debug_exception;
}

/* What is rare, or AVIC's. */
static __attribute__((noinline)) void prepare_more(struct virt_vcpu *v)
{
    if (svm_of(v)->step_due)
        queue_step(v);
    if (svm_of(v)->avic)
        svm_apic_prepare(v);
}

/* An NMI that comes meanwhile is left to the next entry: AVIC may be off for this one, since none
 * was there. Whoever sends it has this pCPU exit. */
void svm_event_prepare(struct virt_vcpu *v)
{
    bool nmi = __atomic_load_n(&v->nmis_waiting, __ATOMIC_RELAXED);

    if (svm_of(v)->at_entry)
        prepare_more(v);
    if (nmi)
        queue_waiting_nmi(v);
    if (v->pending.valid && goes_by_virq(vmcb_of(v), &v->pending))
        write_virq(vmcb_of(v), v->pending.vector);
    else if (v->pending.valid)
        write_event(vmcb_of(v), &v->pending);
    v->pending.valid = false; /* hardware takes it; EXITINTINFO has it if that came to nothing */
}

/* ---- Out of the VMCB ---- */

/* INT n, INT3 and INTO are executed again, for RIP is still at them: nothing is to be kept. An NMI
 * whose delivery was cut short has blocked nothing yet. */
void svm_event_keep_interrupted(struct virt_vcpu *v)
{
    const struct vmcb *vmcb = vmcb_of(v);
    struct event e = event_decode(vmcb->exit_int_info);

    if (has_virq(vmcb) && e.vector == (uint8_t)(vmcb->vintr >> VINT_VECTOR_SHIFT))
        event_take_back(v); /* QEMU tells it as an exception */
    else if (!event_is_soft(&e))
        v->pending = e;
}
