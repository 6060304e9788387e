/*
 * Timers of a pCPU: a sorted list of moments at which something wants to be called.
 *
 * A timer belongs to the pCPU that armed it and fires there, from the scheduler's loop, with
 * interrupts off and no lock held. Time is the machine's TSC.
 *
 * Any pCPU may re-arm or cancel a timer; two at the same time may not, and a timer cancelled from
 * afar may be firing at that moment. Lock: one for each pCPU's queue, held for no other's sake.
 */
#ifndef CAISSON_SCHED_TIMER_H
#define CAISSON_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/list.h"
#include "lib/time.h"

struct timer {
    struct list_node link;
    uint64_t deadline; /* TSC */
    void (*fn)(struct timer *t);
    struct sched_unit *unit; /* whom it wakes, and who pays for that; or NULL */
    unsigned pcpu;           /* in whose queue it is while armed */
    bool armed;
};

/* Boot only, before all else here; sched_start() does it. */
void timer_start(void);
void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* Its fn() wakes u, which is charged for the time that this takes from whoever runs. */
void timer_init_wake(struct timer *t, struct sched_unit *u);
/* (Re-)arms on the calling pCPU; TIME_NEVER disarms. A deadline in the past fires at the next
 * look, which for a timer that is set while others fire is after this one. */
void timer_set(struct timer *t, uint64_t deadline);
void timer_cancel(struct timer *t);
/* The same, and waits while it fires on another pCPU: afterwards t may be freed, if nobody arms it
 * again. Not with a lock held that its fn() takes, nor from a timer that such an fn() waits for. */
void timer_cancel_sync(struct timer *t);
/* The first deadline of this pCPU, or TIME_NEVER. */
uint64_t timer_next(void);
/* Fires all that are due at now. */
void timer_run(uint64_t now);

#endif
