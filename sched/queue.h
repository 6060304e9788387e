/*
 * A run queue, as sched.c, unit.c and policy.c share it; not for other rooms.
 *
 * Rules: a unit belongs to the queue of u->pcpu, and that queue's lock guards it. To move one takes
 * both locks, the lower pCPU's first. No lock is held while run(), leave() or a timer is called.
 * Who adds a unit to a queue tells its pCPU (queue_tell).
 */
#ifndef CAISSON_SCHED_QUEUE_H
#define CAISSON_SCHED_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/limits.h"
#include "lib/list.h"
#include "lib/spinlock.h"
#include "sched/sched.h"

_Static_assert(MAX_PCPUS <= 64, "sets of pCPUs are masks of 64 bits");

struct sched_core;

/* What q->unsettled says of a pCPU's next turn. */
#define SETTLE_UNITS 1u /* it comes at once: a unit here has to leave, or does not belong here */
#define SETTLE_CORE  2u /* the unit that has run leaves the core to others: sched/core.h */

/* No two share a line of the cache, or a pair of them, as they are fetched. */
struct run_queue {
    _Alignas(128) struct spinlock lock;
    unsigned pcpu;
    struct list_node waiting;   /* entities of groups with units that are runnable and not running,
                                 * in the policy's order */
    struct list_node parked;    /* the same of groups that have used up their cap */
    struct sched_unit *running; /* or NULL */
    struct sched_unit *loaded;  /* whose registers this pCPU holds; only it writes this */
    struct sched_unit *last;    /* ran last and waits again: its slice may go on */
    struct sched_unit *next;    /* asked for by sched_yield_to() */
    struct sched_unit *skip;    /* has yielded: someone else first; only its pCPU writes this, not
                                 * always under the lock */
    uint64_t bound;             /* what the running unit has been told (without timers); its pCPU
                                 * peeks at it */
    uint64_t floor;             /* the virtual time that all here have reached; never goes back */
    uint64_t offset;            /* what to add to its virtual times to compare them with others' */
    uint64_t vacated;           /* TSC at which a unit made room; 0: nobody has since the last turn
                                 * began, or the pCPU has been idle. Only it uses this */
    uint64_t ran;               /* TSC ticks that units ran here, as of the last look */
    uint64_t joined;            /* TSC at which it began to take part */
    uint64_t rotated;           /* TSC at which it last gave a unit away to a lighter queue */
    unsigned count;             /* units here, the running one included; others peek at it */
    unsigned load;              /* the sum of their shares; the same */
    bool resting;               /* `running` halts in its place: sched_halt_in_place() */
    uint8_t unsettled;          /* SETTLE_...; atomic */
    bool changed;            /* sched_deadline() may have changed; others set it under the lock */
    bool rested;             /* it has been idle since it last looked around; only it writes this */
    uint64_t next_look;      /* TSC at which to look around: sched/watch.h */
    struct sched_core *core; /* that it shares with others, or NULL; set at boot, atomic */
};

extern struct run_queue sched_queues[MAX_PCPUS];

#define PCPU_BIT(n) (1UL << (n))

/* Under the lock. */
static inline void queue_bound(struct run_queue *q, uint64_t until)
{
    __atomic_store_n(&q->bound, until, __ATOMIC_RELAXED);
}

static inline void queue_unsettle(struct run_queue *q, unsigned how)
{
    __atomic_fetch_or(&q->unsettled, (uint8_t)how, __ATOMIC_RELAXED);
}

struct run_queue *queue_lock(unsigned pcpu);
/* The queue that u belongs to, locked. */
struct run_queue *queue_lock_of(const struct sched_unit *u);
/* u becomes runnable here (queue_add) or stops being so (queue_drop). Under the lock. */
void queue_add(struct run_queue *q, struct sched_unit *u, uint64_t now);
void queue_drop(struct run_queue *q, struct sched_unit *u);
/* Moves u, which waits or is blocked and is not loaded, and tells the pCPU where it then waits.
 * False if u is no longer as the caller saw it. No lock held. */
bool queue_move(struct sched_unit *u, unsigned from, unsigned to, enum sched_state state);
/* For who looks for a unit in q, which is locked, and moves it: unlocks q. Of u, which may be NULL
 * and waits in q, it says where it is to go; the unit cannot be removed meanwhile. The answer is
 * queue_move()'s. */
bool queue_move_found(struct run_queue *q, struct sched_unit *u, unsigned to);
/* Unlocks q; its pCPU looks at it again, if that can make a difference or `always`. */
void queue_tell(struct run_queue *q, bool always);

/* The pCPUs that u may use: of its affinity those that have joined; with none, where it is. */
uint64_t queue_allowed(const struct sched_unit *u);
/* pCPUs that halt, or are about to. */
uint64_t queue_idle(void);
void queue_set_idle(unsigned pcpu, bool idle);
/* The registers of q->loaded leave; on q's own pCPU, no lock held. */
void queue_unload(struct run_queue *q);

#endif
