/*
 * Run queues: their locks, who is in them, and moving between them. See sched/queue.h.
 */
#include "sched/queue.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "sched/core.h"
#include "sched/group.h"
#include "sched/policy.h"
#include "sched/timer.h"

struct run_queue sched_queues[MAX_PCPUS];
static uint64_t joined, idle; /* masks of pCPUs; atomic */

cold void sched_start(void)
{
    policy_start();
    timer_start();
    for (unsigned i = 0; i < MAX_PCPUS; i++) {
        struct run_queue *q = &sched_queues[i];

        q->lock = (struct spinlock)SPINLOCK_RANK("run queue", LOCK_SCHED_QUEUE);
        q->pcpu = i;
        list_init(&q->waiting);
        list_init(&q->parked);
    }
}

cold void sched_join(void)
{
    sched_queues[cpu_id()].joined = rdtsc();
    __atomic_fetch_or(&joined, PCPU_BIT(cpu_id()), __ATOMIC_SEQ_CST);
    core_join(&sched_queues[cpu_id()]);
}

uint64_t sched_joined(void)
{
    return __atomic_load_n(&joined, __ATOMIC_SEQ_CST);
}

uint64_t queue_idle(void)
{
    return __atomic_load_n(&idle, __ATOMIC_SEQ_CST) & sched_joined();
}

void queue_set_idle(unsigned pcpu, bool on)
{
    if (on)
        __atomic_fetch_or(&idle, PCPU_BIT(pcpu), __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&idle, ~PCPU_BIT(pcpu), __ATOMIC_SEQ_CST);
}

static unsigned home_of(const struct sched_unit *u)
{
    return __atomic_load_n(&u->pcpu, __ATOMIC_ACQUIRE);
}

uint64_t queue_allowed(const struct sched_unit *u)
{
    uint64_t may = __atomic_load_n(&u->affinity, __ATOMIC_RELAXED) & sched_joined();

    return may ? may : PCPU_BIT(home_of(u));
}

struct run_queue *queue_lock(unsigned pcpu)
{
    struct run_queue *q = &sched_queues[pcpu];

    ASSERT(pcpu < MAX_PCPUS);
    spin_lock(&q->lock);
    return q;
}

/* It may move while we wait for the lock. */
struct run_queue *queue_lock_of(const struct sched_unit *u)
{
    for (;;) {
        unsigned home = home_of(u);
        struct run_queue *q = queue_lock(home);

        if (home_of(u) == home)
            return q;
        spin_unlock(&q->lock);
    }
}

static void lock_two(unsigned a, unsigned b)
{
    queue_lock(a < b ? a : b);
    queue_lock(a < b ? b : a);
}

static void count(struct run_queue *q, int by, unsigned load)
{
    __atomic_store_n(&q->count, q->count + (unsigned)by, __ATOMIC_RELAXED);
    __atomic_store_n(&q->load, by > 0 ? q->load + load : q->load - load, __ATOMIC_RELAXED);
}

void queue_add(struct run_queue *q, struct sched_unit *u, uint64_t now)
{
    ASSERT(u->state == SCHED_BLOCKED && !u->going);
    if (q->running)
        policy_charge(q, now);
    u->state = SCHED_RUNNABLE;
    u->ready = now;
    u->stats.waits++;
    group_count(u, 1);
    u->share = group_share(u->group);
    count(q, 1, u->share);
    policy_wake(q, u);
    policy_enqueue(q, u, now);
    if (!(queue_allowed(u) & PCPU_BIT(q->pcpu)))
        queue_unsettle(q, SETTLE_UNITS);
}

void queue_drop(struct run_queue *q, struct sched_unit *u)
{
    if (u->state == SCHED_RUNNABLE)
        policy_dequeue(q, u);
    u->state = SCHED_BLOCKED;
    count(q, -1, u->share);
    group_count(u, -1);
}

void queue_tell(struct run_queue *q, bool always)
{
    unsigned pcpu = q->pcpu;
    bool here = pcpu == cpu_id();
    bool stands = !q->running || q->resting;
    bool kick = !here && (always || stands || policy_bound(q, rdtsc()) < q->bound);

    __atomic_store_n(&q->changed, true, __ATOMIC_RELAXED);
    if (kick && queue_idle() & PCPU_BIT(pcpu))
        queue_set_idle(pcpu, false); /* it is spoken for */
    spin_unlock(&q->lock);
    if (kick)
        irq_kick(pcpu);
}

static void change_home(struct sched_unit *u, struct run_queue *from, struct run_queue *to,
                        uint64_t now)
{
    bool waits = u->state == SCHED_RUNNABLE;

    if (to->running)
        policy_charge(to, now);
    if (waits) {
        policy_dequeue(from, u);
        count(from, -1, u->share);
        count(to, 1, u->share);
        u->stats.waited += now > u->since ? now - u->since : 0;
    }
    u->entity = &u->group->entities[to->pcpu];
    __atomic_store_n(&u->pcpu, to->pcpu, __ATOMIC_RELEASE);
    u->stats.migrations++;
    policy_arrive(from, to, u, now);
    if (waits) {
        group_move(u->group, from->pcpu, to->pcpu);
        policy_enqueue(to, u, now);
    } else {
        queue_add(to, u, now);
    }
}

bool queue_move(struct sched_unit *u, unsigned from, unsigned to, enum sched_state state)
{
    struct run_queue *q = &sched_queues[from], *target = &sched_queues[to];

    ASSERT(from != to && state != SCHED_RUNNING);
    lock_two(from, to);
    bool can = home_of(u) == from && u->state == state && !u->loaded && !u->going;
    if (can)
        change_home(u, q, target, rdtsc());
    spin_unlock(&q->lock);
    if (can)
        queue_tell(target, false);
    else
        spin_unlock(&target->lock);
    return can;
}

bool queue_move_found(struct run_queue *q, struct sched_unit *u, unsigned to)
{
    bool moved;

    if (u)
        __atomic_fetch_add(&u->pins, 1, __ATOMIC_RELAXED);
    spin_unlock(&q->lock);
    if (!u)
        return false;
    moved = to != q->pcpu && queue_move(u, q->pcpu, to, SCHED_RUNNABLE);
    __atomic_fetch_sub(&u->pins, 1, __ATOMIC_RELEASE);
    return moved;
}
