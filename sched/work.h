/*
 * Work for the boot CPU's loop: what the operator's side has to do, from wherever it arises.
 *
 * Interrupt handlers and other pCPUs may not call a domain's devices or run commands; they raise
 * the work, and a unit of the scheduler does it on the boot CPU, with no lock held and no vCPU
 * under way there.
 */
#ifndef CAISSON_SCHED_WORK_H
#define CAISSON_SCHED_WORK_H

#include <stdbool.h>
#include "sched/sched.h"
#include "sched/timer.h"

struct work {
    bool (*fn)(void);
    bool raised; /* atomic: the interrupt is on its way, or the unit awake */
    struct sched_group group;
    struct sched_unit unit;
    uint64_t until;    /* TSC; 0: it has not begun */
    struct timer rest; /* armed: it has had its time, and there is more */
    struct work *next;
};

/* fn: does a piece of the work; true: there is more. cap: percent of the boot CPU that it may take,
 * 0 for no limit. Boot only, on the boot CPU. */
void work_init(struct work *w, bool (*fn)(void), unsigned cap);
/* For fn: may it go on? If not, and there is more, it returns true and is called again. */
bool work_has_time(const struct work *w);
/* Has fn called soon, once. From any pCPU, in any context, whatever is locked. */
void work_raise(struct work *w);

#endif
