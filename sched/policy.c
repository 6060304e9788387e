/*
 * The policy: proportional share by virtual time.
 *
 * A unit's virtual time is the time that it ran, counted the slower the greater its share; its
 * share is its group's weight divided by the group's active units. The one that is furthest behind
 * runs next. That alone gives everyone his part; the rest of this file bounds what it costs:
 *
 * - Slices: a unit runs SLICE before it makes room, at least GRANULE even if one that has just
 *   woken is further behind. Who is alone has no slice at all.
 * - Sleepers: who wakes is at most CREDIT behind the others, so that he runs soon and does not make
 *   up for all the time he did not want.
 * - Caps: a unit whose group has no budget left is parked until the group's next period.
 * - pCPUs: each queue's `floor` is the time that all its units have reached. Floors of two queues
 *   drift apart where units may not move, so when one does they are brought to within REACH. A unit
 * that waits goes to an idle pCPU at once; else every ROTATE the unit furthest behind goes to a
 * pCPU with less load, which is what gives three spinners on two pCPUs two thirds each.
 *
 * Invariants: q->floor never goes back; in q->waiting virtual times ascend; while a queue has
 * someone who waits, its running unit has a bound. Virtual times are compared as differences, as
 * they wrap.
 */
#include "sched/policy.h"

#include <stddef.h>
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "sched/core.h"
#include "sched/group.h"

#define SLICE_NS   10000000
#define GRANULE_NS 1000000
#define CREDIT_NS  5000000
#define REACH_NS   40000000
#define ROTATE_NS  30000000

/* The same in ticks; boot only. */
static struct {
    uint64_t slice, granule, credit, reach, rotate;
} ticks;

void policy_start(void)
{
    ticks.slice = tsc_from_ns(SLICE_NS);
    ticks.granule = tsc_from_ns(GRANULE_NS);
    ticks.credit = tsc_from_ns(CREDIT_NS);
    ticks.reach = tsc_from_ns(REACH_NS);
    ticks.rotate = tsc_from_ns(ROTATE_NS);
}

static bool before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

static unsigned peek(const unsigned *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

uint64_t policy_granule(void)
{
    return ticks.granule;
}

uint64_t policy_slice(void)
{
    return ticks.slice;
}

static uint64_t scaled(const struct sched_unit *u, uint64_t t)
{
    return t * SCHED_DEFAULT_WEIGHT / u->share;
}

static struct sched_unit *unit_at(struct list_node *pos)
{
    return LIST_ENTRY(pos, struct sched_unit, link);
}

/* The first that waits, or NULL. */
static struct sched_unit *first_of(struct run_queue *q)
{
    return list_empty(&q->waiting) ? NULL : unit_at(q->waiting.next);
}

/* ---- Order --------------------------------------------------------------------------------- */

/* Of those who wait: there is at least one. */
static bool nearer_to_last(const struct run_queue *q, const struct sched_unit *u)
{
    uint64_t first = unit_at(q->waiting.next)->vtime, last = unit_at(q->waiting.prev)->vtime;

    return (int64_t)(u->vtime - first) > (int64_t)(last - u->vtime);
}

/* Behind those with the same virtual time. Who has had his turn belongs to the end, who has just
 * woken to the front: both are found at once from there, however many wait. */
static void insert(struct run_queue *q, struct sched_unit *u)
{
    struct list_node *pos = &q->waiting;

    if (!list_empty(&q->waiting) && nearer_to_last(q, u)) {
        while (pos->prev != &q->waiting && before(u->vtime, unit_at(pos->prev)->vtime))
            pos = pos->prev;
    } else {
        do
            pos = pos->next;
        while (pos != &q->waiting && !before(u->vtime, unit_at(pos)->vtime));
    }
    list_add_tail(pos, &u->link);
}

static void not_before(struct sched_unit *u, uint64_t least)
{
    if (before(u->vtime, least))
        u->vtime = least;
}

void policy_wake(struct run_queue *q, struct sched_unit *u)
{
    not_before(u, q->floor - scaled(u, ticks.credit));
    u->fresh = true;
}

static void shift_list(struct list_node *list, uint64_t by)
{
    struct list_node *pos;

    list_for_each (pos, list)
        unit_at(pos)->vtime += by;
}

/* Sets a queue's clock forward, and all that are in it: nobody gains on another. */
static void shift(struct run_queue *q, uint64_t by)
{
    q->floor += by;
    shift_list(&q->waiting, by);
    shift_list(&q->parked, by);
    if (q->running)
        q->running->vtime += by;
}

/* What one queue had ahead of the other beyond REACH was nobody's to share, and is forgotten. */
static void synchronise(struct run_queue *a, struct run_queue *b)
{
    if (before(a->floor + ticks.reach, b->floor))
        shift(a, b->floor - ticks.reach - a->floor);
    if (before(b->floor + ticks.reach, a->floor))
        shift(b, a->floor - ticks.reach - b->floor);
}

/* Who wakes keeps his place relative to the others; who was waiting, what he is owed. */
void policy_arrive(struct run_queue *from, struct run_queue *to, struct sched_unit *u, uint64_t now)
{
    uint64_t reach = scaled(u, ticks.reach), before_sync = from->floor;

    to->rotated = now;
    synchronise(from, to);
    if (u->state == SCHED_BLOCKED)
        u->vtime += to->floor - before_sync;
    not_before(u, to->floor - reach);
    if (before(to->floor + reach, u->vtime))
        u->vtime = to->floor + reach;
}

void policy_enqueue(struct run_queue *q, struct sched_unit *u, uint64_t now)
{
    u->since = now;
    insert(q, u);
}

void policy_dequeue(struct run_queue *q, struct sched_unit *u)
{
    list_remove(&u->link);
    if (q->last == u)
        q->last = NULL;
    if (q->next == u)
        q->next = NULL;
}

/* The floor follows whoever is furthest behind: the running unit or the first that waits. */
static void raise_floor(struct run_queue *q, uint64_t vtime)
{
    const struct sched_unit *first = first_of(q);

    if (first && before(first->vtime, vtime))
        vtime = first->vtime;
    if (before(q->floor, vtime))
        q->floor = vtime;
}

/* ---- Caps ---------------------------------------------------------------------------------- */

/* The first that waits, save `except`, and may run: who has used up his cap is parked on the way.
 * Nobody looks at those behind, so who is next costs the same however many wait. */
static struct sched_unit *first_able(struct run_queue *q, const struct sched_unit *except,
                                     uint64_t now)
{
    struct list_node *pos, *after;

    list_for_each_safe (pos, after, &q->waiting) {
        if (unit_at(pos) == except)
            continue;
        if (group_budget(unit_at(pos)->group, now))
            return unit_at(pos);
        list_remove(pos);
        list_add_tail(&q->parked, pos);
    }
    return NULL;
}

/* Who comes back is owed what the others had meanwhile, and need not wait for the end of a slice:
 * what he does not use of a period is lost to him. */
static void unpark(struct run_queue *q, uint64_t now)
{
    struct list_node *pos, *after;

    list_for_each_safe (pos, after, &q->parked) {
        if (!group_budget(unit_at(pos)->group, now))
            continue;
        list_remove(pos);
        not_before(unit_at(pos), q->floor - scaled(unit_at(pos), ticks.reach));
        insert(q, unit_at(pos));
        q->last = NULL;
    }
}

uint64_t policy_release(struct run_queue *q)
{
    struct list_node *pos;
    uint64_t first = UINT64_MAX;

    list_for_each (pos, &q->parked) {
        uint64_t end = group_period_end(unit_at(pos)->group);
        if (end < first)
            first = end;
    }
    return first;
}

/* ---- Turns --------------------------------------------------------------------------------- */

/* Until when u may go on as far as the first that waits is concerned. */
static uint64_t slice_end(const struct run_queue *q, const struct sched_unit *u,
                          const struct sched_unit *other)
{
    bool urgent;

    if (!other)
        return UINT64_MAX;
    if (q->skip == u)
        return 0;
    urgent = q->next || (other->fresh && before(other->vtime, u->vtime));
    return u->started + (urgent ? ticks.granule : ticks.slice);
}

uint64_t policy_bound(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = q->running;
    uint64_t bound = slice_end(q, u, first_of(q));
    uint64_t release = policy_release(q), budget = group_budget(u->group, now);

    if (release < bound)
        bound = release;
    if (budget != UINT64_MAX && u->since + budget < bound)
        bound = u->since + budget;
    return bound;
}

/* A unit that is asked for by name must not be further ahead than a slice. */
static bool may_favour(const struct sched_unit *u, const struct sched_unit *first)
{
    return !before(first->vtime + scaled(u, ticks.slice), u->vtime);
}

/* Whose slice is over begins anew, if at all. */
static void end_slice(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = q->last;

    if (u && (!group_budget(u->group, now) || now >= slice_end(q, u, first_able(q, u, now))))
        q->last = NULL;
}

static struct sched_unit *choose(struct run_queue *q, uint64_t now)
{
    struct sched_unit *first = first_able(q, NULL, now), *other;

    if (!first)
        return NULL;
    other = q->skip == first ? first_able(q, first, now) : first;
    if (q->next && may_favour(q->next, first))
        return q->next;
    if (q->skip && other)
        return other;
    return q->last ? q->last : first;
}

struct sched_unit *policy_pick(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u;

    unpark(q, now);
    end_slice(q, now);
    if (q->next && !group_budget(q->next->group, now))
        q->next = NULL;
    u = choose(q, now);
    q->next = q->skip = NULL;
    return u;
}

/* ---- Cores --------------------------------------------------------------------------------- */

struct sched_unit *policy_pick_beside(struct run_queue *q, const struct sched_group *group,
                                      uint64_t now)
{
    struct list_node *pos;

    list_for_each (pos, &q->waiting) {
        struct sched_unit *u = unit_at(pos);
        if ((!u->group->apart || u->group == group) && group_budget(u->group, now))
            return u;
    }
    return NULL;
}

void policy_claim(const struct sched_unit *u, struct core_claim *out)
{
    *out = (struct core_claim){
        .group = u->group, .vtime = u->vtime, .reach = scaled(u, ticks.reach), .fresh = u->fresh
    };
}

/* The queues of a core keep their own time. They drift apart while each has what it wants, as those
 * of different cores do, and one that was empty stood still. */
bool policy_goes_before(struct run_queue *q, struct sched_unit *u, const struct core_claim *claim)
{
    uint64_t own = scaled(u, u->fresh ? ticks.credit : ticks.reach);
    uint64_t most = !u->fresh && own < claim->reach ? claim->reach : own;

    if (before(u->vtime + most, claim->vtime))
        shift(q, claim->vtime - most - u->vtime);
    return before(claim->vtime, u->vtime);
}

uint64_t policy_patience(const struct core_claim *claim)
{
    return claim->fresh ? ticks.granule : ticks.slice;
}

void policy_begin(struct run_queue *q, struct sched_unit *u, bool again, uint64_t now)
{
    (void)q;
    u->fresh = false;
    u->since = now;
    if (!again)
        u->started = now;
}

/* Its share changes with the number of its group's active units. */
static void refresh_share(struct run_queue *q, struct sched_unit *u)
{
    unsigned share = group_share(u->group);

    __atomic_store_n(&q->load, q->load - u->share + share, __ATOMIC_RELAXED);
    u->share = share;
}

void policy_charge(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = q->running;
    uint64_t ran = now - u->since;

    if (q->resting || !before(u->since, now)) /* another pCPU's clock, or nothing to charge */
        return;
    refresh_share(q, u);
    group_charge(u->group, ran, now);
    u->stats.ran += ran;
    u->vtime += scaled(u, ran);
    u->since = now;
    raise_floor(q, u->vtime);
}

/* ---- Places -------------------------------------------------------------------------------- */

/* What is to be done by n's core, of which one group at a time runs. */
static unsigned load_of(unsigned n)
{
    return core_in_use() ? core_load(n) : peek(&sched_queues[n].load);
}

/* Of two threads of a core, the one that has less itself. */
static bool is_lighter(unsigned n, unsigned than)
{
    unsigned a = load_of(n), b = load_of(than);

    return a < b || (core_in_use() && a == b &&
                     peek(&sched_queues[n].load) < peek(&sched_queues[than].load));
}

/* Of `best` and these. */
static unsigned lightest(unsigned best, uint64_t pcpus)
{
    for (; pcpus; pcpus &= pcpus - 1) {
        unsigned n = (unsigned)__builtin_ctzl(pcpus);
        if (is_lighter(n, best))
            best = n;
    }
    return best;
}

unsigned policy_place(const struct sched_unit *u)
{
    uint64_t may = queue_allowed(u), idle = may & queue_idle();
    unsigned home = __atomic_load_n(&u->pcpu, __ATOMIC_RELAXED);
    unsigned best = may & PCPU_BIT(home) ? home : (unsigned)__builtin_ctzl(may);

    if (may == PCPU_BIT(best))
        return best;
    if (best == home && !peek(&sched_queues[home].count))
        return home;
    if (idle)
        idle = core_open(idle, u->group);
    if (idle)
        return idle & PCPU_BIT(home) ? home : (unsigned)__builtin_ctzl(idle);
    return lightest(best, may);
}

struct sched_unit *policy_give(struct run_queue *q, unsigned *to)
{
    struct list_node *pos;

    list_for_each (pos, &q->waiting) {
        struct sched_unit *u = unit_at(pos);
        uint64_t idle = queue_allowed(u) & queue_idle() & ~PCPU_BIT(q->pcpu);
        if (u->loaded || !idle)
            continue;
        idle = core_open(idle, u->group);
        if (!idle)
            continue;
        *to = (unsigned)__builtin_ctzl(idle);
        return u;
    }
    return NULL;
}

/* The one furthest behind that may go, sleepers apart, who are soon gone. Worth it if the
 * difference between the two queues does not grow much by it: at equal shares a queue of two and
 * one of one change places. */
static struct sched_unit *find_mover(struct run_queue *q, unsigned *to)
{
    struct list_node *pos;

    list_for_each (pos, &q->waiting) {
        struct sched_unit *u = unit_at(pos);
        uint64_t others = queue_allowed(u) & ~PCPU_BIT(q->pcpu);
        if (u->loaded || u->fresh || !others)
            continue;
        *to = lightest((unsigned)__builtin_ctzl(others), others);
        if (load_of(*to) + u->share / 2 < load_of(q->pcpu))
            return u;
    }
    return NULL;
}

/* Two cores may be in step, each with units of the same two groups: then nobody ever finds the
 * other core open, and each group has half of what it could have. So who waits tries another, by
 * chance. */
static struct sched_unit *find_wanderer(struct run_queue *q, uint64_t now, unsigned *to)
{
    struct list_node *pos;

    list_for_each (pos, &q->waiting) {
        struct sched_unit *u = unit_at(pos);
        if (u->loaded || u->fresh || !u->group->apart)
            continue;
        *to = core_elsewhere(q, queue_allowed(u), now);
        return *to == q->pcpu ? NULL : u;
    }
    return NULL;
}

struct sched_unit *policy_rotate(struct run_queue *q, uint64_t now, unsigned *to)
{
    if (!before(q->rotated + ticks.rotate, now))
        return NULL;
    q->rotated = now;
    struct sched_unit *u = find_mover(q, to);
    return u || !core_of(q) ? u : find_wanderer(q, now, to);
}

struct sched_unit *policy_spare(struct run_queue *q, uint64_t now, unsigned to)
{
    struct list_node *pos;

    if (!q->running && !core_is_awaited(q)) /* it is about to pick someone itself */
        return NULL;
    list_for_each (pos, &q->waiting) {
        struct sched_unit *u = unit_at(pos);
        if (!u->loaded && queue_allowed(u) & PCPU_BIT(to) && group_budget(u->group, now) &&
            core_open(PCPU_BIT(to), u->group))
            return u;
    }
    return NULL;
}
