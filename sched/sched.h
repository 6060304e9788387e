/*
 * The scheduler: which unit runs on this pCPU, and for how long.
 *
 * A unit is anything with a run function; the scheduler knows nothing of what is inside. Each pCPU
 * has one loop (sched_loop), one stack and one run queue: pick a unit, run it until its deadline,
 * it blocks or it has enough; fire timers; again. With nothing to run the pCPU takes work that
 * waits elsewhere, else it halts until an interrupt; no tick wakes it in vain.
 *
 * sched.c is the loop, core.c what the threads of a core run together, unit.c what others may do to
 * a unit, group.c the accounts of a domain. Which unit is next, where it goes and for how long is
 * policy.c's alone.
 *
 * A unit's registers stay in the pCPU on which it last ran until that pCPU calls its leave(). Until
 * then no other pCPU runs it, moves it or lets it be freed.
 */
#ifndef CAISSON_SCHED_SCHED_H
#define CAISSON_SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/list.h"
#include "lib/spinlock.h"

#define SCHED_DEFAULT_WEIGHT 256

/* A place in an order of virtual times; the first member of what is so ordered. */
struct sched_node {
    struct list_node link;
    uint64_t vtime;
};

/* What a group is to one pCPU, under the lock of its queue: those of its units that belong there
 * have their turns in its name. The policy's, but for `active`. */
struct sched_entity {
    struct sched_node node;   /* in the queue while some of its units wait; its vtime: ticks that
                               * they ran, scaled by their part of the group's weight */
    struct list_node waiting; /* those units, in the order of their own virtual times */
    uint64_t floor;           /* the virtual time that all its units have reached */
    unsigned active;          /* units that run or want to */
};

/* Units that share one account: a domain's vCPUs. */
struct sched_group {
    struct spinlock lock; /* of used and period_end */
    unsigned weight;      /* its share against other groups', divided among its active units */
    unsigned cap;         /* percent of one pCPU that it may use at most; 0: no bound */
    unsigned active;      /* units that run or want to */
    uint64_t used;        /* ticks of this period's allowance; what is over counts in the next */
    uint64_t period_end;  /* TSC */
    bool apart; /* with sched_use_cores(): no other such group's units run beside its on a core.
                 * Set before it has units */
    struct sched_entity entities[MAX_PCPUS];
};

void sched_group_init(struct sched_group *g, unsigned weight, unsigned cap);
/* Live changes, from any pCPU; a weight of 0 counts as 1. */
void sched_group_set_weight(struct sched_group *g, unsigned weight);
void sched_group_set_cap(struct sched_group *g, unsigned cap);

enum sched_state { SCHED_BLOCKED, SCHED_RUNNABLE, SCHED_RUNNING };

struct sched_stats {
    uint64_t ran;        /* TSC ticks spent running, as of the last look: see sched_unit_ran() */
    uint64_t waited;     /* TSC ticks spent runnable */
    uint64_t waits;      /* how often it became runnable and had to be picked */
    uint64_t wakes;      /* how often it was woken and then picked */
    uint64_t woken_wait; /* TSC ticks from there to there, all together */
    uint64_t woken_most; /* the longest of them */
    uint64_t switches;   /* picked where another unit's registers, or none, were loaded */
    uint64_t migrations; /* moved to another pCPU's queue */
};

/* Guarded by the lock of the queue of u->pcpu; leave and run are constant. */
struct sched_unit {
    struct sched_node node; /* in its group's entity of its pCPU while runnable; its vtime: ticks
                             * that it ran */
    struct sched_group *group;
    /* Runs until deadline (TSC) at the latest; returns true to stay runnable, false to block.
     * Returns soon after each interrupt of the machine; asks sched_deadline() again when
     * sched_deadline_changed() says so. */
    bool (*run)(struct sched_unit *u, uint64_t deadline);
    /* Takes its registers off the calling pCPU. Called with no lock held. */
    void (*leave)(struct sched_unit *u);
    uint64_t affinity; /* mask of the pCPUs on which it may run */
    uint64_t likes;    /* of those on which it rather would, all unless told; atomic */
    enum sched_state state;
    unsigned pcpu;               /* whose queue it belongs to, also while blocked */
    struct sched_entity *entity; /* its group's there */
    bool loaded;                 /* its registers are in that pCPU */
    bool woken;                  /* a wake came while it was running */
    bool going;                  /* sched_unit_remove(): is not picked, whatever wakes it */
    uint8_t pins;                /* atomic: who is about to move it, see queue_move_found() */
    bool attention;              /* atomic: something was written down for it, see sched_kick() */
    uint64_t ready;              /* TSC at which it was last put among those that wait to run */
    struct sched_stats stats;
    /* The policy's. */
    uint64_t started; /* TSC at which its slice began */
    uint64_t since;   /* TSC from which it runs or waits */
    unsigned share;   /* its part of the group's weight, as counted in its queue's load */
    uint64_t owed;    /* atomic: sched_unit_owes() since it ran last */
    bool fresh;       /* woken and not run since: may cut another's slice short */
};

/* Blocked at first. affinity: not empty; pCPUs that have not joined are passed over. */
void sched_unit_init(struct sched_unit *u, struct sched_group *group, uint64_t affinity,
                     bool (*run)(struct sched_unit *u, uint64_t deadline),
                     void (*leave)(struct sched_unit *u));
/* For a unit that keeps no registers on its pCPU. */
static inline void sched_leave_nothing(struct sched_unit *u)
{
    (void)u;
}
/*
 * Before u goes away: it is not picked any more and leaves its pCPU. 0: it has, and nobody but the
 * caller knows of it. -EBUSY: it runs, or is loaded on another pCPU, which has been told, or
 * another pCPU is just about to move it; call again (from a timer, not in a loop: the caller may be
 * what keeps it running). From any pCPU.
 */
int must_check sched_unit_remove(struct sched_unit *u);

/* Makes u runnable; from any pCPU, any context. Waking a running unit keeps it from blocking, and
 * makes it come out of its guest to look what is new. */
void sched_wake(struct sched_unit *u);

/* Something was written down for u, which is to look: raises its `attention` and wakes it. If u
 * belongs to this pCPU now, the unit that runs here is to look too. From any pCPU. */
void sched_kick(struct sched_unit *u);
/* The same for what u itself may have caused: it is not woken if it runs on this pCPU. */
void sched_flag_or_kick(struct sched_unit *u);
/* The unit that runs on this pCPU, or NULL. */
struct sched_unit *sched_running(void);
/* Whose time it is on this pCPU; NULL: nobody's, it idles. */
const struct sched_group *sched_group_here(void);
/* So many ticks were taken from others, or from nobody, for u's sake: it pays for them before it
 * runs next. From any pCPU. */
static inline void sched_unit_owes(struct sched_unit *u, uint64_t ticks)
{
    __atomic_fetch_add(&u->owed, ticks, __ATOMIC_RELAXED);
}
/* Where it runs, or has run last; that may change at any moment. */
static inline unsigned sched_unit_pcpu(const struct sched_unit *u)
{
    return __atomic_load_n(&u->pcpu, __ATOMIC_RELAXED);
}

/* Takes effect at once for a unit that waits, within a kick for one that runs. -EINVAL if no pCPU
 * of the mask runs units. */
int must_check sched_set_affinity(struct sched_unit *u, uint64_t affinity);
/* Where it would rather run, when it is woken next: on another pCPU only if those are busy and that
 * one is not. Says nothing if it may run on none of them. */
void sched_set_likes(struct sched_unit *u, uint64_t pcpus);

/* From within u's run(): someone else first, if someone waits here. */
void sched_unit_yield(struct sched_unit *u);
/* From within u's run(): nobody else wants this pCPU, as far as can be seen without a lock. Cheap.
 */
bool sched_is_alone(void);
/* From within another unit's run(): u first, here if it may come here. False if u does not wait.
 * Who is favoured pays for it: never more than a slice ahead of the others. */
bool sched_yield_to(struct sched_unit *u);

/*
 * From within u's run(), where u has nothing to do before `until` (TSC) unless it is woken: halts
 * this pCPU in u's place if nobody else wants it. Meanwhile u counts for nothing, as if it were
 * blocked; the pCPU counts as idle. True: something came, and u is to look what, as after a wake.
 * False: u is to return from run(), and blocks if that is what it wants. No lock is held; what
 * comes in by an interrupt may do all that it may do in the loop.
 */
bool must_check sched_halt_in_place(uint64_t until);

/* TSC ticks that u has run, its present run included. From any pCPU. */
uint64_t sched_unit_ran(const struct sched_unit *u);

/* TSC ticks in which this pCPU has run no unit since it joined; 0: it has not. From any pCPU. */
uint64_t sched_idled(unsigned pcpu);

/* Until when (TSC) the unit that runs on this pCPU may go on, as of now: a wake of another unit or
 * a timer set since run() was called may have brought it nearer. It does go on, and what it was
 * woken for so far keeps it from blocking no more. */
uint64_t sched_deadline(void);
/* Whether sched_deadline() may have changed since it was last asked. Cheap. */
bool sched_deadline_changed(void);
/* From within u's run(), after interrupts were let in: may u go on, as if it had returned true and
 * been picked again at once? So it is where nobody else is here and the loop has nothing to do. u
 * looks at what it was woken for, and at sched_deadline(). Cheap. */
bool sched_goes_on(void);

/* Whether units need the LAPIC's timer to be brought back at their deadline, since nothing within
 * does it (no preemption timer). Off at first. Boot only. */
void sched_use_tick(bool on);

/* pCPUs of the same number are threads of one core, which run units of one group that stands apart
 * at a time; NULL, as at first: that is not minded. Boot only, before sched_join(). */
void sched_use_cores(uint32_t (*core_number)(unsigned pcpu));
/* How many cores have several pCPUs that are kept so. */
unsigned sched_cores(void);

/* Before all else here. Boot only, after tsc_calibrate(). */
void sched_start(void);
/* The calling pCPU takes part: units may come to it. To one that does not, only those come that may
 * run on no other that does. Boot only. */
void sched_join(void);
uint64_t sched_joined(void); /* mask of those that have */
/* The first and the last of them, for who is told what is allowed; -1 and 0 without any. */
static inline int sched_first_joined(void)
{
    return __builtin_ffsl((long)sched_joined()) - 1;
}
static inline int sched_last_joined(void)
{
    return 63 - __builtin_clzl(sched_joined() | 1);
}
/* Whatever unit is loaded on this pCPU leaves. For who needs the registers himself, outside the
 * runs of units that keep any. */
void sched_clear_pcpu(void);

/* The loop of the calling pCPU; every CPU ends here. */
_Noreturn void sched_loop(void);
/* One turn of it: timers, then a unit's run or a halt. For the loop, and for tests. */
void sched_turn(void);

#endif
