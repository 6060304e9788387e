/*
 * The policy: proportional share by virtual time, in two steps.
 *
 * On each pCPU the groups share its time, then the units of a group share what it has. A group is
 * there as an entity, whose virtual time is the time that its units ran, all together, counted the
 * slower the greater their part of the group's weight: here active units by all that are active.
 * The entity that is furthest behind is next, and of its units the one that ran least. So however
 * many units a group has, and however they sleep and wake, it gets its part, and nobody waits for
 * more than one of them. The rest of this file bounds what that costs:
 *
 * - Slices: a unit runs SLICE before it makes room, at least GRANULE even if one that has just
 *   woken is further behind. Who is alone has no slice at all.
 * - Sleepers: an entity without an active unit that gets one is at most CREDIT behind the others,
 *   so that he runs soon and does not make up for all the time he did not want. While it has one,
 *   another one that wakes changes nothing in its place. Within an entity it is the same with
 * units.
 * - Caps: an entity whose group has no budget left is parked until the group's next period.
 * - pCPUs: each queue's `floor` is the time that all its entities have reached. Floors of two
 * queues drift apart where units may not move, so when one does they are brought to within REACH. A
 * unit that waits goes to an idle pCPU at once; else every ROTATE the unit furthest behind goes to
 * a pCPU with less load, which is what gives three spinners on two pCPUs two thirds each.
 *
 * Invariants: q->floor never goes back; in q->waiting, and in each entity's list, virtual times
 * ascend; an entity is in one of q's lists while some of its units wait; while a queue has someone
 * who waits, its running unit has a bound. Virtual times are compared as differences, as they wrap.
 */
#include "sched/policy.h"

#include <stddef.h>
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/time.h"
#include "sched/core.h"
#include "sched/group.h"

#define SLICE_NS   10000000
#define GRANULE_NS 1000000
#define CREDIT_NS  5000000
#define REACH_NS   40000000
#define ROTATE_NS  30000000
#define AHEAD_MOST                                                                                 \
    (1UL << 48) /* of virtual time: far more than a group of the least weight gains */

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

static struct sched_unit *unit_at(struct list_node *pos)
{
    return LIST_ENTRY(pos, struct sched_unit, node.link);
}

static struct sched_entity *entity_at(struct list_node *pos)
{
    return LIST_ENTRY(pos, struct sched_entity, node.link);
}

/* Of an entity in a list. */
static struct sched_unit *first_in(const struct sched_entity *e)
{
    return unit_at(e->waiting.next);
}

/* The first that waits, or NULL. */
static struct sched_unit *first_of(struct run_queue *q)
{
    return list_empty(&q->waiting) ? NULL : first_in(entity_at(q->waiting.next));
}

struct sched_unit *policy_next(struct list_node *list, struct sched_unit *u)
{
    struct list_node *after = list;

    if (u && u->node.link.next != &u->entity->waiting)
        return unit_at(u->node.link.next);
    after = u ? u->entity->node.link.next : list->next;
    return after == list ? NULL : first_in(entity_at(after));
}

/* Ticks as virtual time of u's entity. */
static uint64_t scaled(const struct sched_unit *u, uint64_t t)
{
    unsigned active = u->entity->active;
    uint64_t part = (uint64_t)peek(&u->group->weight) * active;
    uint64_t whole = (uint64_t)SCHED_DEFAULT_WEIGHT * peek(&u->group->active);

    return part == whole || !part ? t : t * whole / part;
}

/* ---- Order --------------------------------------------------------------------------------- */

static struct sched_node *node_at(struct list_node *pos)
{
    return LIST_ENTRY(pos, struct sched_node, link);
}

/* Of those in the list: there is at least one. */
static bool nearer_to_last(const struct list_node *list, uint64_t vtime)
{
    uint64_t first = node_at(list->next)->vtime, last = node_at(list->prev)->vtime;

    return (int64_t)(vtime - first) > (int64_t)(last - vtime);
}

/* Behind those with the same virtual time. Who has had his turn belongs to the end, who has just
 * woken to the front: both are found at once from there, however many wait. */
static void insert(struct list_node *list, struct sched_node *n)
{
    struct list_node *pos = list;

    if (!list_empty(list) && nearer_to_last(list, n->vtime)) {
        while (pos->prev != list && before(n->vtime, node_at(pos->prev)->vtime))
            pos = pos->prev;
    } else {
        do
            pos = pos->next;
        while (pos != list && !before(n->vtime, node_at(pos)->vtime));
    }
    list_add_tail(pos, &n->link);
}

/* Who is ahead by more than anybody can get has been away while the clock went half round. */
static void not_before(struct sched_node *n, uint64_t least)
{
    if (before(n->vtime, least) || n->vtime - least > AHEAD_MOST)
        n->vtime = least;
}

/* Is a, or its group, further behind than b? */
static bool is_behind(const struct sched_unit *a, const struct sched_unit *b)
{
    if (a->group == b->group)
        return before(a->node.vtime, b->node.vtime);
    return before(a->entity->node.vtime, b->entity->node.vtime);
}

/* u is counted already. */
void policy_wake(struct run_queue *q, struct sched_unit *u)
{
    struct sched_entity *e = u->entity;

    if (e->active == 1)
        not_before(&e->node, q->floor - scaled(u, ticks.credit));
    not_before(&u->node, e->floor - ticks.credit);
    u->fresh = true;
}

/* A unit moves from one queue to the other: the clock that stands more than ticks.reach behind is
 * set forward. All units of that queue are moved alike, so none of them gains on another. */
static void synchronise(struct run_queue *a, struct run_queue *b)
{
    uint64_t ahead = b->floor + b->offset - a->floor - a->offset;

    if ((int64_t)ahead > (int64_t)ticks.reach)
        a->offset += ahead - ticks.reach;
    else if ((int64_t)-ahead > (int64_t)ticks.reach)
        b->offset += -ahead - ticks.reach;
}

static uint64_t within(uint64_t vtime, uint64_t floor, uint64_t reach)
{
    if (before(vtime, floor - reach))
        return floor - reach;
    return before(floor + reach, vtime) ? floor + reach : vtime;
}

/* Who wakes keeps his place relative to the others; who was waiting, what he is owed. What its
 * group has had here counts in any case. */
void policy_arrive(struct run_queue *from, struct run_queue *to, struct sched_unit *u, uint64_t now)
{
    struct sched_entity *was = &u->group->entities[from->pcpu], *e = u->entity;
    uint64_t moved = to->floor - from->floor;

    __atomic_store_n(&to->rotated, now, __ATOMIC_RELAXED);
    synchronise(from, to);
    if (u->state != SCHED_BLOCKED)
        moved = from->offset - to->offset;
    if (!e->active)
        not_before(&e->node, within(was->node.vtime + moved, to->floor, scaled(u, ticks.reach)));
    u->node.vtime = within(u->node.vtime + e->floor - was->floor, e->floor, ticks.reach);
}

void policy_enqueue(struct run_queue *q, struct sched_unit *u, uint64_t now)
{
    struct sched_entity *e = u->entity;

    u->since = now;
    if (!list_empty(&e->waiting)) {
        insert(&e->waiting, &u->node);
        return;
    }
    list_add_tail(&e->waiting, &u->node.link);
    insert(&q->waiting, &e->node);
}

void policy_dequeue(struct run_queue *q, struct sched_unit *u)
{
    struct sched_entity *e = u->entity;

    list_remove(&u->node.link);
    if (list_empty(&e->waiting))
        list_remove(&e->node.link);
    if (q->last == u)
        q->last = NULL;
    if (q->next == u)
        q->next = NULL;
}

/* Of a list's order, where `vtime` is that of somebody who is not in it. */
static void raise_floor(uint64_t *floor, const struct list_node *list, uint64_t vtime)
{
    if (!list_empty(list) && before(node_at(list->next)->vtime, vtime))
        vtime = node_at(list->next)->vtime;
    if (before(*floor, vtime))
        *floor = vtime;
}

/* Its unit has run, while others of it wait, here or parked. */
static void move_back(struct run_queue *q, struct sched_entity *e)
{
    struct list_node *after = e->node.link.next, *pos = after;

    while (pos != &q->waiting && pos != &q->parked && before(node_at(pos)->vtime, e->node.vtime))
        pos = pos->next;
    if (pos == after)
        return;
    list_remove(&e->node.link);
    list_add_tail(pos, &e->node.link);
}

/* ---- Caps ---------------------------------------------------------------------------------- */

/* The first of e that waits, save `except`, or NULL. */
static struct sched_unit *first_but(struct sched_entity *e, const struct sched_unit *except)
{
    struct sched_unit *u = first_in(e);

    if (u != except || !except)
        return u;
    return u->node.link.next == &e->waiting ? NULL : unit_at(u->node.link.next);
}

/* The first that waits, save `except`, and may run: who has used up his cap is parked on the way.
 * Nobody looks at those behind, so who is next costs the same however many wait. */
static __attribute__((noinline)) struct sched_unit *
search_able(struct run_queue *q, const struct sched_unit *except, uint64_t now)
{
    struct list_node *pos, *after;

    list_for_each_safe (pos, after, &q->waiting) {
        struct sched_unit *u = first_but(entity_at(pos), except);
        if (!u)
            continue;
        if (group_budget(u->group, now))
            return u;
        list_remove(pos);
        list_add_tail(&q->parked, pos);
    }
    return NULL;
}

/* The same; mostly it is the very first, who has no cap. */
static struct sched_unit *first_able(struct run_queue *q, const struct sched_unit *except,
                                     uint64_t now)
{
    struct sched_unit *u = first_of(q);

    return u && u != except && !group_has_cap(u->group) ? u : search_able(q, except, now);
}

/* Who comes back is owed what the others had meanwhile, and need not wait for the end of a slice:
 * what he does not use of a period is lost to him. */
static void unpark(struct run_queue *q, uint64_t now)
{
    struct list_node *pos, *after;

    list_for_each_safe (pos, after, &q->parked) {
        const struct sched_unit *u = first_in(entity_at(pos));
        if (!group_budget(u->group, now))
            continue;
        list_remove(pos);
        not_before(node_at(pos), q->floor - scaled(u, ticks.reach));
        insert(&q->waiting, node_at(pos));
        q->last = NULL;
    }
}

uint64_t policy_release(struct run_queue *q)
{
    struct list_node *pos;
    uint64_t first = UINT64_MAX;

    list_for_each (pos, &q->parked) {
        uint64_t end = group_period_end(first_in(entity_at(pos))->group);
        if (end < first)
            first = end;
    }
    return first;
}

/* ---- Turns --------------------------------------------------------------------------------- */

/* Until when u may go on as far as the first that waits is concerned. */
static inline __attribute__((always_inline)) uint64_t
slice_end(const struct run_queue *q, const struct sched_unit *u, const struct sched_unit *other)
{
    bool urgent;

    if (!other)
        return UINT64_MAX;
    if (__atomic_load_n(&q->skip, __ATOMIC_RELAXED) == u)
        return 0;
    urgent = q->next || (other->fresh && is_behind(other, u));
    return u->started + (urgent ? ticks.granule : ticks.slice);
}

static __attribute__((noinline)) uint64_t bound_by_caps(struct run_queue *q, uint64_t bound,
                                                        uint64_t now)
{
    struct sched_unit *u = q->running;

    bound = time_earlier(bound, policy_release(q));
    if (group_has_cap(u->group))
        bound = time_earlier(bound, u->since + group_left(u->group, now));
    return bound;
}

uint64_t policy_bound(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = q->running;
    uint64_t bound = slice_end(q, u, first_of(q));

    if (unlikely(!list_empty(&q->parked) || group_has_cap(u->group)))
        return bound_by_caps(q, bound, now);
    return bound;
}

/* A unit that is asked for by name must not be further ahead than a slice. */
static bool may_favour(const struct sched_unit *u, const struct sched_unit *first)
{
    if (u->group == first->group)
        return !before(first->node.vtime + ticks.slice, u->node.vtime);
    return !before(first->entity->node.vtime + scaled(u, ticks.slice), u->entity->node.vtime);
}

/* Whose slice is over begins anew, if at all. */
static void end_slice(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = q->last;

    if (u && (u == q->skip || !group_budget(u->group, now) ||
              now >= slice_end(q, u, first_able(q, u, now))))
        q->last = NULL;
}

static struct sched_unit *choose(struct run_queue *q, uint64_t now)
{
    struct sched_unit *first, *u = q->last;

    if (q->next) {
        first = first_able(q, NULL, now);
        if (first && may_favour(q->next, first))
            return q->next;
    }
    if (q->skip)
        u = first_able(q, q->skip, now);
    return u ? u : first_able(q, NULL, now);
}

/* If nobody else waits, parked or not: then there is nothing to choose. */
static struct sched_unit *only_one(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = first_of(q);

    if (!u || u->entity->node.link.next != &q->waiting ||
        u->node.link.next != &u->entity->waiting || !list_empty(&q->parked))
        return NULL;
    return group_budget(u->group, now) ? u : NULL;
}

struct sched_unit *policy_pick(struct run_queue *q, uint64_t now)
{
    struct sched_unit *u = only_one(q, now);

    if (!u) {
        unpark(q, now);
        end_slice(q, now);
        if (q->next && !group_budget(q->next->group, now))
            q->next = NULL;
        u = choose(q, now);
    }
    q->next = q->skip = NULL;
    return u;
}

/* ---- Cores --------------------------------------------------------------------------------- */

struct sched_unit *policy_pick_beside(struct run_queue *q, const struct sched_group *group,
                                      uint64_t now)
{
    struct list_node *pos;

    list_for_each (pos, &q->waiting) {
        struct sched_unit *u = first_in(entity_at(pos));
        if ((!u->group->apart || u->group == group) && group_budget(u->group, now))
            return u;
    }
    return NULL;
}

/* In the time that queues have in common. */
void policy_claim(const struct sched_unit *u, struct core_claim *out)
{
    *out = (struct core_claim){ .group = u->group,
                                .vtime = u->entity->node.vtime + sched_queues[u->pcpu].offset,
                                .reach = scaled(u, ticks.reach),
                                .fresh = u->fresh };
}

/* The queues of a core keep their own time. They drift apart while each has what it wants, as those
 * of different cores do, and one that was empty stood still. */
bool policy_goes_before(struct run_queue *q, struct sched_unit *u, const struct core_claim *claim)
{
    uint64_t own = scaled(u, u->fresh ? ticks.credit : ticks.reach);
    uint64_t most = !u->fresh && own < claim->reach ? claim->reach : own;
    uint64_t vtime = u->entity->node.vtime + q->offset;

    if (!before(vtime + most, claim->vtime))
        return before(claim->vtime, vtime);
    q->offset += claim->vtime - most - vtime;
    return false;
}

uint64_t policy_patience(const struct core_claim *claim)
{
    return claim->fresh ? ticks.granule : ticks.slice;
}

/* What it took to come from one unit to another is charged to the other, and what its timers and
 * devices took, or units that only sleep and wake would have it for nothing. */
void policy_begin(struct run_queue *q, struct sched_unit *u, bool again, uint64_t now)
{
    u->fresh = false;
    u->since = again || !q->vacated ? now : q->vacated;
    u->since -= __atomic_exchange_n(&u->owed, 0, __ATOMIC_RELAXED);
    q->vacated = 0;
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
    struct sched_entity *e = u->entity;
    uint64_t ran = now - u->since;

    if (q->resting || !before(u->since, now)) /* another pCPU's clock, or nothing to charge */
        return;
    refresh_share(q, u);
    if (unlikely(group_has_cap(u->group)))
        group_charge(u->group, ran, now);
    u->stats.ran += ran;
    q->ran += ran;
    u->node.vtime += ran;
    e->node.vtime += scaled(u, ran);
    u->since = now;
    if (!list_empty(&e->waiting))
        move_back(q, e);
    raise_floor(&e->floor, &e->waiting, u->node.vtime);
    raise_floor(&q->floor, &q->waiting, e->node.vtime);
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

/* Of several that it may use. */
static unsigned place_among(const struct sched_unit *u, unsigned home, uint64_t may)
{
    unsigned best = may & PCPU_BIT(home) ? home : (unsigned)__builtin_ctzl(may);
    uint64_t idle = may & queue_idle();

    if (best == home && !peek(&sched_queues[home].count))
        return home;
    if (idle)
        idle = core_open(idle, u->group);
    if (idle)
        return idle & PCPU_BIT(home) ? home : (unsigned)__builtin_ctzl(idle);
    return lightest(best, may);
}

static bool is_free(unsigned n)
{
    return !peek(&sched_queues[n].count) || queue_idle() & PCPU_BIT(n);
}

/* Not all of them it likes: an idle one that it likes, else any idle one, else the lightest of
 * those that it likes. */
static cold unsigned place_liked(const struct sched_unit *u, unsigned home, uint64_t may,
                                 uint64_t likes)
{
    unsigned best = place_among(u, home, likes), other;

    if (is_free(best))
        return best;
    other = place_among(u, home, may);
    return is_free(other) ? other : best;
}

unsigned policy_place(const struct sched_unit *u)
{
    uint64_t may = queue_allowed(u), likes = may & __atomic_load_n(&u->likes, __ATOMIC_RELAXED);
    unsigned home = __atomic_load_n(&u->pcpu, __ATOMIC_RELAXED);

    if (may == PCPU_BIT(home))
        return home;
    if (unlikely(likes && likes != may))
        return place_liked(u, home, may, likes);
    return place_among(u, home, may);
}

struct sched_unit *policy_give(struct run_queue *q, unsigned *to)
{
    struct sched_unit *u = NULL;

    while ((u = policy_next(&q->waiting, u))) {
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
    struct sched_unit *u = NULL;

    while ((u = policy_next(&q->waiting, u))) {
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
    struct sched_unit *u = NULL;

    while ((u = policy_next(&q->waiting, u))) {
        if (u->loaded || u->fresh || !u->group->apart)
            continue;
        *to = core_elsewhere(q, queue_allowed(u), now);
        return *to == q->pcpu ? NULL : u;
    }
    return NULL;
}

bool policy_may_rotate(const struct run_queue *q, uint64_t now)
{
    return before(__atomic_load_n(&q->rotated, __ATOMIC_RELAXED) + ticks.rotate, now);
}

struct sched_unit *policy_rotate(struct run_queue *q, uint64_t now, unsigned *to)
{
    __atomic_store_n(&q->rotated, now, __ATOMIC_RELAXED);
    struct sched_unit *u = find_mover(q, to);
    return u || !core_of(q) ? u : find_wanderer(q, now, to);
}

struct sched_unit *policy_spare(struct run_queue *q, uint64_t now, unsigned to)
{
    struct sched_unit *u = NULL;

    if (!q->running && !core_is_awaited(q)) /* it is about to pick someone itself */
        return NULL;
    while ((u = policy_next(&q->waiting, u))) {
        if (!u->loaded && queue_allowed(u) & PCPU_BIT(to) && group_budget(u->group, now) &&
            core_open(PCPU_BIT(to), u->group))
            return u;
    }
    return NULL;
}
