/*
 * Exit reasons, as numbers and as the typed exits that vmx.h promises.
 */
#ifndef CAISSON_VMX_EXIT_H
#define CAISSON_VMX_EXIT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/likely.h"
#include "virt/virt.h"

/* SDM, appendix "VMX Basic Exit Reasons": those that are named in code. */
#define REASON_EXCEPTION     0
#define REASON_EXTINT        1
#define REASON_IRQ_WINDOW    7
#define REASON_NMI_WINDOW    8
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

/* What each reason means; and what fills in the rest, of those that have more to tell or may come
 * in the middle of an event's delivery. */
#define EXIT_ROWS 64
extern const struct exit_row {
    enum virt_exit_kind kind;
    void (*decode)(struct virt_vcpu *v, struct virt_exit *x);
} exit_rows[EXIT_ROWS];

/* Fills *x from the current VMCS. False: it is no basic reason alone, but has bits above it. */
static inline bool exit_decode(struct virt_vcpu *v, uint32_t reason, struct virt_exit *x)
{
    if (unlikely(reason >= EXIT_ROWS))
        return false;
    const struct exit_row *row = &exit_rows[reason];
    x->kind = row->kind;
    if (row->decode)
        row->decode(v, x);
    return true;
}

#endif
