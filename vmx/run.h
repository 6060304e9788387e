/*
 * Once into the guest, out again, and why it was left. In line, since this is the way of every VM
 * exit (stay.c); what is rare on it is in run.c.
 *
 * The preemption timer bounds every stay: at the caller's deadline, and for a guest with IF=0
 * shortly after the machine's interrupts were last let in, since with IF=0 they do not cause an
 * exit on every CPU (and emulator) that Caisson meets. Sources: SDM, "VM Entries", "VM Exits",
 * "VMX-Preemption Timer".
 */
#ifndef CAISSON_VMX_RUN_H
#define CAISSON_VMX_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/likely.h"
#include "vmx/event.h"
#include "vmx/exit.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

/* switch.asm. Not an ordinary call: nearly all registers come back changed, so that the world
 * switch need not keep those that C does not use here; *v is in one then. False: VMfail, no guest
 * instruction ran. */
static inline bool run_enter(struct virt_vcpu **v)
{
    uint32_t failed;
    asm volatile("call vmx_enter"
                 : "=a"(failed), "+D"(*v)
                 :
                 : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                   "cc", "memory");
    return !failed;
}

/* Sets the timer; false if there is no time left at all. */
static inline bool run_arm_timer(const struct virt_vcpu *v, uint64_t now, uint64_t deadline)
{
    if (!(vmcs_read(VMCS_G_RFLAGS) & RFLAGS_IF) && vmx_of(v)->irqs_unserved_until < deadline)
        deadline = vmx_of(v)->irqs_unserved_until;
    if (unlikely(now >= deadline))
        return false;
    if (likely(virt_caps.preemption_timer))
        vmcs_write(VMCS_PREEMPTION_TIMER, (deadline - now) >> virt_caps.preemption_shift);
    return true;
}

/* The rare ways, each of which fills *x. */
void run_no_time(struct virt_vcpu *v, uint64_t deadline, struct virt_exit *x);
void run_not_entered(struct virt_exit *x);
enum exit_decoded run_odd_exit(struct virt_vcpu *v, uint32_t reason, struct virt_exit *x);
void run_settle_other(struct virt_vcpu *v, struct virt_exit *x, uint64_t deadline);

/* What is to be done at once. Of the timer that is nothing, if it has come at the deadline: with
 * IF=1 the machine's interrupts have had their exits, and none is kept out. */
static inline void run_settle(struct virt_vcpu *v, uint32_t reason, uint64_t deadline)
{
    if (reason == REASON_TIMER && v->exit.left >= deadline &&
        (vmcs_read(VMCS_G_RFLAGS) & RFLAGS_IF))
        v->exit.kind = VIRT_EXIT_DEADLINE;
    else
        run_settle_other(v, &v->exit, deadline);
}

/*
 * Enters the guest and stays until the next exit; fills v->exit. Gives back v.
 * now: the machine's TSC, just read. deadline: its value at which to come back at the latest, less
 * than 2^32 ticks ahead; honoured through the preemption timer where there is one (else the
 * caller's LAPIC timer ends the run).
 * An event whose delivery was cut short by the exit is kept and delivered again at the next entry.
 */
static inline struct virt_vcpu *run_once(struct virt_vcpu *v, uint64_t now, uint64_t deadline)
{
    if (unlikely(!run_arm_timer(v, now, deadline))) {
        run_no_time(v, deadline, &v->exit);
        return v;
    }
    if (unlikely(v->pending.valid || v->nmis_waiting))
        event_prepare(v);
    if (unlikely(!run_enter(&v))) {
        run_not_entered(&v->exit);
        return v;
    }
    v->exit.left = rdtsc();
    uint32_t reason = vmcs_read(VMCS_EXIT_REASON);
    enum exit_decoded how = exit_decode(v, reason, &v->exit);
    if (unlikely(how == EXIT_ODD))
        how = run_odd_exit(v, reason, &v->exit);
    if (unlikely(how == EXIT_UNSETTLED))
        run_settle(v, reason, deadline);
    return v;
}

#endif
