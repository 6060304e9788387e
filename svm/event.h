/*
 * Events on their way into the guest, below what virt.h tells of them.
 */
#ifndef CAISSON_SVM_EVENT_H
#define CAISSON_SVM_EVENT_H

#include <stdbool.h>
#include "lib/likely.h"
#include "svm/vcpu.h"
#include "virt/virt.h"

/* Before an entry: puts what is pending into the VMCB. */
void svm_event_prepare(struct virt_vcpu *v);
/* The rare half of event_collect(). */
void svm_event_keep_interrupted(struct virt_vcpu *v);

/* Has svm_event_prepare() anything to do? */
static inline bool event_waits(const struct virt_vcpu *v, const struct svm_vcpu *s)
{
    return v->pending.valid || v->nmis_waiting || s->step_due;
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
