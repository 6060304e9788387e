/*
 * Watching that no pCPU gets stuck. See sched/watch.h.
 *
 * What is seen of a pCPU is one table for all who look. Nothing here takes a lock of the pCPU that
 * is looked at: it may be what that one is stuck with.
 */
#include "sched/watch.h"

#include <stdbool.h>
#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/symbol.h"
#include "arch/x86/tsc.h"
#include "lib/log.h"
#include "sched/queue.h"
#include "sched/timer.h"

#define SECONDS(n) ((n)*tsc_hz)

/* Of each pCPU: its count of signs of life when it was last looked at, that moment, and since when
 * it has been busy without another one, as far as was seen. */
static struct {
    uint64_t alive, last, since;
    bool reported;
} seen[MAX_PCPUS];        /* whoever looks */
static bool looking;      /* somebody does, which is enough; atomic */
static uint64_t watchers; /* a mask of pCPUs whose timer goes; atomic */
static struct timer timers[MAX_PCPUS];

static bool is_watcher(unsigned pcpu)
{
    return __atomic_load_n(&watchers, __ATOMIC_SEQ_CST) & PCPU_BIT(pcpu);
}

static void tell(unsigned pcpu, uint64_t ticks)
{
    uint64_t address = smp_locate(pcpu), offset = 0;
    char name[SYMBOL_NAME];
    bool named = address && symbol_find(address, name, &offset);

    log_error("pCPU %u is stuck: no turn for %lu s, at 0x%lx %s+0x%lx", pcpu, ticks / tsc_hz,
              address, named ? name : "(it does not say)", offset);
}

/* Looks that are too far apart prove nothing: it may have been idle in between. */
static void look_at(unsigned pcpu, uint64_t now)
{
    uint64_t alive = __atomic_load_n(&percpu[pcpu].alive, __ATOMIC_RELAXED);
    bool moved = alive != seen[pcpu].alive;

    if (moved && seen[pcpu].reported)
        log_warn("pCPU %u goes on", pcpu);
    if (moved || now - seen[pcpu].last > SECONDS(2 * WATCH_PERIOD_S)) {
        seen[pcpu].alive = alive;
        seen[pcpu].since = now;
        seen[pcpu].reported = false;
    }
    seen[pcpu].last = now;
    if (now - seen[pcpu].since < SECONDS(WATCH_STUCK_S) || seen[pcpu].reported)
        return;
    seen[pcpu].reported = true;
    tell(pcpu, now - seen[pcpu].since);
}

/* True if any other is busy. */
static bool look_around(unsigned me, uint64_t now)
{
    uint64_t busy = sched_joined() & ~queue_idle() & ~PCPU_BIT(me);

    if (!busy || __atomic_exchange_n(&looking, true, __ATOMIC_ACQUIRE))
        return busy;
    for (unsigned n = 0; n < MAX_PCPUS; n++) {
        if (busy & PCPU_BIT(n))
            look_at(n, now);
    }
    __atomic_store_n(&looking, false, __ATOMIC_RELEASE);
    return busy;
}

static void fire(struct timer *t)
{
    (void)t;
    watch_look(&sched_queues[cpu_id()], rdtsc());
}

/* Goes on for as long as somebody is busy. */
static void keep_watching(unsigned me, bool busy, uint64_t now)
{
    if (busy) {
        if (!timers[me].fn)
            timer_init(&timers[me], fire);
        timer_set(&timers[me], now + SECONDS(WATCH_PERIOD_S));
    } else {
        __atomic_fetch_and(&watchers, ~PCPU_BIT(me), __ATOMIC_SEQ_CST);
    }
}

/* Any idle pCPU will do; it finds out at its next turn, which the kick brings about. */
static void ask_for_watcher(void)
{
    uint64_t idle = queue_idle();
    unsigned chosen;

    if (!idle || __atomic_load_n(&watchers, __ATOMIC_SEQ_CST))
        return;
    chosen = (unsigned)__builtin_ctzl(idle);
    __atomic_fetch_or(&watchers, PCPU_BIT(chosen), __ATOMIC_SEQ_CST);
    __atomic_store_n(&sched_queues[chosen].next_look, 0, __ATOMIC_RELAXED);
    irq_kick(chosen);
}

void watch_look(struct run_queue *q, uint64_t now)
{
    bool busy_all_along = q->next_look && !q->rested; /* since its last look, if there was one */
    bool others_busy = look_around(q->pcpu, now);

    __atomic_store_n(&q->next_look, now + SECONDS(WATCH_PERIOD_S), __ATOMIC_RELAXED);
    q->rested = false;
    if (is_watcher(q->pcpu))
        keep_watching(q->pcpu, others_busy, now);
    else if (busy_all_along && !others_busy)
        ask_for_watcher();
}
