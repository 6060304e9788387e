/*
 * What is rare in entering the guest and coming back. See vmx/run.h.
 */
#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/desc.h"
#include "arch/x86/irq.h"
#include "arch/x86/mce.h"
#include "arch/x86/msr.h"
#include "arch/x86/spec.h"
#include "arch/x86/tsc.h"
#include "lib/likely.h"
#include "lib/string.h"
#include "vmx/check.h"
#include "vmx/controls.h"
#include "vmx/debug.h"
#include "vmx/event.h"
#include "vmx/exit.h"
#include "vmx/run.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

#define DEAF_PER_SECOND 5000 /* a guest with IF=0 runs at most 200 us at a time; */
#define DEAF_LEAST      5000 /* or so many ticks, of which the way back to it takes some */

/* switch.asm knows that the registers come first, and what follows them. */
_Static_assert(offsetof(struct virt_vcpu, gpr) == 0, "switch.asm");
_Static_assert(offsetof(struct virt_vcpu, straight) == 128, "switch.asm");
_Static_assert(offsetof(struct virt_vcpu, launched) == 129, "switch.asm");
_Static_assert(SEL_DATA == 0x10, "switch.asm");
_Static_assert(GPR_RSP == 4 && GPR_R15 == 15 && VMCS_H_RSP == 0x6C14, "switch.asm");

void virt_irqs_served(struct virt_vcpu *v)
{
    uint64_t ticks = tsc_hz / DEAF_PER_SECOND;

    vmx_of(v)->irqs_unserved_until = rdtsc() + (ticks < DEAF_LEAST ? DEAF_LEAST : ticks);
}

static void let_irqs_in(struct virt_vcpu *v)
{
    irq_let_in();
    virt_irqs_served(v);
}

static enum virt_exit_kind host_or_deadline(uint64_t deadline)
{
    return rdtsc() >= deadline ? VIRT_EXIT_DEADLINE : VIRT_EXIT_HOST;
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
                                         [REASON_ENTRY_MC - 33] = "machine check during VM entry" };
    uint32_t basic = reason & 0xFFFF;
    if (basic > 33 && basic <= 41 && other[basic - 33])
        return other[basic - 33];
    const char *why = check_guest();
    return why ? why : "guest state was refused; no rule that is checked in software is broken";
}

static void entry_failed(struct virt_exit *x, uint32_t reason, const char *why)
{
    x->kind = VIRT_EXIT_ENTRY_FAILED;
    x->raw_reason = reason;
    x->why = why;
}

cold void run_not_entered(struct virt_exit *x)
{
    x->left = rdtsc();
    if (spec_switch.ctrl) /* the guest's was loaded all the same */
        wrmsr(MSR_IA32_SPEC_CTRL, spec_switch.ctrl);
    entry_failed(x, 0, why_instruction_failed());
}

cold enum exit_decoded run_odd_exit(struct virt_vcpu *v, uint32_t reason, struct virt_exit *x)
{
    reason &= ~REASON_WITH_BUS_LOCK;
    enum exit_decoded how = exit_decode(v, reason, x);
    if (how != EXIT_ODD)
        return how;
    x->raw_reason = reason;
    x->kind = reason == REASON_BUS_LOCK ? VIRT_EXIT_BUS_LOCK : VIRT_EXIT_UNKNOWN;
    if (!(reason & REASON_ENTRY_FAILED))
        return EXIT_SETTLED;
    if ((reason & 0xFFFF) == REASON_ENTRY_MC)
        raise_mc();
    entry_failed(x, reason, why_guest_failed(reason));
    return EXIT_SETTLED;
}

/* ---- Exits that are settled here ---- */

/* VMMCALL, the other maker's hypercall instruction, as compilers write it: without prefixes. */
static bool is_vmmcall(struct virt_vcpu *v)
{
    static const uint8_t vmmcall[VMMCALL_BYTES] = { 0x0F, 0x01, 0xD9 };
    uint8_t bytes[15];
    return virt_fetch(v, bytes) >= VMMCALL_BYTES && memcmp(bytes, vmmcall, VMMCALL_BYTES) == 0;
}

/* #DB and #AC go back to the guest; #UD too, unless it is a hypercall. */
static void settle_exception(struct virt_vcpu *v, struct virt_exit *x)
{
    bool is_db = x->exception.vector == VECTOR_DB, is_ud = x->exception.vector == VECTOR_UD;
    if (!is_db && !is_ud && x->exception.vector != VECTOR_AC)
        return;
    if (is_ud && !v->pending.valid && is_vmmcall(v)) {
        x->kind = VIRT_EXIT_HYPERCALL_OTHER;
        return;
    }
    if (is_db && x->exception.type == EVENT_EXCEPTION) {
        debug_before_db(vmcs_read(VMCS_EXIT_QUALIFICATION));
        debug_sync_pending();
    }
    x->kind = virt_inject(v, &x->exception) ? VIRT_EXIT_HOST : VIRT_EXIT_TRIPLE_FAULT;
}

/* The exit has taken the interrupt from the machine's local APIC, where the CPU does that; else it
 * comes in with the others. */
static void take_acknowledged(void)
{
    uint32_t info = vmcs_read(VMCS_EXIT_EVENT);
    if (info & EVENT_VALID)
        irq_dispatch(EVENT_VECTOR(info));
}

static void settle_host(struct virt_vcpu *v, struct virt_exit *x, uint64_t deadline)
{
    uint16_t reason = (uint16_t)vmcs_read(VMCS_EXIT_REASON);
    bool lost = false;
    if (reason == REASON_EXCEPTION && x->exception.type == EVENT_NMI)
        raise_nmi(); /* its IRET ends the blocking that came with the exit */
    else if (reason == REASON_EXCEPTION && x->exception.vector == VECTOR_MC)
        lost = mce_handle_guests(&x->bad_memory);
    else if (reason == REASON_EXTINT)
        take_acknowledged();
    let_irqs_in(v);
    x->kind = lost ? VIRT_EXIT_BAD_MEMORY : host_or_deadline(deadline);
}

void run_settle_other(struct virt_vcpu *v, struct virt_exit *x, uint64_t deadline)
{
    if (unlikely(x->kind == VIRT_EXIT_EXCEPTION))
        settle_exception(v, x);
    if (likely(x->kind == VIRT_EXIT_HOST))
        settle_host(v, x, deadline);
    else if (x->kind == VIRT_EXIT_UNKNOWN)
        x->raw_reason = vmcs_read(VMCS_EXIT_REASON);
    else if (x->kind == VIRT_EXIT_IRQ_WINDOW)
        event_window(v, PROC_IRQ_WINDOW, false);
    else if (x->kind == VIRT_EXIT_NMI_WINDOW)
        event_window(v, PROC_NMI_WINDOW, false);
}

void run_no_time(struct virt_vcpu *v, uint64_t deadline, struct virt_exit *x)
{
    let_irqs_in(v);
    x->left = rdtsc();
    x->kind = host_or_deadline(deadline);
}
