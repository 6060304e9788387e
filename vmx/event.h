/*
 * Events on their way into the guest, below what vmx.h tells of them.
 */
#ifndef CAISSON_VMX_EVENT_H
#define CAISSON_VMX_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct vmx_vcpu;

/* Before an entry: puts what is pending into the VMCS. */
void event_prepare(struct vmx_vcpu *v);
/* After a VM exit: keeps an event whose delivery the exit cut short, and puts NMI blocking right.
 */
void event_collect(struct vmx_vcpu *v);

/* Interruption information and error code, as the VMCS has them, made readable. */
struct event event_decode(uint32_t info, uint32_t error);

/* Switches a window request (PROC_IRQ_WINDOW, PROC_NMI_WINDOW) on or off. */
void event_window(struct vmx_vcpu *v, uint32_t window, bool want);

#endif
