/*
 * Events on their way into the guest, as far as they are the same for all back ends: at most one is
 * pending. An exception that meets a pending one is merged with it by the rules for double faults;
 * one that meets a pending interrupt takes its place, as on hardware, where an exception during the
 * delivery of an interrupt is delivered instead.
 * Sources: SDM, "Interrupt 8: Double Fault Exception (#DF)", "Handling Multiple NMIs".
 */
#include "arch/x86/cpu.h"
#include "lib/assert.h"
#include "virt/virt.h"

/* ---- Double faults ---- */

enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT, CLASSES };
enum outcome { SERIAL, MAKES_DF, TRIPLE };

/* SDM, "Conditions for Generating a Double Fault": first the pending one, then the new one. */
static const uint8_t outcomes[CLASSES][CLASSES] = {
    [CONTRIBUTORY] = { [CONTRIBUTORY] = MAKES_DF },
    [PAGE_FAULT] = { [CONTRIBUTORY] = MAKES_DF, [PAGE_FAULT] = MAKES_DF },
    [DOUBLE_FAULT] = { [CONTRIBUTORY] = TRIPLE, [PAGE_FAULT] = TRIPLE, [DOUBLE_FAULT] = TRIPLE },
};

static enum fault_class class_of(const struct event *e)
{
    if (e->type != EVENT_EXCEPTION)
        return BENIGN; /* interrupts of any kind, INT n, INT3, INTO */
    switch (e->vector) {
    case VECTOR_DE:
    case VECTOR_TS:
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_GP:
    case VECTOR_CP:
        return CONTRIBUTORY;
    case VECTOR_PF:
    case VECTOR_VE:
        return PAGE_FAULT;
    case VECTOR_DF:
        return DOUBLE_FAULT;
    }
    return BENIGN;
}

static const struct event double_fault = {
    .valid = true,
    .has_error = true,
    .vector = VECTOR_DF,
    .type = EVENT_EXCEPTION,
};

static bool is_exception(const struct event *e)
{
    return e->type == EVENT_EXCEPTION || e->type == EVENT_SOFT_EXC ||
           e->type == EVENT_PRIV_SOFT_EXC;
}

bool virt_inject(struct virt_vcpu *v, const struct event *e)
{
    ASSERT(e->valid);
    if (!v->pending.valid) {
        v->pending = *e;
        return true;
    }
    ASSERT(is_exception(e)); /* who injects an interrupt has asked virt_irq_open() */
    switch (outcomes[class_of(&v->pending)][class_of(e)]) {
    case TRIPLE:
        v->pending.valid = false;
        return false;
    case MAKES_DF:
        v->pending = double_fault;
        return true;
    }
    v->pending = *e;
    return true;
}

void virt_event_taken(struct virt_vcpu *v)
{
    v->pending.valid = false;
}

bool virt_inject_with(struct virt_vcpu *v, uint8_t vector, uint32_t error)
{
    const struct event e = { .valid = true,
                             .has_error = ERROR_CODE_VECTORS >> vector & 1,
                             .vector = vector,
                             .type = EVENT_EXCEPTION,
                             .error = error };
    return virt_inject(v, &e);
}

bool virt_inject_exception(struct virt_vcpu *v, uint8_t vector)
{
    return virt_inject_with(v, vector, 0);
}

/* A processor handles one NMI and keeps one more for afterwards (SDM, "Handling Multiple NMIs").
 * One that has come while another is handled is as many as can be told. */
#define MOST_NMIS 2

void virt_queue_nmi(struct virt_vcpu *v)
{
    if (__atomic_load_n(&v->nmis_waiting, __ATOMIC_RELAXED) < MOST_NMIS)
        __atomic_fetch_add(&v->nmis_waiting, 1, __ATOMIC_SEQ_CST);
}

bool virt_nmi_waiting(const struct virt_vcpu *v)
{
    return v->nmis_waiting;
}
