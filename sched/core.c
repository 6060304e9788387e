/*
 * The threads of a core and whom they run together. See sched/core.h.
 *
 * Each thread decides for itself, at its own pick, under the core's lock; what it wants and does
 * not get it leaves there as its claim, which counts until its next pick. Nobody waits for a long
 * time: a claim's timer brings its thread back to ask again, and whoever leaves the core to others
 * kicks those who have claims.
 */
#include "sched/core.h"

#include <stddef.h>
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "sched/policy.h"
#include "sched/timer.h"

bool core_exists;
static uint32_t (*number_of)(unsigned pcpu); /* boot only, as is what follows */
static struct sched_core cores[MAX_PCPUS / 2];
static unsigned count;
static struct core_claim claims[MAX_PCPUS]; /* under the core's lock */
static struct timer alarms[MAX_PCPUS];      /* of claims; each its own pCPU's */
static struct spinlock joining = SPINLOCK_INIT;

static uint64_t peek(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void set(uint64_t *p, uint64_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELAXED);
}

void sched_use_cores(uint32_t (*core_number)(unsigned pcpu))
{
    number_of = core_number;
}

unsigned sched_cores(void)
{
    return count;
}

/* That it comes is all there is to it: the turn that follows looks again. */
static void alarm(struct timer *t)
{
    (void)t;
}

static void share_core(struct run_queue *first, struct run_queue *q)
{
    struct sched_core *c = first->core ? first->core : &cores[count++];

    if (!first->core) {
        c->lock = (struct spinlock)SPINLOCK_RANK("core", LOCK_SCHED_CORE);
        c->threads = PCPU_BIT(first->pcpu);
        __atomic_store_n(&first->core, c, __ATOMIC_RELEASE);
    }
    set(&c->threads, c->threads | PCPU_BIT(q->pcpu));
    __atomic_store_n(&q->core, c, __ATOMIC_RELEASE);
    __atomic_store_n(&core_exists, true, __ATOMIC_RELAXED);
}

void core_join(struct run_queue *q)
{
    if (!number_of || q->core)
        return;
    timer_init(&alarms[q->pcpu], alarm);
    spin_lock(&joining);
    for (uint64_t rest = sched_joined() & ~PCPU_BIT(q->pcpu); rest && !q->core; rest &= rest - 1) {
        unsigned n = (unsigned)__builtin_ctzl(rest);
        if (number_of(n) == number_of(q->pcpu))
            share_core(&sched_queues[n], q);
    }
    spin_unlock(&joining);
}

/* ---- What others peek at ------------------------------------------------------------------- */

/* Who has a claim on a core where nobody is inside is about to enter. */
static bool is_open(unsigned n, const struct sched_group *g)
{
    const struct sched_core *c = core_of(&sched_queues[n]);

    if (!c)
        return true;
    if (peek(&c->inside) & ~PCPU_BIT(n))
        return __atomic_load_n(&c->owner, __ATOMIC_RELAXED) == g;
    return !(peek(&c->waiting) & ~PCPU_BIT(n));
}

uint64_t core_filter(uint64_t pcpus, const struct sched_group *g)
{
    uint64_t open = pcpus;

    for (uint64_t rest = g->apart ? pcpus : 0; rest; rest &= rest - 1)
        if (!is_open((unsigned)__builtin_ctzl(rest), g))
            open &= ~(rest & -rest);
    return open;
}

unsigned core_load(unsigned n)
{
    const struct sched_core *c = core_of(&sched_queues[n]);
    unsigned load = 0;

    for (uint64_t rest = c ? peek(&c->threads) : PCPU_BIT(n); rest; rest &= rest - 1)
        load += __atomic_load_n(&sched_queues[__builtin_ctzl(rest)].load, __ATOMIC_RELAXED);
    return load;
}

bool core_is_awaited(const struct run_queue *q)
{
    return core_of(q) && peek(&core_of(q)->waiting) & PCPU_BIT(q->pcpu);
}

unsigned core_elsewhere(const struct run_queue *q, uint64_t pcpus, uint64_t now)
{
    uint64_t others = pcpus & ~peek(&core_of(q)->threads);
    unsigned by = now % 64, n;

    if (!others)
        return q->pcpu;
    n = (by + (unsigned)__builtin_ctzl(others >> by | others << (-by & 63))) % 64;
    return core_load(n) <= core_load(q->pcpu) ? n : q->pcpu;
}

/* ---- Who may run --------------------------------------------------------------------------- */

static uint64_t slice_end(const struct sched_core *c, const struct core_claim *claim)
{
    return c->since + policy_patience(claim);
}

/* Is the core to be left, as somebody else's turn has come? */
static bool is_draining(const struct sched_core *c, uint64_t now)
{
    for (uint64_t rest = c->waiting; rest; rest &= rest - 1) {
        const struct core_claim *claim = &claims[__builtin_ctzl(rest)];
        if (claim->group != c->owner && now >= slice_end(c, claim))
            return true;
    }
    return false;
}

/* Nobody is inside. Is it another thread's turn, rather than u's? The owner has his slice. */
static bool is_anothers(const struct sched_core *c, struct run_queue *q, struct sched_unit *u,
                        uint64_t now)
{
    for (uint64_t rest = c->waiting; rest; rest &= rest - 1) {
        const struct core_claim *claim = &claims[__builtin_ctzl(rest)];
        if (claim->group == u->group || !policy_goes_before(q, u, claim))
            continue;
        if (c->owner != u->group || now >= slice_end(c, claim))
            return true;
    }
    return false;
}

static bool lets_in(const struct sched_core *c, struct run_queue *q, struct sched_unit *u,
                    uint64_t now)
{
    if (!u->group->apart)
        return true;
    if (c->inside)
        return c->owner == u->group && !is_draining(c, now);
    return !is_anothers(c, q, u, now);
}

/* Those who wait hear of it when somebody's slice begins: they may run beside him, or know when to
 * ask. */
static uint64_t enter(struct sched_core *c, struct run_queue *q, const struct sched_group *g,
                      uint64_t now)
{
    bool anew = !c->inside && (c->owner != g || now >= c->since + policy_slice());

    ASSERT(!c->inside || c->owner == g);
    __atomic_store_n(&c->owner, g, __ATOMIC_RELAXED);
    if (anew)
        c->since = now;
    set(&c->inside, c->inside | PCPU_BIT(q->pcpu));
    queue_unsettle(q, SETTLE_CORE);
    return anew ? c->waiting & ~PCPU_BIT(q->pcpu) : 0;
}

void core_leave(struct run_queue *q)
{
    struct sched_core *c = core_of(q);

    spin_lock(&c->lock);
    set(&c->inside, c->inside & ~PCPU_BIT(q->pcpu));
    spin_unlock(&c->lock);
}

/* ---- Claims -------------------------------------------------------------------------------- */

static void set_alarm(const struct run_queue *q, uint64_t slice_ends, uint64_t now)
{
    uint64_t later = now + policy_granule();

    timer_set(&alarms[q->pcpu], now < slice_ends ? slice_ends : later);
}

static void kick_all(uint64_t pcpus)
{
    for (; pcpus; pcpus &= pcpus - 1)
        irq_kick((unsigned)__builtin_ctzl(pcpus));
}

static void call_out(uint64_t pcpus)
{
    for (uint64_t rest = pcpus; rest; rest &= rest - 1) {
        struct run_queue *q = &sched_queues[__builtin_ctzl(rest)];
        queue_unsettle(q, SETTLE_UNITS);
        __atomic_store_n(&q->changed, true, __ATOMIC_RELAXED);
    }
    kick_all(pcpus);
}

/* u is first and may not. Someone behind it may, beside who is inside. */
static struct sched_unit *stand_in(struct sched_core *c, struct run_queue *q,
                                   const struct sched_unit *u, uint64_t now)
{
    policy_claim(u, &claims[q->pcpu]);
    set(&c->waiting, c->waiting | PCPU_BIT(q->pcpu));
    return policy_pick_beside(q, c->inside && !is_draining(c, now) ? c->owner : NULL, now);
}

struct sched_unit *core_pick(struct run_queue *q, uint64_t now)
{
    struct sched_core *c = core_of(q);
    struct sched_unit *first = policy_pick(q, now), *u = first;
    uint64_t kick = 0, call = 0;

    spin_lock(&c->lock);
    ASSERT(!(c->inside & PCPU_BIT(q->pcpu)));
    set(&c->waiting, c->waiting & ~PCPU_BIT(q->pcpu));
    if (u && !lets_in(c, q, u, now)) {
        u = stand_in(c, q, first, now);
        call = now >= slice_end(c, &claims[q->pcpu]) ? c->inside : 0;
    }
    if (u && u->group->apart)
        kick = enter(c, q, u->group, now);
    else if (!c->inside)
        kick = c->waiting & ~PCPU_BIT(q->pcpu);
    uint64_t slice_ends = slice_end(c, &claims[q->pcpu]);
    spin_unlock(&c->lock);
    call_out(call);
    kick_all(kick);
    if (u == first)
        timer_cancel(&alarms[q->pcpu]);
    else
        set_alarm(q, slice_ends, now);
    return u;
}

/* ---- The check ----------------------------------------------------------------------------- */

static const struct sched_group *running[MAX_PCPUS]; /* that stand apart; atomic */

void core_watch(const struct sched_group *g)
{
    unsigned me = cpu_id();
    const struct sched_core *c = core_of(&sched_queues[me]);

    if (!c)
        return;
    __atomic_store_n(&running[me], g && g->apart ? g : NULL, __ATOMIC_SEQ_CST);
    for (uint64_t rest = g && g->apart ? peek(&c->threads) : 0; rest; rest &= rest - 1) {
        const struct sched_group *other =
            __atomic_load_n(&running[__builtin_ctzl(rest)], __ATOMIC_SEQ_CST);
        ASSERT(!other || other == g);
    }
}
