/*
 * The loop of a pCPU: pick, switch, run, put back. See sched/sched.h.
 *
 * A unit that runs stays counted in its queue, but is in no list; its pCPU's `running` names it,
 * and `loaded` the one whose registers the pCPU holds, running or not.
 */
#include "sched/sched.h"

#include <stddef.h>
#include "arch/x86/bound.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/lockdep.h"
#include "lib/time.h"
#include "sched/balance.h"
#include "sched/core.h"
#include "sched/group.h"
#include "sched/policy.h"
#include "sched/queue.h"
#include "sched/timer.h"
#include "sched/watch.h"

static bool use_tick; /* boot only */

void sched_use_tick(bool on)
{
    use_tick = on;
}

static bool is_unsettled(const struct run_queue *q, unsigned how)
{
    return __atomic_load_n(&q->unsettled, __ATOMIC_RELAXED) & how;
}

/* Tells the running unit how long it may go on: who changes that from now on raises
 * `changed`. */
static void bound(struct run_queue *q, uint64_t now)
{
    __atomic_store_n(&q->changed, false, __ATOMIC_RELAXED);
    /* What is unsettled the loop has to see to first. */
    queue_bound(q, is_unsettled(q, SETTLE_UNITS) ? 0 : policy_bound(q, now));
}

uint64_t sched_deadline(void)
{
    struct run_queue *q = queue_lock(cpu_id());
    uint64_t until = UINT64_MAX;

    if (q->running) {
        bound(q, rdtsc());
        q->running->woken = false;
        until = q->bound;
    }
    spin_unlock(&q->lock);
    return time_earlier(until, timer_next());
}

bool sched_deadline_changed(void)
{
    return __atomic_load_n(&sched_queues[cpu_id()].changed, __ATOMIC_RELAXED);
}

bool sched_is_alone(void)
{
    return __atomic_load_n(&sched_queues[cpu_id()].count, __ATOMIC_RELAXED) == 1;
}

/* Has this pCPU's own loop something to do? */
static bool loop_is_due(const struct run_queue *q, uint64_t now)
{
    return now >= timer_next() || now >= __atomic_load_n(&q->next_look, __ATOMIC_RELAXED);
}

/* Threads of a core ask each other at each pick. */
bool sched_goes_on(void)
{
    const struct run_queue *q = &sched_queues[cpu_id()];

    return sched_is_alone() && !is_unsettled(q, SETTLE_UNITS | SETTLE_CORE) && !core_of(q) &&
           !loop_is_due(q, rdtsc());
}

/* ---- Leaving ------------------------------------------------------------------------------- */

/* u, or nobody, in place of who is loaded. While leave() is at work the unit still counts as
 * loaded: it is not freed under its feet. */
static void load(struct run_queue *q, struct sched_unit *u)
{
    struct sched_unit *old = q->loaded;

    ASSERT(q->pcpu == cpu_id() && old != u);
    if (old)
        old->leave(old);
    spin_lock(&q->lock);
    if (old) {
        ASSERT(old->loaded && old->pcpu == q->pcpu);
        old->loaded = false;
    }
    if (u) {
        ASSERT(!u->loaded);
        u->loaded = true;
        u->stats.switches++;
    }
    q->loaded = u;
    spin_unlock(&q->lock);
}

void queue_unload(struct run_queue *q)
{
    ASSERT(q->loaded && q->loaded != q->running);
    load(q, NULL);
}

void sched_clear_pcpu(void)
{
    struct run_queue *q = &sched_queues[cpu_id()];

    if (q->loaded && q->loaded != q->running)
        queue_unload(q);
}

/* Does its stay here end? */
static bool must_leave(struct run_queue *q)
{
    const struct sched_unit *u;
    bool must;

    spin_lock(&q->lock);
    __atomic_store_n(&q->unsettled, 0, __ATOMIC_RELAXED);
    u = q->loaded;
    must = u && (u->going || !(queue_allowed(u) & PCPU_BIT(q->pcpu)));
    spin_unlock(&q->lock);
    return must;
}

static struct sched_unit *find_stray(struct list_node *list, unsigned pcpu)
{
    struct sched_unit *u = policy_next(list, NULL);

    while (u && queue_allowed(u) & PCPU_BIT(pcpu))
        u = policy_next(list, u);
    return u;
}

/* Sends one unit that waits here and must not to where it may; false if there is none. */
static bool send_stray(struct run_queue *q)
{
    struct sched_unit *u;
    unsigned to = 0;

    spin_lock(&q->lock);
    u = find_stray(&q->waiting, q->pcpu);
    if (!u)
        u = find_stray(&q->parked, q->pcpu);
    if (u)
        to = policy_place(u);
    queue_move_found(q, u, to);
    return u;
}

/* Does what others asked of this pCPU since the last turn. */
static void settle(struct run_queue *q)
{
    if (likely(!__atomic_load_n(&q->unsettled, __ATOMIC_RELAXED)))
        return;
    if (is_unsettled(q, SETTLE_CORE))
        core_leave(q);
    if (must_leave(q))
        queue_unload(q);
    while (send_stray(q))
        ;
}

/* ---- A turn -------------------------------------------------------------------------------- */

/* The end of a wait. */
static void count_wait(struct sched_unit *u, uint64_t now)
{
    uint64_t waited = now > u->since ? now - u->since : 0;

    u->stats.waited += waited;
    if (!u->fresh)
        return;
    u->stats.wakes++;
    u->stats.woken_wait += waited;
    if (u->stats.woken_most < waited)
        u->stats.woken_most = waited;
}

/* Takes the unit that is to run out of its queue; NULL if there is none. */
static struct sched_unit *pick(struct run_queue *q)
{
    struct sched_unit *u;

    spin_lock(&q->lock);
    ASSERT(!q->running);
    uint64_t now = rdtsc();
    u = unlikely(core_of(q)) ? core_pick(q, now) : policy_pick(q, now);
    if (u) {
        bool again = u == q->last;

        ASSERT(u->state == SCHED_RUNNABLE && u->pcpu == q->pcpu && !u->going);
        policy_dequeue(q, u);
        q->last = NULL;
        count_wait(u, now);
        u->state = SCHED_RUNNING;
        u->woken = false;
        q->running = u;
        policy_begin(q, u, again, now);
        bound(q, now);
    }
    spin_unlock(&q->lock);
    return u;
}

/* Puts the unit that has run where it belongs. */
static void put(struct run_queue *q, bool runnable, uint64_t now)
{
    struct sched_unit *u;

    spin_lock(&q->lock);
    u = q->running;
    ASSERT(u && u->state == SCHED_RUNNING && u->pcpu == q->pcpu);
    policy_charge(q, now);
    q->running = NULL;
    q->vacated = now;
    if (u->going || !(runnable || u->woken)) {
        queue_drop(q, u);
    } else {
        u->state = SCHED_RUNNABLE;
        policy_enqueue(q, u, now);
        q->last = u;
    }
    spin_unlock(&q->lock);
}

/* Whoever has moved the bound since the pick has raised `changed`, which is looked at once the unit
 * is about to go on. */
static void run(struct run_queue *q, struct sched_unit *u)
{
    uint64_t deadline = time_earlier(__atomic_load_n(&q->bound, __ATOMIC_RELAXED), timer_next());
    bool runnable;

    if (use_tick)
        lapic_timer_set(deadline);
    span_begin(NULL, (const void *)u->run, rdtsc());
    if (LOCKDEP && lockdep_held)
        ASSERT(lockdep_held() == 0);
    if (LOCKDEP)
        core_watch(u->group);
    runnable = u->run(u, deadline);
    if (LOCKDEP)
        core_watch(NULL);
    put(q, runnable, rdtsc());
}

/* A unit that comes after we looked for one sends an interrupt, and irq_wait() does not sleep over
 * one that is pending. */
static void halt_until(uint64_t moment)
{
    lapic_timer_set(time_earlier(moment, timer_next()));
    span_end();
    irq_wait();
    span_begin("idle", NULL, rdtsc());
}

static void rest(struct run_queue *q)
{
    uint64_t release;

    spin_lock(&q->lock);
    release = policy_release(q);
    spin_unlock(&q->lock);
    halt_until(release);
}

/* Nothing to do here: looks elsewhere, else halts. */
static struct sched_unit *idle(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = NULL;

    q->rested = true;
    q->vacated = 0;
    queue_set_idle(q->pcpu, true);
    if (unlikely(core_of(q)))
        balance_awaiting(q, now);
    if (balance_take(q, now))
        u = pick(q);
    else
        rest(q);
    queue_set_idle(q->pcpu, false);
    return u;
}

/* ---- Resting in place ---------------------------------------------------------------------- */

/* Nobody else is in this queue, nothing is wanted of its unit, and it does not keep a core. */
static bool may_halt(const struct run_queue *q)
{
    return q->count == 1 && !is_unsettled(q, SETTLE_UNITS | SETTLE_CORE) && !q->running->going;
}

/* From here on it counts for nothing, as if it were blocked. False: it had better look again. */
static bool halt_begins(struct run_queue *q)
{
    spin_lock(&q->lock);
    bool may = may_halt(q) && !q->running->woken;
    if (may) {
        policy_charge(q, rdtsc());
        group_count(q->running, -1);
        q->resting = true;
    }
    spin_unlock(&q->lock);
    return may;
}

/* True if it may go on, as if it had been woken and picked at once. Others of its group may have
 * used up what it had to go on with. */
static bool halt_ends(struct run_queue *q)
{
    uint64_t now = rdtsc();
    struct sched_unit *u = q->running;

    spin_lock(&q->lock);
    bool on = may_halt(q) && !loop_is_due(q, now) && group_budget(u->group, now);
    if (unlikely(group_has_cap(u->group)))
        __atomic_store_n(&q->changed, true, __ATOMIC_RELAXED);
    q->resting = false;
    group_count(u, 1);
    policy_begin(q, u, false, now);
    if (on) {
        u->woken = false;
        u->stats.wakes++;
    }
    spin_unlock(&q->lock);
    return on;
}

bool sched_halt_in_place(uint64_t until)
{
    struct run_queue *q = &sched_queues[cpu_id()];

    if (!halt_begins(q))
        return false;
    q->rested = true;
    queue_set_idle(q->pcpu, true);
    if (!balance_take(q, rdtsc()))
        halt_until(until);
    queue_set_idle(q->pcpu, false);
    return halt_ends(q);
}

/* ---- The loop ------------------------------------------------------------------------------ */

static bool has_several(const struct run_queue *q)
{
    return __atomic_load_n(&q->count, __ATOMIC_RELAXED) > 1;
}

/* Units that never enter a guest for long would keep interrupts out for ever, hence the first line.
 */
void sched_turn(void)
{
    span_end();
    irq_let_in();

    struct run_queue *q = &sched_queues[cpu_id()];
    uint64_t now = rdtsc();
    struct sched_unit *u;

    span_begin("turn", NULL, now);
    cpu_is_alive();
    timer_run(now);
    if (unlikely(now >= __atomic_load_n(&q->next_look, __ATOMIC_RELAXED)))
        watch_look(q, now);
    settle(q);
    if (has_several(q) && policy_may_rotate(q, now))
        balance_rotate(q, now);
    u = pick(q);
    if (!u)
        u = idle(q, now);
    if (!u)
        return;
    if (q->loaded != u)
        load(q, u);
    if (has_several(q) && queue_idle())
        balance_share_out(q);
    run(q, u);
}

void sched_loop(void)
{
    for (;;)
        sched_turn();
}
