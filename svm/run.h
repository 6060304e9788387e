/*
 * Once into the guest, out again, and why it was left. In line, since this is the way of every
 * #VMEXIT (stay.c); what is rare on it is in run.c.
 *
 * The timer of the machine's local APIC bounds every stay (virt/stay.h): its interrupt, as any of
 * the machine's, leaves a guest also while that has IF=0.
 * Sources: APM volume 2, "VMRUN Instruction", "#VMEXIT".
 */
#ifndef CAISSON_SVM_RUN_H
#define CAISSON_SVM_RUN_H

#include <stdint.h>
#include "arch/x86/insn.h"
#include "lib/likely.h"
#include "svm/cr.h"
#include "svm/event.h"
#include "svm/exit.h"
#include "svm/flush.h"
#include "svm/vcpu.h"
#include "virt/virt.h"

/* switch.asm. Not an ordinary call: nearly all registers come back changed; *v is in one then. */
static inline void run_enter(struct virt_vcpu **v, struct svm_vcpu *s)
{
    asm volatile("call svm_enter"
                 : "+D"(*v), "+S"(s)
                 :
                 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                   "cc", "memory");
}

/* The rare ways, each of which fills *x. */
void svm_run_no_time(struct virt_vcpu *v, uint64_t deadline, struct virt_exit *x);
void svm_run_settle(struct virt_vcpu *v, struct virt_exit *x, uint64_t deadline);

/*
 * Enters the guest and stays until the next exit; fills v->exit. Gives back v.
 * now: the machine's TSC, just read. deadline: its value at which to come back at the latest; the
 * timer has been set for it.
 * An event whose delivery was cut short by the exit is kept and delivered again at the next entry.
 */
static inline struct virt_vcpu *run_once(struct virt_vcpu *v, uint64_t now, uint64_t deadline)
{
    if (unlikely(now >= deadline)) {
        svm_run_no_time(v, deadline, &v->exit);
        return v;
    }
    if (unlikely(event_waits(v, svm_of(v))))
        svm_event_prepare(v);
    flush_prepare(svm_of(v));
    run_enter(&v, svm_of(v));
    v->exit.left = rdtsc();
    struct svm_vcpu *s = svm_of(v);
    s->vmcb->tlb_control = TLB_FLUSH_NOTHING;
    s->vmcb->clean = CLEAN_ALL;
    s->vmcb->event_inj = 0;
    if (unlikely(s->cr0_passes))
        cr_take_cr0_back(v);
    if (unlikely(exit_decode(v, s, &v->exit) == EXIT_UNSETTLED))
        svm_run_settle(v, &v->exit, deadline);
    return v;
}

#endif
