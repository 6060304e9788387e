/*
 * What is rare in entering the guest and coming back. See svm/run.h.
 */
#include "svm/run.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/mce.h"
#include "svm/check.h"
#include "virt/virt.h"

/* switch.asm knows where these are. */
_Static_assert(offsetof(struct virt_vcpu, gpr) == 0, "switch.asm");
_Static_assert(offsetof(struct svm_vcpu, vmcb) == 0, "switch.asm");
_Static_assert(offsetof(struct svm_vcpu, vmcb_at) == 8, "switch.asm");
_Static_assert(offsetof(struct svm_vcpu, host_at) == 16, "switch.asm");
_Static_assert(offsetof(struct vmcb, rax) == 0x5F8, "switch.asm");
_Static_assert(GPR_RSP == 4 && GPR_R15 == 15, "switch.asm");

/* The machine's interrupts leave a guest with IF=0 too: nobody has to see to it. */
void virt_irqs_served(struct virt_vcpu *v)
{
    (void)v;
}

static enum virt_exit_kind host_or_deadline(uint64_t deadline)
{
    return rdtsc() >= deadline ? VIRT_EXIT_DEADLINE : VIRT_EXIT_HOST;
}

void svm_run_no_time(struct virt_vcpu *v, uint64_t deadline, struct virt_exit *x)
{
    (void)v;
    irq_let_in();
    x->left = rdtsc();
    x->kind = host_or_deadline(deadline);
}

/* #DB and #AC go back to the guest; #UD too, unless it was the other vendor's hypercall. DR6 is as
 * the exception has left it. */
static void settle_exception(struct virt_vcpu *v, struct virt_exit *x)
{
    uint8_t vector = x->exception.vector;

    if (vector == VECTOR_UD && exit_is_vmcall(v)) {
        exit_decode_vmmcall(vmcb_of(v), x);
        return;
    }
    if (vector != VECTOR_DB && vector != VECTOR_AC && vector != VECTOR_UD)
        return;
    x->kind = virt_inject(v, &x->exception) ? VIRT_EXIT_HOST : VIRT_EXIT_TRIPLE_FAULT;
}

static const char *why_refused(const struct virt_vcpu *v)
{
    const char *why = svm_check(vmcb_of(v));

    return why ? why : "VMRUN has refused the VMCB; no rule that is checked in software is broken";
}

/* Interrupts and NMIs that made the exit have come in with STGI, or do so now. */
static void settle_host(struct virt_vcpu *v, struct virt_exit *x, uint64_t deadline)
{
    bool lost = false;

    if ((uint32_t)vmcb_of(v)->exit_code == EXITCODE_EXCEPTION + VECTOR_MC)
        lost = mce_handle_guests(&x->bad_memory);
    irq_let_in();
    event_take_back(v);
    x->kind = lost ? VIRT_EXIT_BAD_MEMORY : host_or_deadline(deadline);
}

void svm_run_settle(struct virt_vcpu *v, struct virt_exit *x, uint64_t deadline)
{
    if (x->kind == VIRT_EXIT_EXCEPTION)
        settle_exception(v, x);
    if (x->kind == VIRT_EXIT_HOST)
        settle_host(v, x, deadline);
    else if (x->kind == VIRT_EXIT_IRQ_WINDOW)
        event_irq_window(svm_of(v), false);
    else if (x->kind == VIRT_EXIT_NMI_WINDOW)
        event_iret(svm_of(v));
    else if (x->kind == VIRT_EXIT_ENTRY_FAILED)
        x->why = why_refused(v);
}
