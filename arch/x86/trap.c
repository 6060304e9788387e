/*
 * What becomes of an exception or interrupt.
 *
 * An exception in Caisson is a bug and ends in panic, with exceptions of its own: an instruction
 * that was expected to fault and has an entry in the fix-up table goes on there; NMIs belong to
 * whoever asked for them, or else came from outside; machine checks are the hardware's bugs.
 * Interrupts go to irq.c.
 */
#include "arch/x86/trap.h"

#include "arch/x86/cpu.h"
#include "arch/x86/fixup.h"
#include "arch/x86/irq.h"
#include "arch/x86/mce.h"
#include "arch/x86/nmi.h"
#include "arch/x86/panic.h"

static const char *const names[TRAP_EXCEPTIONS] = {
    [VECTOR_DE] = "divide error",
    [VECTOR_DB] = "debug exception",
    [VECTOR_NMI] = "NMI",
    [VECTOR_BP] = "breakpoint",
    [VECTOR_OF] = "overflow",
    [VECTOR_BR] = "bound range exceeded",
    [VECTOR_UD] = "invalid opcode",
    [VECTOR_NM] = "device not available",
    [VECTOR_DF] = "double fault",
    [VECTOR_TS] = "invalid TSS",
    [VECTOR_NP] = "segment not present",
    [VECTOR_SS] = "stack fault",
    [VECTOR_GP] = "general protection",
    [VECTOR_PF] = "page fault",
    [VECTOR_MF] = "x87 error",
    [VECTOR_AC] = "alignment check",
    [VECTOR_MC] = "machine check",
    [VECTOR_XM] = "SIMD exception",
    [VECTOR_VE] = "virtualization exception",
    [VECTOR_CP] = "control protection",
};

static bool (*nmi_handler)(const struct trap_frame *frame); /* boot only */

const char *trap_name(unsigned vector)
{
    return vector < TRAP_EXCEPTIONS && names[vector] ? names[vector] : "unknown exception";
}

void trap_on_nmi(bool (*fn)(const struct trap_frame *frame))
{
    nmi_handler = fn;
}

/* Logs nothing: the NMI may have come in the middle of the log. */
static void trap_nmi(const struct trap_frame *frame)
{
    if (!nmi_handler || !nmi_handler(frame))
        nmi_note();
}

void trap_handle(struct trap_frame *frame)
{
    if (frame->vector >= TRAP_EXCEPTIONS) {
        irq_dispatch(frame->vector);
        return;
    }
    if (frame->vector == VECTOR_NMI) {
        trap_nmi(frame);
        return;
    }
    if (frame->vector == VECTOR_MC) {
        mce_handle();
        return;
    }
    if (!fixup_apply(frame))
        panic_trap(frame);
}
