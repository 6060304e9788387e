/*
 * Events on their way into the guest, below what virt.h tells of them.
 */
#ifndef CAISSON_VMX_EVENT_H
#define CAISSON_VMX_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/likely.h"
#include "vmx/controls.h"
#include "vmx/exit.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

/* Before an entry: puts what is pending into the VMCS. */
void event_prepare(struct virt_vcpu *v);
/* The two rare halves of event_collect(). info: the VMCS field IDT-vectoring information. */
void event_keep_interrupted(struct virt_vcpu *v, uint32_t info);
void event_restore_nmi_blocking(uint32_t reason);

/* After a VM exit that may come in the middle of a delivery: keeps an event that was cut short, and
 * puts NMI blocking right. */
static inline void event_collect(struct virt_vcpu *v, uint32_t reason)
{
    uint32_t info = vmcs_read(VMCS_IDT_EVENT);
    if (unlikely(info & EVENT_VALID))
        event_keep_interrupted(v, info);
    else if (reason == REASON_EXCEPTION)
        event_restore_nmi_blocking(reason);
    else if (reason == REASON_EPT_VIOLATION &&
             unlikely(vmcs_read(VMCS_EXIT_QUALIFICATION) & EVENT_NMI_UNBLOCKING))
        event_restore_nmi_blocking(reason);
}

/* Interruption information and error code, as the VMCS has them, made readable. */
struct event event_decode(uint32_t info, uint32_t error);

/* Switches a window request (PROC_IRQ_WINDOW, PROC_NMI_WINDOW) on or off. */
void event_window(struct virt_vcpu *v, uint32_t window, bool want);

#endif
