/*
 * The scheduler: which unit runs on this pCPU, and for how long.
 *
 * A unit is anything with a run function; the scheduler knows nothing of what is inside. Each pCPU
 * has one loop (sched_loop) and one stack: pick a unit, run it until its deadline, it blocks or it
 * has enough; fire timers; again. With nothing to run the pCPU halts until an interrupt.
 */
#ifndef CAISSON_SCHED_SCHED_H
#define CAISSON_SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/list.h"

enum sched_state { SCHED_BLOCKED, SCHED_RUNNABLE, SCHED_RUNNING };

struct sched_unit {
    struct list_node link;  /* in its pCPU's run queue while runnable */
    enum sched_state state;
    bool woken;             /* a wake came while it was running: do not block */
    unsigned pcpu;
    uint64_t ran;           /* TSC ticks spent running */
    /* Runs until deadline (TSC) at the latest; returns true to stay runnable, false to block. */
    bool (*run)(struct sched_unit *u, uint64_t deadline);
};

void sched_unit_init(struct sched_unit *u, unsigned pcpu,
                     bool (*run)(struct sched_unit *u, uint64_t deadline));
/* Makes u runnable; from any pCPU, any context. Waking a running unit keeps it from blocking. */
void sched_wake(struct sched_unit *u);

/* The loop of the calling pCPU; every CPU ends here. */
_Noreturn void sched_loop(void);

#endif
