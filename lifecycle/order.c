/*
 * Orders for bare domains. See lifecycle/order.h.
 */
#include "lifecycle/order.h"
#include "create/create.h"
#include "create/list.h"
#include "domain/domain.h"
#include "lib/log.h"
#include "lib/string.h"
#include "create/id.h"
#include "lifecycle/keeper.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/throttle.h"

#define ORDERS 8 /* at once; more have to wait */

enum state { FREE, ASKED, TAKEN, DONE };

static struct place {
    enum state state;
    struct order what;
    const struct keeper *keeper; /* TAKEN: who makes it; DONE: who has it, or NULL */
    int err;                     /* DONE: the answer */
    uint16_t id;
    uint64_t turn; /* DONE: the lowest has waited longest to be asked for */
} places[ORDERS];
static uint64_t turns;
static struct spinlock lock = SPINLOCK_RANK("orders", LOCK_ORDERS);

/* ---- Under the lock ---- */

static struct place *find(const struct order *what)
{
    for (unsigned i = 0; i < ORDERS; i++)
        if (places[i].state != FREE && memcmp(&places[i].what, what, sizeof(*what)) == 0)
            return &places[i];
    return NULL;
}

/* One that is free, or holds an answer that nobody came for; NULL: all are in use. */
static struct place *vacant(void)
{
    struct place *best = NULL;

    for (unsigned i = 0; i < ORDERS; i++) {
        struct place *p = &places[i];
        if (p->state == FREE)
            return p;
        if (p->state == DONE && (!best || p->turn < best->turn))
            best = p;
    }
    return best;
}

static void finish(struct place *p, int err, uint16_t id)
{
    p->state = DONE;
    p->err = err;
    p->id = id;
    p->turn = turns++;
}

static struct place *first_asked(void)
{
    for (unsigned i = 0; i < ORDERS; i++)
        if (places[i].state == ASKED)
            return &places[i];
    return NULL;
}

/* -EAGAIN: it is under way. full: there is no room for another. *news: it has just been written
 * down. */
static int ask(const struct order *what, bool full, uint16_t *id, bool *news)
{
    struct place *p = find(what);

    if (p && p->state == DONE) {
        p->state = FREE;
        *id = p->id;
        return p->err;
    }
    if (!p && full)
        return -ENOSPC;
    if (!p && (p = vacant())) {
        *p = (struct place){ .state = ASKED, .what = *what };
        *news = true;
    }
    return -EAGAIN;
}

/* ---- From outside ---- */

int order_domain(const struct order *what, uint16_t *id)
{
    bool news = false, full = xen_domain_count() == MAX_DOMAINS; /* then nobody is troubled */

    spin_lock(&lock);
    int err = ask(what, full, id, &news);
    spin_unlock(&lock);
    if (news)
        lifecycle_look();
    return err;
}

static struct domain_config config_of(const struct order *what)
{
    struct domain_config c = {
        .name = BARE_NAME "new",
        .vcpus = what->vcpus,
        .type = DOMAIN_PVH,
        .bare = true,
        .msr_relaxed = what->msr_relaxed,
        .share = { .weight = CONFIG_DEFAULT_WEIGHT, .cpus = UINT64_MAX },
        .cmdline = "",
    };

    memcpy(c.uuid, what->uuid, sizeof(c.uuid));
    return c;
}

/* What is taken is the boot CPU's. */
static struct place *take(void)
{
    spin_lock(&lock);
    struct place *p = first_asked();
    if (p)
        p->state = TAKEN;
    spin_unlock(&lock);
    return p;
}

/* Begins to make it. -EAGAIN: later; an id is looked for in pieces. */
static int begin(struct place *p)
{
    struct keeper *k = lifecycle_new_keeper(BARE_NAME "new");

    p->keeper = NULL;
    if (!k)
        return -ENOMEM;
    k->config = config_of(&p->what);
    int err = keeper_start(k);
    p->keeper = err ? NULL : k;
    if (err)
        lifecycle_drop(k);
    return err;
}

/* One of those whom nobody looks after. To end one is a line of the log, and kicks. */
static bool end_an_orphan(void)
{
    struct domain *d = domain_next(NULL);

    while (d && !d->orphan)
        d = domain_next(d);
    if (!d)
        return false;
    d->orphan = false;
    domain_end(d, END_DESTROYED, "the control domain has ended");
    return true;
}

bool order_take(void)
{
    struct place *p;

    if (end_an_orphan())
        return true;
    p = take();
    if (!p)
        return false;
    int err = begin(p);
    spin_lock(&lock);
    if (err == -EAGAIN)
        p->state = ASKED;
    else if (err)
        finish(p, err, ID_NONE);
    spin_unlock(&lock);
    return true;
}

/* An answer that nobody came for does not outlive its domain. */
static void settle(struct place *p, const struct keeper *k, uint16_t id)
{
    if (p->state == TAKEN && p->keeper == k)
        finish(p, id == ID_NONE ? -ENOMEM : 0, id);
    else if (p->state == DONE && p->keeper == k && id == ID_NONE)
        p->state = FREE;
}

void order_settle(const struct keeper *k, uint16_t id)
{
    if (!k->config.bare)
        return;
    spin_lock(&lock);
    for (unsigned i = 0; i < ORDERS; i++)
        settle(&places[i], k, id);
    spin_unlock(&lock);
}

static void forget_all(void)
{
    spin_lock(&lock);
    for (unsigned i = 0; i < ORDERS; i++)
        if (places[i].state != TAKEN)
            places[i].state = FREE;
    spin_unlock(&lock);
}

/* Paused or suspended, it would stay for ever. */
static bool needs_control(const struct domain *d)
{
    return d->end || !d->started || d->suspended || d->state == DOMAIN_PAUSED;
}

void order_orphan_all(void)
{
    forget_all();
    for (struct domain *d = domain_next(NULL); d; d = domain_next(d))
        d->orphan = d->bare && needs_control(d);
    lifecycle_look();
}
