/*
 * Events on their way into the guest, below what virt.h tells of them.
 */
#ifndef CAISSON_SVM_EVENT_H
#define CAISSON_SVM_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/cpu.h"
#include "lib/likely.h"
#include "svm/vcpu.h"
#include "virt/virt.h"

#define VINT_REQUEST (VINT_IRQ | VINT_IGNORE_TPR | 15UL << VINT_PRIO_SHIFT)

/* Before an entry: puts what is pending into the VMCB. */
void svm_event_prepare(struct virt_vcpu *v);
/* After an exit that the guest may not have had the time before to take its interrupt, though open
 * for it: then that is pending again. */
void event_take_back(struct virt_vcpu *v);
/* The rare half of event_collect(). */
void svm_event_keep_interrupted(struct virt_vcpu *v);

/* EVENTINJ or EXITINTINFO, made readable; INT3 and INTO are of the software kind here. */
static inline struct event event_decode(uint64_t info)
{
    struct event e = {
        .valid = info & EVENT_VALID,
        .has_error = info & EVENT_HAS_ERROR,
        .vector = EVENT_VECTOR(info),
        .type = (enum event_type)EVENT_TYPE(info),
        .error = info & EVENT_HAS_ERROR ? (uint32_t)(info >> EVENT_ERROR_SHIFT) : 0,
    };

    if (e.type == EVENT_EXCEPTION && (e.vector == VECTOR_BP || e.vector == VECTOR_OF))
        e.type = EVENT_SOFT_EXC;
    return e;
}

/* Has an instruction made it: INT n, INT3, INTO? */
static inline bool event_is_soft(const struct event *e)
{
    return e->type == EVENT_SOFT_INT || e->type == EVENT_SOFT_EXC;
}

/* Has svm_event_prepare() anything to do? */
static inline bool event_waits(const struct virt_vcpu *v, const struct svm_vcpu *s)
{
    return v->pending.valid || v->nmis_waiting || s->at_entry;
}

/* After an exit: keeps an event that was cut short by it. QEMU leaves something stale in the field
 * where the bit V is clear. */
static inline void event_collect(struct virt_vcpu *v, const struct vmcb *vmcb)
{
    if (unlikely(vmcb->exit_int_info & EVENT_VALID))
        svm_event_keep_interrupted(v);
}

/* The guest stands at an IRET which ends NMI blocking. */
void event_iret(struct svm_vcpu *s);
/* Switches the request for an exit at the first moment for an interrupt on or off. */
void event_irq_window(struct svm_vcpu *s, bool want);

#endif
