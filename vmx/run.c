/*
 * Entering the guest and coming back.
 *
 * The preemption timer bounds every stay in the guest: at the caller's deadline, and for a guest
 * with IF=0 shortly after the machine's interrupts last had their moment, since an interrupt may
 * then not cause an exit on every CPU (and emulator) that Caisson meets.
 * Sources: SDM, "VM Entries", "VM Exits", "VMX-Preemption Timer".
 */
#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "vmx/check.h"
#include "vmx/controls.h"
#include "vmx/debug.h"
#include "vmx/event.h"
#include "vmx/exit.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"

#define DEAF_PER_SECOND 5000 /* a guest with IF=0 runs at most 200 us at a time */

/* switch.asm; it knows that the registers come first. */
int vmx_enter(struct vmx_vcpu *v, bool launched);
_Static_assert(offsetof(struct vmx_vcpu, gpr) == 0, "switch.asm");
_Static_assert(GPR_RSP == 4 && GPR_R15 == 15 && VMCS_H_RSP == 0x6C14, "switch.asm");

static void let_irqs_in(struct vmx_vcpu *v)
{
    irq_let_in();
    v->irqs_let_in = rdtsc();
}

/* Sets the timer; false if there is no time left at all. */
static bool arm_timer(const struct vmx_vcpu *v, uint64_t deadline)
{
    uint64_t now = rdtsc();
    if (!(vmcs_read(VMCS_G_RFLAGS) & RFLAGS_IF)) {
        uint64_t bound = v->irqs_let_in + tsc_hz / DEAF_PER_SECOND;
        deadline = bound < deadline ? bound : deadline;
    }
    if (now >= deadline)
        return false;
    if (!vmx_caps.preemption_timer)
        return true;
    uint64_t ticks = (deadline - now) >> vmx_caps.preemption_shift;
    vmcs_write(VMCS_PREEMPTION_TIMER, ticks > UINT32_MAX ? UINT32_MAX : ticks);
    return true;
}

static enum vmx_exit_kind host_or_deadline(uint64_t deadline)
{
    return rdtsc() >= deadline ? VMX_EXIT_DEADLINE : VMX_EXIT_HOST;
}

/* ---- Entries that fail ---- */

enum insn_error { ERROR_CONTROLS = 7, ERROR_HOST = 8 };

/* VMfail: nothing of the guest was loaded. */
static const char *why_instruction_failed(void)
{
    const char *why = NULL;
    uint64_t error = vmcs_read(VMCS_INSN_ERROR);
    if (error == ERROR_CONTROLS)
        why = check_controls();
    if (error == ERROR_HOST)
        why = check_host();
    return why ? why : "VMLAUNCH or VMRESUME failed; no rule on controls or host state is broken";
}

static const char *why_guest_failed(uint32_t reason)
{
    static const char *const other[] = { [34 - 33] = "loading MSRs at VM entry",
                                         [41 - 33] = "machine check during VM entry" };
    uint32_t basic = reason & 0xFFFF;
    if (basic > 33 && basic <= 41 && other[basic - 33])
        return other[basic - 33];
    const char *why = check_guest();
    return why ? why : "guest state was refused; no rule that is checked in software is broken";
}

static void entry_failed(struct vmx_exit *x, uint32_t reason, const char *why)
{
    x->kind = VMX_EXIT_ENTRY_FAILED;
    x->raw_reason = reason;
    x->qualification = 0;
    x->why = why;
}

/* ---- Exits that are settled here ---- */

/* #DB and #AC go back to the guest. */
static void reflect_exception(struct vmx_vcpu *v, struct vmx_exit *x)
{
    bool is_db = x->exception.vector == VECTOR_DB;
    if (!is_db && x->exception.vector != VECTOR_AC)
        return;
    if (is_db && x->exception.type == EVENT_EXCEPTION) {
        debug_before_db(x->qualification);
        debug_sync_pending();
    }
    x->kind = vmx_inject(v, &x->exception) ? VMX_EXIT_HOST : VMX_EXIT_TRIPLE_FAULT;
}

static void settle_host(struct vmx_vcpu *v, struct vmx_exit *x, uint64_t deadline)
{
    uint32_t reason = x->raw_reason;
    if (reason == REASON_EXCEPTION && x->exception.type == EVENT_NMI)
        raise_nmi(); /* its IRET ends the blocking that came with the exit */
    else if (reason == REASON_EXCEPTION && x->exception.vector == VECTOR_MC)
        raise_mc();
    let_irqs_in(v);
    x->kind = host_or_deadline(deadline);
}

static void settle(struct vmx_vcpu *v, struct vmx_exit *x, uint64_t deadline)
{
    if (x->kind == VMX_EXIT_EXCEPTION)
        reflect_exception(v, x);
    if (x->kind == VMX_EXIT_HOST)
        settle_host(v, x, deadline);
    else if (x->kind == VMX_EXIT_IRQ_WINDOW)
        event_window(v, PROC_IRQ_WINDOW, false);
    else if (x->kind == VMX_EXIT_NMI_WINDOW)
        event_window(v, PROC_NMI_WINDOW, false);
}

enum vmx_exit_kind vmx_run(struct vmx_vcpu *v, uint64_t deadline, struct vmx_exit *x)
{
    ASSERT(v->loaded && v->pcpu == cpu_id());
    if (!arm_timer(v, deadline)) {
        let_irqs_in(v);
        x->raw_reason = REASON_TIMER;
        return x->kind = host_or_deadline(deadline);
    }
    if (v->pending.valid || v->nmi_waiting)
        event_prepare(v);
    int failed = vmx_enter(v, v->launched);
    v->exits++;
    if (failed) {
        entry_failed(x, 0, why_instruction_failed());
        return x->kind;
    }
    uint32_t reason = vmcs_read(VMCS_EXIT_REASON);
    if (reason & REASON_ENTRY_FAILED) {
        entry_failed(x, reason, why_guest_failed(reason));
        return x->kind;
    }
    v->launched = true;
    event_collect(v);
    exit_decode(reason, x);
    settle(v, x, deadline);
    return x->kind;
}
