/*
 * The account of a group of units: weight, cap, and what of the cap is used.
 *
 * A cap is kept by periods: a group may run cap percent of PERIOD_NS in each. Who overdraws, since
 * several units ran at once or an exit took long, has that much less in the next ones. Time that
 * was not used is lost. Lock: the group's own, within a queue's.
 */
#include "sched/group.h"

#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/string.h"
#include "sched/policy.h"
#include "sched/queue.h"

#define PERIOD_NS 30000000

static unsigned peek(const unsigned *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

cold void sched_group_init(struct sched_group *g, unsigned weight, unsigned cap)
{
    memset(g, 0, sizeof(*g));
    g->lock = (struct spinlock)SPINLOCK_RANK("sched group", LOCK_SCHED_GROUP);
    g->weight = weight ? weight : 1;
    g->cap = cap;
    for (unsigned i = 0; i < MAX_PCPUS; i++) {
        list_init(&g->entities[i].node.link);
        list_init(&g->entities[i].waiting);
    }
}

void sched_group_set_weight(struct sched_group *g, unsigned weight)
{
    __atomic_store_n(&g->weight, weight ? weight : 1, __ATOMIC_RELAXED);
}

/* What its units have run for until now was within the old cap, or had none. */
static void charge_running(const struct sched_group *g)
{
    for (uint64_t rest = sched_joined(); rest; rest &= rest - 1) {
        struct run_queue *q = queue_lock(__builtin_ctzl(rest));

        if (q->running && q->running->group == g)
            policy_charge(q, rdtsc());
        spin_unlock(&q->lock);
    }
}

/* A unit that runs alone has been given no deadline: everyone looks again. */
static void tell_all(void)
{
    for (uint64_t rest = sched_joined(); rest; rest &= rest - 1) {
        unsigned i = __builtin_ctzl(rest);
        struct run_queue *q = queue_lock(i);

        __atomic_store_n(&q->changed, true, __ATOMIC_RELAXED);
        spin_unlock(&q->lock);
        if (i != cpu_id())
            irq_kick(i);
    }
}

cold void sched_group_set_cap(struct sched_group *g, unsigned cap)
{
    if (cap == peek(&g->cap))
        return;
    charge_running(g);
    spin_lock(&g->lock);
    __atomic_store_n(&g->cap, cap, __ATOMIC_RELAXED);
    g->used = 0;
    spin_unlock(&g->lock);
    tell_all();
}

/* Under the lock: begins a new period if the old one is over. */
static uint64_t allowance(struct sched_group *g, uint64_t now)
{
    uint64_t period = tsc_from_ns(PERIOD_NS), each = period * peek(&g->cap) / 100, passed, paid;

    if (now < g->period_end)
        return each;
    passed = (now - g->period_end) / period + 1;
    paid = each && passed > g->used / each ? g->used : passed * each;
    g->used -= paid;
    g->period_end += passed * period;
    ASSERT(g->period_end > now);
    return each;
}

uint64_t group_left(struct sched_group *g, uint64_t now)
{
    uint64_t each, left;

    spin_lock(&g->lock);
    each = allowance(g, now);
    left = g->used < each ? each - g->used : 0;
    spin_unlock(&g->lock);
    return left;
}

uint64_t group_period_end(struct sched_group *g)
{
    uint64_t end;

    spin_lock(&g->lock);
    end = g->period_end;
    spin_unlock(&g->lock);
    return end;
}

void group_charge(struct sched_group *g, uint64_t ticks, uint64_t now)
{
    spin_lock(&g->lock);
    allowance(g, now);
    g->used += ticks;
    spin_unlock(&g->lock);
}

void group_count(struct sched_unit *u, int by)
{
    unsigned before = __atomic_fetch_add(&u->group->active, (unsigned)by, __ATOMIC_RELAXED);

    ASSERT(by > 0 || before > 0);
    u->entity->active += (unsigned)by;
}

void group_move(struct sched_group *g, unsigned from, unsigned to)
{
    g->entities[from].active--;
    g->entities[to].active++;
}

unsigned group_share(const struct sched_group *g)
{
    unsigned active = peek(&g->active), share = peek(&g->weight) / (active ? active : 1);

    return share ? share : 1;
}
