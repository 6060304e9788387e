/*
 * Units on their way between pCPUs. See sched/balance.h.
 */
#include "sched/balance.h"

#include <stddef.h>
#include "sched/core.h"
#include "sched/policy.h"

static bool give_one(struct run_queue *q)
{
    struct sched_unit *u;
    unsigned to = 0;

    spin_lock(&q->lock);
    u = policy_give(q, &to);
    return queue_move_found(q, u, to);
}

/* Gives what waits here to pCPUs that have nothing, once for each unit at most. */
void balance_share_out(struct run_queue *q)
{
    for (unsigned n = __atomic_load_n(&q->count, __ATOMIC_RELAXED); n > 1 && queue_idle(); n--)
        if (!give_one(q))
            return;
}

/* Once it is time, a unit goes to a pCPU that has less to do. */
void balance_rotate(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u;
    unsigned to = 0;

    spin_lock(&q->lock);
    u = policy_rotate(q, now, &to);
    queue_move_found(q, u, to);
}

/* Who is loaded could not go. */
void balance_awaiting(struct run_queue *q, uint64_t now)
{
    if (!core_is_awaited(q))
        return;
    if (q->loaded)
        queue_unload(q);
    for (unsigned n = __atomic_load_n(&q->count, __ATOMIC_RELAXED); n && give_one(q); n--)
        ;
    if (policy_may_rotate(q, now))
        balance_rotate(q, now);
}

static bool take_from(struct run_queue *other, unsigned to, uint64_t now)
{
    struct sched_unit *u;

    if (!__atomic_load_n(&other->count, __ATOMIC_RELAXED))
        return false;
    queue_lock(other->pcpu);
    u = policy_spare(other, now, to);
    return queue_move_found(other, u, to);
}

/* The set as seen from behind pCPU n: bit 0 is the one after it, and so on round. */
static uint64_t round_from(uint64_t set, unsigned n)
{
    unsigned by = (n + 1) % 64;

    return set >> by | set << (-by & 63);
}

/* Takes work that waits elsewhere. This pCPU already counts as idle: what begins to wait after we
 * looked is sent to it. */
bool balance_take(struct run_queue *q, uint64_t now)
{
    uint64_t others = round_from(sched_joined() & ~PCPU_BIT(q->pcpu), q->pcpu);

    for (; others; others &= others - 1) {
        unsigned n = (q->pcpu + 1 + (unsigned)__builtin_ctzl(others)) % 64;
        if (take_from(&sched_queues[n], q->pcpu, now))
            return true;
    }
    return false;
}
