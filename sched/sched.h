/*
 * The scheduler: which unit runs on this pCPU, and for how long.
 *
 * A unit is anything with a run function; the scheduler knows nothing of what is inside. Each pCPU
 * has one loop (sched_loop) and one stack: pick a unit, run it until its deadline, it blocks or it
 * has enough; fire timers; again. With nothing to run the pCPU halts until an interrupt.
 *
 * Policy: first in, first out, on the pCPU that a unit was given. Who shares one gets slices of
 * 10 ms; who is alone is never disturbed. Lock: one for each run queue.
 */
#ifndef CAISSON_SCHED_SCHED_H
#define CAISSON_SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/list.h"

enum sched_state { SCHED_BLOCKED, SCHED_RUNNABLE, SCHED_RUNNING };

struct sched_unit {
    struct list_node link; /* in its pCPU's run queue while runnable */
    enum sched_state state;
    bool woken; /* a wake came while it was running: do not block */
    unsigned pcpu;
    uint64_t ran;       /* TSC ticks spent running */
    uint64_t slice_end; /* TSC at which it makes room if others wait; 0: at its next turn */
    /* Runs until deadline (TSC) at the latest; returns true to stay runnable, false to block.
     * Returns soon after each interrupt of the machine too, or asks sched_deadline() again. */
    bool (*run)(struct sched_unit *u, uint64_t deadline);
};

void sched_unit_init(struct sched_unit *u, unsigned pcpu,
                     bool (*run)(struct sched_unit *u, uint64_t deadline));
/* Takes u out of its queue, before it goes away; it must not be running. */
void sched_unit_remove(struct sched_unit *u);
/* Makes u runnable; from any pCPU, any context. Waking a running unit keeps it from blocking, and
 * makes it come out of its guest to look what is new. */
void sched_wake(struct sched_unit *u);

/* Until when (TSC) the unit that runs on this pCPU may go on, as of now: a wake of another unit or
 * a timer set since run() was called may have brought it nearer. */
uint64_t sched_deadline(void);

/* Whether units need the LAPIC's timer to be brought back at their deadline, since nothing within
 * does it (no VMX preemption timer). Off at first. Boot only. */
void sched_use_tick(bool on);

/* The loop of the calling pCPU; every CPU ends here. */
_Noreturn void sched_loop(void);
/* One turn of it: timers, then a unit's run or a halt. For the loop, and for tests. */
void sched_turn(void);

#endif
