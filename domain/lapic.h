/*
 * What a vCPU's local APIC (devices/vlapic) has to do with the processor: which of the two delivers
 * interrupts, and how each hears of what the other did.
 *
 * A processor with virtual-interrupt delivery works on the local APIC's page by itself while the
 * guest runs. Before an entry it is told what has changed there (lapic_sync). One without has the
 * loop of run.c inject each interrupt.
 */
#ifndef CAISSON_DOMAIN_LAPIC_H
#define CAISSON_DOMAIN_LAPIC_H

#include <stdbool.h>
#include "arch/x86/insn.h"
#include "domain/msr.h"
#include "domain/vcpu.h"
#include "lib/likely.h"

struct domain;

/* The page by which its guest reaches the local APICs, where the CPU can use one. Charged to the
 * domain, which alone sees it; the I/O bitmaps are there. 0 or -ENOMEM. */
int must_check lapic_create_access(struct domain *d);
void lapic_destroy_access(struct domain *d);

/* ---- The timer ---- */

/* Its interrupt sets out virt_caps.irq_way ticks of the TSC before it is due. If the guest came out
 * at once it waits until only so many are left as the rest of the way always takes, so no guest is
 * interrupted early: from within the stay, or from the loop, where it begins one. */
#define LAPIC_WAY_IN   150
#define LAPIC_WAY_LAST 60

/* Its deadline: ns of the domain's clock, and the same moment by the machine's TSC. */
static inline void lapic_set_due(struct vcpu *v, uint64_t ns, uint64_t tsc)
{
    moment_set_both(&v->lapic_due, ns, tsc - virt_caps.irq_way);
}

/* The domain's clock has been set: it read 0 at this TSC. */
static inline void lapic_clock_set(struct vcpu *v, uint64_t zero)
{
    uint64_t ns = v->lapic_due.ns;

    moment_init(&v->lapic_due);
    moment_set(&v->lapic_due, zero, ns);
}

/* Until `way` ticks before one whose v->lapic_due.tsc was `due`. It was `now` just before. The TSC
 * then. */
static inline uint64_t lapic_await(uint64_t due, uint64_t now, unsigned way)
{
    while (unlikely(now + way < due + virt_caps.irq_way)) {
        cpu_relax();
        now = rdtsc();
    }
    return now;
}

/* ---- Without the domain's lock, by v within its stay in the guest ---- */

/* Does the processor know all of IRR and ISR, so that one request more is all that it has to be
 * told? */
static inline bool lapic_is_quick(const struct vcpu *v)
{
    return v->virt.delivers && !(v->lapic.moved | v->lapic.changed | v->lapic.levels_changed);
}
/* Tells it that: a vector that vlapic_..._own() gave, not 0. */
void lapic_tell_own(struct vcpu *v, uint8_t vector);
/* A write to the x2APIC's ICR. Anything but an interrupt for one CPU is MSR_UNKNOWN. */
enum msr_written must_check lapic_icr_written(struct vcpu *v, uint64_t icr);

/* ---- The domain's lock is held ---- */

/* Nothing is mapped at this address of the guest's: if it is in the local APICs' page, and all
 * vCPUs have theirs there, it is mapped now. True: the access is to be tried again. */
bool lapic_map(struct vcpu *v, gpa_t at);

/* Is there something that the processor has not been told? */
static inline bool lapic_out_of_date(const struct vcpu *v)
{
    return vlapic_unsettled(&v->lapic) || v->lapic.changed || v->lapic.moved;
}
/* Tells it. Loaded. */
void lapic_sync(struct vcpu *v);

/* Will the processor deliver one at once, if the guest lets it? Tells it the news. Loaded. */
bool lapic_delivers_now(struct vcpu *v);

/* Is an interrupt to be injected by us? */
static inline bool lapic_wants_in(struct vcpu *v)
{
    return !v->virt.delivers && vlapic_requested(&v->lapic) && vlapic_pending(&v->lapic) >= 0;
}

/* A processor that has but a TPR shadow: after all that can be injected has been, it is told which
 * TPR keeps the rest back. Loaded. */
void lapic_hold(struct vcpu *v);
static inline bool lapic_may_hold(const struct vcpu *v)
{
    return !v->virt.delivers && (vlapic_requested(&v->lapic) || v->virt.held_class);
}

/* An inter-processor interrupt or the I/O APIC's message, to whomever it addresses. domain: a
 * struct domain; this is the function that its buses call. */
void lapic_message(void *domain, const struct apic_message *message);

#endif
