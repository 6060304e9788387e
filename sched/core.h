/*
 * Scheduling by core (sched-gran=core): the threads of one core never run units of two groups that
 * stand apart at the same time, so that what they can read of each other's through the caches and
 * buffers that they share is their own group's. Not for other rooms.
 *
 * A core belongs to one such group at a time, its owner. Whoever wants it for another waits, with
 * his thread idle if there is nothing else for it, until all have left; he asks them to when the
 * owner has had a slice. Who is next is decided by virtual time, as within one queue.
 *
 * All of it is for cores with several threads that run units: the other queues have no core.
 */
#ifndef CAISSON_SCHED_CORE_H
#define CAISSON_SCHED_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/likely.h"
#include "lib/spinlock.h"
#include "sched/queue.h"

struct sched_core {
    struct spinlock lock; /* of all but threads; within a queue's. Others peek */
    uint64_t threads;     /* these three are masks of pCPUs; this one grows at boot only */
    uint64_t inside;      /* those that run units of the owner */
    uint64_t waiting;     /* those whose claim counts */
    const struct sched_group *owner; /* while nobody is inside: the last one, only to compare */
    uint64_t since;                  /* TSC at which the owner's slice began */
};

/* q's pCPU takes part: finds it its core, if it shares one. Boot only. */
void core_join(struct run_queue *q);

/* policy_pick(), of those whom the core lets run here now. q is locked, and has a core. */
struct sched_unit *core_pick(struct run_queue *q, uint64_t now);
/* The unit that ran on q's pCPU has come out. */
void core_leave(struct run_queue *q);
/* Does somebody wait in q for the core? As far as can be seen without a lock. */
bool core_is_awaited(const struct run_queue *q);

extern bool core_exists; /* some pCPUs share one; set at boot, atomic */
static inline bool core_in_use(void)
{
    return unlikely(__atomic_load_n(&core_exists, __ATOMIC_RELAXED));
}
/* NULL: q's pCPU shares none. */
static inline struct sched_core *core_of(const struct run_queue *q)
{
    return __atomic_load_n(&q->core, __ATOMIC_ACQUIRE);
}

uint64_t core_filter(uint64_t pcpus, const struct sched_group *g);
/* Of these idle pCPUs, those whose cores would let a unit of g run now, as far as can be seen. */
static inline uint64_t core_open(uint64_t pcpus, const struct sched_group *g)
{
    return core_in_use() ? core_filter(pcpus, g) : pcpus;
}
/* One of these pCPUs, by chance, whose core has no more to do than q's; or q's own. */
unsigned core_elsewhere(const struct run_queue *q, uint64_t pcpus, uint64_t now);
/* The load of all threads of pCPU n's core, or of n. */
unsigned core_load(unsigned n);

/* Debug builds: this pCPU runs a unit of g from now on; NULL: none. Panics if the core's other
 * threads run what they must not beside it. */
void core_watch(const struct sched_group *g);

#endif
