/*
 * Exit reasons, as numbers and as the typed exits that virt.h promises.
 */
#ifndef CAISSON_VMX_EXIT_H
#define CAISSON_VMX_EXIT_H

#include <stdint.h>
#include "arch/x86/cpu.h"
#include "lib/likely.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

/* SDM, appendix "VMX Basic Exit Reasons": those that are named in code. */
#define REASON_EXCEPTION     0
#define REASON_EXTINT        1
#define REASON_IRQ_WINDOW    7
#define REASON_NMI_WINDOW    8
#define REASON_TASK_SWITCH   9
#define REASON_VMCALL        18
#define REASON_IO            30
#define REASON_ENTRY_MC      41 /* with REASON_ENTRY_FAILED */
#define REASON_TPR           43
#define REASON_APIC_ACCESS   44
#define REASON_EOI           45
#define REASON_EPT_VIOLATION 48
#define REASON_TIMER         52
#define REASON_APIC_WRITE    56
#define REASON_BUS_LOCK      74
#define REASON_WITH_BUS_LOCK (1u << 26) /* it came with another exit */
#define REASON_ENTRY_FAILED  (1u << 31)

#define VMMCALL_BYTES 3

/* What each reason means; and what fills in the rest, of those that have more to tell or may come
 * in the middle of an event's delivery. */
#define EXIT_ROWS 64
extern const struct exit_row {
    enum virt_exit_kind kind;
    void (*decode)(struct virt_vcpu *v, struct virt_exit *x);
} exit_rows[EXIT_ROWS];

/* The frequent ones that have more to tell, in line. */

/* SDM, "Exit Qualification for I/O Instructions", whose size is one less. Reserved bits are kept.
 */
static inline void exit_decode_io(struct virt_exit *x)
{
    union {
        uint32_t word;
        struct virt_io io;
    } u = { .word = (uint32_t)vmcs_read(VMCS_EXIT_QUALIFICATION) + 1 };
    x->io = u.io;
}

/* 64-bit code: CS.L in IA-32e mode. */
static inline void exit_decode_vmcall(struct virt_exit *x)
{
    if ((vmcs_read(VMCS_G_SS_AR) & SEG_AR_DPL) || !(vmcs_read(VMCS_G_CS_AR) & SEG_AR_L) ||
        !(vmcs_read(VMCS_G_EFER) & EFER_LMA))
        x->kind = VIRT_EXIT_HYPERCALL_OTHER;
}

/* EXIT_ODD: it is no basic reason alone, but has bits above it. EXIT_UNSETTLED: there is something
 * to be done at once. */
enum exit_decoded { EXIT_ODD, EXIT_UNSETTLED, EXIT_SETTLED };

/* Fills *x from the current VMCS. */
static inline enum exit_decoded exit_decode(struct virt_vcpu *v, uint32_t reason,
                                            struct virt_exit *x)
{
    if (unlikely(reason >= EXIT_ROWS))
        return EXIT_ODD;
    const struct exit_row *row = &exit_rows[reason];
    x->kind = row->kind;
    if (row->decode) {
        if (reason == REASON_IO) {
            exit_decode_io(x);
            return EXIT_SETTLED;
        }
        if (reason == REASON_VMCALL) {
            exit_decode_vmcall(x);
            return EXIT_SETTLED;
        }
        row->decode(v, x);
    }
    return unlikely(x->kind <= VIRT_EXIT_EXCEPTION) ? EXIT_UNSETTLED : EXIT_SETTLED;
}

#endif
