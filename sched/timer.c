/*
 * Timers: a list for each pCPU, sorted by deadline.
 *
 * A pCPU has a handful of them (a few for each vCPU), so a list is as fast as anything cleverer
 * and can be checked by eye. Equal deadlines fire in the order in which they were set.
 */
#include "sched/timer.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "sched/sched.h"

static struct timer_queue {
    struct spinlock lock;
    struct list_node timers;
    struct timer *firing; /* its fn() is at work; or NULL */
    uint64_t soonest;     /* deadline of the first, or TIME_NEVER; peeked at without the lock */
    uint64_t earliest; /* while they fire: the first moment that is not looked at yet. Own pCPU */
} queues[MAX_PCPUS];

void timer_start(void)
{
    for (unsigned i = 0; i < MAX_PCPUS; i++) {
        queues[i].lock = (struct spinlock)SPINLOCK_RANK("timers", LOCK_TIMERS);
        list_init(&queues[i].timers);
        queues[i].soonest = TIME_NEVER;
    }
}

static struct timer_queue *queue_lock(unsigned pcpu)
{
    struct timer_queue *q = &queues[pcpu];

    ASSERT(pcpu < MAX_PCPUS);
    spin_lock(&q->lock);
    return q;
}

static struct timer *queue_first(const struct timer_queue *q)
{
    return list_empty(&q->timers) ? NULL : LIST_ENTRY(q->timers.next, struct timer, link);
}

/* Only its own pCPU puts timers in; others take some out, and it may then look in vain. */
static void queue_changed(struct timer_queue *q)
{
    const struct timer *first = queue_first(q);

    __atomic_store_n(&q->soonest, first ? first->deadline : TIME_NEVER, __ATOMIC_RELAXED);
}

static uint64_t queue_soonest(const struct timer_queue *q)
{
    return __atomic_load_n(&q->soonest, __ATOMIC_RELAXED);
}

/* Who reads false without the lock finds all that was done to it under the lock. */
static void set_armed(struct timer *t, bool armed)
{
    __atomic_store_n(&t->armed, armed, __ATOMIC_RELEASE);
}

static void queue_insert(struct timer_queue *q, struct timer *t)
{
    struct list_node *pos;

    list_for_each (pos, &q->timers) {
        if (LIST_ENTRY(pos, struct timer, link)->deadline > t->deadline)
            break;
    }
    list_add_tail(pos, &t->link);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
    *t = (struct timer){ .deadline = TIME_NEVER, .fn = fn };
    list_init(&t->link);
}

static void wake(struct timer *t)
{
    sched_wake(t->unit);
}

void timer_init_wake(struct timer *t, struct sched_unit *u)
{
    timer_init(t, wake);
    t->unit = u;
}

void timer_cancel(struct timer *t)
{
    struct timer_queue *q;

    if (!__atomic_load_n(&t->armed, __ATOMIC_ACQUIRE))
        return;
    q = queue_lock(t->pcpu);
    list_remove(&t->link);
    set_armed(t, false);
    queue_changed(q);
    spin_unlock(&q->lock);
}

void timer_cancel_sync(struct timer *t)
{
    timer_cancel(t);
    for (unsigned i = 0; i < MAX_PCPUS; i++) {
        while (i != cpu_id() && __atomic_load_n(&queues[i].firing, __ATOMIC_ACQUIRE) == t)
            cpu_relax();
    }
}

void timer_set(struct timer *t, uint64_t deadline)
{
    struct timer_queue *q;

    ASSERT(t->fn);
    timer_cancel(t);
    if (deadline == TIME_NEVER)
        return;
    t->pcpu = cpu_id();
    q = queue_lock(t->pcpu);
    t->deadline = deadline < q->earliest ? q->earliest : deadline;
    queue_insert(q, t);
    set_armed(t, true);
    queue_changed(q);
    spin_unlock(&q->lock);
}

uint64_t timer_next(void)
{
    return queue_soonest(&queues[cpu_id()]);
}

/* Takes the first timer out if it is due. */
static struct timer *take_due(struct timer_queue *q, uint64_t now)
{
    struct timer *t;

    if (now < queue_soonest(q))
        return NULL;
    spin_lock(&q->lock);
    t = queue_first(q);
    if (t && t->deadline > now)
        t = NULL;
    __atomic_store_n(&q->firing, t, __ATOMIC_RELAXED); /* before it is seen not to be armed */
    if (t) {
        list_remove(&t->link);
        set_armed(t, false);
        queue_changed(q);
    }
    spin_unlock(&q->lock);
    return t;
}

/* u, if there is one, pays for what was done since `begun`. Returns when that was over. */
static uint64_t charge(struct sched_unit *u, uint64_t begun)
{
    uint64_t now = rdtsc();

    if (u)
        sched_unit_owes(u, now - begun);
    return now;
}

/*
 * Each at most once: what is set meanwhile for a moment that is due already waits for the next
 * look, else a short period could hold the pCPU for ever, or keep the others from their turn. Out
 * of line, so that a turn at which nothing is due pays nothing for it.
 */
static __attribute__((noinline)) void run_due(struct timer_queue *q, uint64_t now)
{
    struct timer *t;
    uint64_t begun = now;

    q->earliest = now + 1;
    while ((t = take_due(q, now))) {
        t->fn(t);
        begun = charge(t->unit, begun);
        __atomic_store_n(&q->firing, NULL, __ATOMIC_RELEASE);
    }
    q->earliest = 0;
}

void timer_run(uint64_t now)
{
    struct timer_queue *q = &queues[cpu_id()];

    if (unlikely(now >= queue_soonest(q)))
        run_due(q, now);
}
