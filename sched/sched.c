/*
 * The scheduler: a run queue for each pCPU, first in, first out.
 *
 * A unit that runs is in no queue; its pCPU's `running` names it. It goes back to the head while
 * its slice lasts and to the tail after that, so an interrupt in the middle costs it nothing.
 */
#include "sched/sched.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "sched/timer.h"

#define SLICE_NS 10000000

static struct run_queue {
    struct spinlock lock;
    struct list_node waiting;   /* runnable, not running */
    struct sched_unit *running; /* or NULL */
} queues[MAX_PCPUS];
static bool use_tick; /* boot only */

void sched_use_tick(bool on)
{
    use_tick = on;
}

static struct run_queue *queue_lock(unsigned pcpu)
{
    struct run_queue *q = &queues[pcpu];

    ASSERT(pcpu < MAX_PCPUS);
    spin_lock(&q->lock);
    if (!q->waiting.next)
        list_init(&q->waiting);
    return q;
}

void sched_unit_init(struct sched_unit *u, unsigned pcpu,
                     bool (*run)(struct sched_unit *u, uint64_t deadline))
{
    ASSERT(pcpu < MAX_PCPUS && run);
    *u = (struct sched_unit){ .state = SCHED_BLOCKED, .pcpu = pcpu, .run = run };
    list_init(&u->link);
}

void sched_wake(struct sched_unit *u)
{
    struct run_queue *q = queue_lock(u->pcpu);
    bool here = u->pcpu == cpu_id();
    /* Whoever runs here was given its deadline while nobody waited: it has to come out and be given
     * another. */
    bool news = here ? u->state == SCHED_BLOCKED && q->running : u->state != SCHED_RUNNABLE;

    if (u->state == SCHED_RUNNING)
        u->woken = true;
    if (u->state == SCHED_BLOCKED) {
        u->state = SCHED_RUNNABLE;
        list_add_tail(&q->waiting, &u->link);
    }
    spin_unlock(&q->lock);
    if (news)
        irq_kick(u->pcpu);
}

void sched_unit_remove(struct sched_unit *u)
{
    struct run_queue *q = queue_lock(u->pcpu);

    ASSERT(u->state != SCHED_RUNNING);
    list_remove(&u->link);
    u->state = SCHED_BLOCKED;
    spin_unlock(&q->lock);
}

uint64_t sched_deadline(void)
{
    struct run_queue *q = queue_lock(cpu_id());
    uint64_t next = timer_next();
    uint64_t deadline = TIMER_NEVER;

    if (q->running && !list_empty(&q->waiting))
        deadline = q->running->slice_end;
    spin_unlock(&q->lock);
    return next < deadline ? next : deadline;
}

/* Takes the first unit out of the queue to run it; NULL if there is none. */
static struct sched_unit *sched_pick(uint64_t now)
{
    struct run_queue *q = queue_lock(cpu_id());
    struct sched_unit *u = NULL;

    ASSERT(!q->running);
    if (!list_empty(&q->waiting)) {
        u = LIST_ENTRY(q->waiting.next, struct sched_unit, link);
        ASSERT(u->state == SCHED_RUNNABLE && u->pcpu == cpu_id());
        list_remove(&u->link);
        u->state = SCHED_RUNNING;
        u->woken = false;
        if (u->slice_end <= now)
            u->slice_end = now + tsc_from_ns(SLICE_NS);
        q->running = u;
    }
    spin_unlock(&q->lock);
    return u;
}

/* Puts a unit that has run where it belongs. */
static void sched_put(struct sched_unit *u, bool runnable, uint64_t now)
{
    struct run_queue *q = queue_lock(u->pcpu);

    ASSERT(q->running == u && u->state == SCHED_RUNNING);
    q->running = NULL;
    u->state = runnable || u->woken ? SCHED_RUNNABLE : SCHED_BLOCKED;
    if (u->state == SCHED_RUNNABLE && u->slice_end > now)
        list_add(&q->waiting, &u->link);
    else if (u->state == SCHED_RUNNABLE)
        list_add_tail(&q->waiting, &u->link);
    spin_unlock(&q->lock);
}

/* A wake that comes after the queue was found empty sends an interrupt, and irq_wait() does not
 * sleep over one that is pending. */
static void sched_idle(void)
{
    lapic_timer_set(timer_next());
    irq_wait();
}

void sched_turn(void)
{
    uint64_t start = rdtsc(), end, deadline;
    struct sched_unit *u;
    bool runnable;

    timer_run(start);
    u = sched_pick(start);
    if (!u) {
        sched_idle();
        return;
    }
    deadline = sched_deadline();
    if (use_tick)
        lapic_timer_set(deadline);
    runnable = u->run(u, deadline);
    end = rdtsc();
    u->ran += end - start;
    sched_put(u, runnable, end);
}

void sched_loop(void)
{
    for (;;)
        sched_turn();
}
