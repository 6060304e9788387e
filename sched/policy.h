/*
 * The policy: who is next, for how long, and where. To try another one, write another policy.c.
 *
 * The mechanism (sched.c, unit.c) calls these with the lock of q held, save for policy_place(). It
 * keeps q->running, q->loaded, the states of units and the locks; the policy keeps the order of
 * q->waiting and q->parked and its own fields of units and queues. What it must hold to:
 *
 * - A unit that was handed over by policy_enqueue() is, with its group's entity, in q->waiting or
 *   q->parked until policy_dequeue() takes it out, and policy_pick() finds it after a bounded time,
 * unless its group's cap is used up.
 * - policy_pick() gives NULL only if q->waiting is empty, and then policy_release() says when to
 *   ask again.
 * - policy_bound() may be asked at any moment of a run and only depends on what is in q: UINT64_MAX
 *   when the running unit disturbs nobody, so that who is alone takes no tick.
 * - policy_give(), policy_rotate() and policy_spare() name only units that are not loaded, and
 * pCPUs that they may use.
 */
#ifndef CAISSON_SCHED_POLICY_H
#define CAISSON_SCHED_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include "sched/queue.h"

/* Who waits for his core: the first unit of a queue, when it was last looked at. */
struct core_claim {
    const struct sched_group *group; /* only to compare: it may be gone */
    uint64_t vtime, reach; /* its entity's; how far behind others may be and still count */
    bool fresh;            /* it has just woken */
};

/* Works out its constants; called when the first pCPU joins. */
void policy_start(void);

/* The pCPU that a unit which wakes, or may not stay where it is, had best wait on. No lock held:
 * what it peeks at may change under its eyes. */
unsigned policy_place(const struct sched_unit *u);

/* u has woken: called before it is enqueued. */
void policy_wake(struct run_queue *q, struct sched_unit *u);
/* u comes from another pCPU: the same. It is in neither queue, and both are locked. */
void policy_arrive(struct run_queue *from, struct run_queue *to, struct sched_unit *u,
                   uint64_t now);
void policy_enqueue(struct run_queue *q, struct sched_unit *u, uint64_t now);
void policy_dequeue(struct run_queue *q, struct sched_unit *u);
/* Of the units in q->waiting or q->parked the one after u, in order; the first for NULL. NULL:
 * none. */
struct sched_unit *policy_next(struct list_node *list, struct sched_unit *u);

/* Who is to run now: it stays in q until policy_dequeue(). NULL: nobody. Leaves q->last only if
 * that one is chosen and goes on with the slice that it had. */
struct sched_unit *policy_pick(struct run_queue *q, uint64_t now);
/* The first that waits and may run beside `group`, or NULL. For a pCPU whose core is another's. */
struct sched_unit *policy_pick_beside(struct run_queue *q, const struct sched_group *group,
                                      uint64_t now);
/* What u asks of its core (sched/core.h). */
void policy_claim(const struct sched_unit *u, struct core_claim *out);
/* Is the claim's unit, of another queue of this core, further behind than u? What u is behind
 * beyond its due is forgotten first. */
bool policy_goes_before(struct run_queue *q, struct sched_unit *u, const struct core_claim *claim);
/* How long (TSC ticks) another may have the core before the claim's turn comes. */
uint64_t policy_patience(const struct core_claim *claim);
/* How long at least, and at most once somebody waits. */
uint64_t policy_granule(void);
uint64_t policy_slice(void);

/* u begins a turn; `again`: it goes on with the slice that it had. */
void policy_begin(struct run_queue *q, struct sched_unit *u, bool again, uint64_t now);
/* q->running ran until now; asked at the end of its run, and by any pCPU before a unit is added. */
void policy_charge(struct run_queue *q, uint64_t now);
/* Until when (TSC) q->running may go on. */
uint64_t policy_bound(struct run_queue *q, uint64_t now);
/* When (TSC) a parked unit may run again; UINT64_MAX: none is parked. */
uint64_t policy_release(struct run_queue *q);

/* A unit that should rather wait on the idle pCPU *to; NULL: none. Asked after each pick. */
struct sched_unit *policy_give(struct run_queue *q, unsigned *to);
/* Is it time to ask for the next one? Seen without a lock, before each pick. */
bool policy_may_rotate(const struct run_queue *q, uint64_t now);
/* A unit that should rather wait on the busy pCPU *to; NULL: none. */
struct sched_unit *policy_rotate(struct run_queue *q, uint64_t now, unsigned *to);
/* A unit that the idle pCPU `to` may take; NULL: none. */
struct sched_unit *policy_spare(struct run_queue *q, uint64_t now, unsigned to);

#endif
