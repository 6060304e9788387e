/*
 * What others may do to a unit, from any pCPU: wake, move, remove it. See sched/sched.h.
 *
 * Each takes the lock of the queue that the unit belongs to, looks at its state, and where the
 * unit's pCPU has to act itself leaves it a note and kicks it.
 */
#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "sched/group.h"
#include "sched/policy.h"
#include "sched/queue.h"
#include "sched/sched.h"

cold void sched_unit_init(struct sched_unit *u, struct sched_group *group, uint64_t affinity,
                          bool (*run)(struct sched_unit *u, uint64_t deadline),
                          void (*leave)(struct sched_unit *u))
{
    ASSERT(group && affinity && run && leave);
    *u = (struct sched_unit){ .group = group,
                              .affinity = affinity,
                              .likes = UINT64_MAX,
                              .run = run,
                              .leave = leave,
                              .state = SCHED_BLOCKED,
                              .pcpu = (unsigned)__builtin_ctzl(affinity),
                              .share = SCHED_DEFAULT_WEIGHT };
    list_init(&u->node.link);
    u->entity = &group->entities[u->pcpu];
}

/* It runs or is on its way: it is to look again. */
static void wake_running(struct run_queue *q, struct sched_unit *u)
{
    u->woken = true;
    if (u->state == SCHED_RUNNING && q->pcpu != cpu_id())
        queue_tell(q, true);
    else
        spin_unlock(&q->lock);
}

/* Only where its registers are may a loaded unit wait; its pCPU sends it on if need be. */
void sched_wake(struct sched_unit *u)
{
    for (;;) {
        struct run_queue *q = queue_lock_of(u);
        unsigned home = q->pcpu, to;

        if (u->state != SCHED_BLOCKED || u->going) {
            wake_running(q, u);
            return;
        }
        to = u->loaded ? home : policy_place(u);
        if (to == home) {
            queue_add(q, u, rdtsc());
            queue_tell(q, false);
            return;
        }
        spin_unlock(&q->lock);
        if (queue_move(u, home, to, SCHED_BLOCKED))
            return;
    }
}

struct sched_unit *sched_running(void)
{
    return sched_queues[cpu_id()].running;
}

const struct sched_group *sched_group_here(void)
{
    const struct run_queue *q = &sched_queues[cpu_id()];

    return q->running && !q->resting ? q->running->group : NULL;
}

/* Where it was moved by others who runs here has been told by them. */
void sched_kick(struct sched_unit *u)
{
    struct sched_unit *here = sched_running();

    __atomic_store_n(&u->attention, true, __ATOMIC_SEQ_CST);
    sched_wake(u);
    if (here && __atomic_load_n(&u->pcpu, __ATOMIC_RELAXED) == cpu_id())
        here->attention = true;
}

void sched_flag_or_kick(struct sched_unit *u)
{
    if (sched_running() == u)
        u->attention = true;
    else
        sched_kick(u);
}

cold int sched_unit_remove(struct sched_unit *u)
{
    struct run_queue *q = queue_lock_of(u);
    bool running = u->state == SCHED_RUNNING, loaded = u->loaded, here = q->pcpu == cpu_id();
    bool pinned;

    u->going = true;
    if (running)
        queue_bound(q, 0);
    else if (u->state == SCHED_RUNNABLE)
        queue_drop(q, u);
    if (running || (loaded && !here)) {
        queue_unsettle(q, SETTLE_UNITS);
        queue_tell(q, true);
        return -EBUSY;
    }
    pinned = __atomic_load_n(&u->pins, __ATOMIC_ACQUIRE);
    spin_unlock(&q->lock);
    if (loaded)
        queue_unload(q);
    return pinned ? -EBUSY : 0;
}

cold int sched_set_affinity(struct sched_unit *u, uint64_t affinity)
{
    struct run_queue *q;

    if (!(affinity & sched_joined()))
        return -EINVAL;
    q = queue_lock_of(u);
    __atomic_store_n(&u->affinity, affinity, __ATOMIC_RELAXED);
    if (affinity & PCPU_BIT(q->pcpu) || (u->state == SCHED_BLOCKED && !u->loaded)) {
        spin_unlock(&q->lock);
        return 0;
    }
    queue_unsettle(q, SETTLE_UNITS);
    queue_bound(q, 0);
    queue_tell(q, true);
    return 0;
}

void sched_set_likes(struct sched_unit *u, uint64_t pcpus)
{
    __atomic_store_n(&u->likes, pcpus, __ATOMIC_RELAXED);
}

/* Of q's running unit's time what has not been charged yet. */
static uint64_t not_charged(const struct run_queue *q, uint64_t now)
{
    return q->resting || q->running->since >= now ? 0 : now - q->running->since;
}

uint64_t sched_unit_ran(const struct sched_unit *u)
{
    struct run_queue *q = queue_lock_of(u);
    uint64_t ran = u->stats.ran + (u->state == SCHED_RUNNING ? not_charged(q, rdtsc()) : 0);

    spin_unlock(&q->lock);
    return ran;
}

uint64_t sched_idled(unsigned pcpu)
{
    struct run_queue *q = queue_lock(pcpu);
    uint64_t now = rdtsc(), ran = q->ran + (q->running ? not_charged(q, now) : 0);
    uint64_t all = sched_joined() & PCPU_BIT(pcpu) ? now - q->joined : 0;

    spin_unlock(&q->lock);
    return ran < all ? all - ran : 0;
}

void sched_unit_yield(struct sched_unit *u)
{
    struct run_queue *q = &sched_queues[cpu_id()];

    ASSERT(q->running == u);
    __atomic_store_n(&q->skip, u, __ATOMIC_RELAXED);
    __atomic_store_n(&q->changed, true, __ATOMIC_RELAXED);
}

/* u waits in q, locked: it goes before the others, and whoever runs makes room. */
static void favour(struct run_queue *q, struct sched_unit *u)
{
    q->next = u;
    if (q->pcpu == cpu_id())
        q->skip = q->running;
    queue_tell(q, false);
}

/* Who does not wait is seen without a lock: who asks tries one after the other. */
bool sched_yield_to(struct sched_unit *u)
{
    const unsigned *state = (const unsigned *)&u->state; /* sparse loads no enum */

    if (__atomic_load_n(state, __ATOMIC_RELAXED) != SCHED_RUNNABLE)
        return false;
    struct run_queue *q = queue_lock_of(u);
    unsigned home = q->pcpu, here = cpu_id();

    if (u->state == SCHED_RUNNABLE && home != here && !u->loaded &&
        queue_allowed(u) & PCPU_BIT(here)) {
        spin_unlock(&q->lock);
        queue_move(u, home, here, SCHED_RUNNABLE);
        q = queue_lock_of(u);
    }
    if (u->state != SCHED_RUNNABLE) {
        spin_unlock(&q->lock);
        return false;
    }
    favour(q, u);
    return true;
}
