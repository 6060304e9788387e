/*
 * Domains made, made anew, buried. See lifecycle/lifecycle.h.
 */
#include "lifecycle/lifecycle.h"
#include "config/catalogue.h"
#include "lib/log.h"
#include "lib/string.h"
#include "create/id.h"
#include "lifecycle/keeper.h"
#include "create/list.h"
#include "lifecycle/order.h"
#include "lifecycle/throttle.h"
#include "lifecycle/unpack.h"
#include "mm/audit.h"
#include "mm/heap.h"
#include "sched/sched.h"

#define LAST_WORDS 16

_Static_assert(MAX_MODULES <= 32, "a bit for each domain of the menu");

static void (*at_end)(void);                     /* boot only */
static struct sched_unit undertaker;             /* boot CPU */
static struct sched_group own_time;              /* the undertaker's */
static struct last_words last_words[LAST_WORDS]; /* a ring, boot CPU only, as are the counts */
static unsigned words_written, words_read;
static struct keeper *unneeded;      /* a list; boot CPU only */
static const struct keeper *awaited; /* by the operator, or NULL; boot CPU only, as what follows */
static void (*settled)(void);

static void remember(const struct domain *d)
{
    struct last_words *w = &last_words[words_written++ % LAST_WORDS];

    *w = (struct last_words){ .id = d->xen.id, .end = d->end };
    str_copy(w->name, d->name, sizeof(w->name));
    str_copy(w->why, d->end_why, sizeof(w->why));
    if (words_written - words_read > LAST_WORDS)
        words_read = words_written - LAST_WORDS;
}

void lifecycle_last_words(void (*fn)(const struct last_words *words))
{
    for (; words_read != words_written; words_read++)
        fn(&last_words[words_read % LAST_WORDS]);
}

struct keeper *lifecycle_new_keeper(const char *whose)
{
    struct keeper *k = heap_pages(KEEPER_ORDER, OWNER_CAISSON);

    if (!k)
        log_error("%s: out of memory", whose);
    return k;
}

void lifecycle_drop(struct keeper *k)
{
    heap_free_pages(k, KEEPER_ORDER, OWNER_CAISSON);
}

/* It runs, or all of it is gone again. */
static void settle(const struct keeper *k, uint16_t id)
{
    order_settle(k, id);
    if (k != awaited)
        return;
    awaited = NULL;
    settled();
}

void lifecycle_note_built(struct keeper *k)
{
    settle(k, k->domain->xen.id);
}

void lifecycle_look(void)
{
    sched_wake(&undertaker);
}

/* A keeper looks after its domain; but who would dismiss the keeper? */
static bool undertake(struct sched_unit *u, uint64_t deadline)
{
    (void)u;
    (void)deadline;
    while (unneeded && keeper_dismiss(unneeded)) {
        struct keeper *k = unneeded;
        unneeded = k->next;
        settle(k, ID_NONE);
        lifecycle_drop(k);
    }
    if (unneeded || order_take())
        return true;
    if (!domain_next(NULL)) {
        log_info("no domain left");
        audit_machine();
        at_end();
    }
    return false;
}

void lifecycle_dismiss(struct keeper *k)
{
    k->next = unneeded;
    unneeded = k;
    sched_wake(&undertaker);
}

void lifecycle_note_end(const struct domain *d)
{
    bool failed = d->end == END_TRIPLE_FAULT || d->end == END_CRASH || d->end == END_KILLED;

    if (failed && !domain_comes_back(d))
        remember(d);
}

void lifecycle_ended(struct domain *d)
{
    keeper_wake(LIST_ENTRY(d->account, struct keeper, account));
}

/* A pvh domain beside a control domain is to find its xenstore. */
static bool has_store(const struct domain_config *c)
{
    bool control = xen_domain_by_id(XEN_DOMID_CONTROL);
    const struct domain_config *other;

    for (unsigned i = 0; !control && (other = catalogue_of_menu(i)); i++)
        control = other->control;
    return control && !c->control && c->type == DOMAIN_PVH;
}

int lifecycle_create(const char *line, void (*fn)(void))
{
    struct keeper *k = lifecycle_new_keeper("create");

    if (!k)
        return -ENOMEM;
    int err = catalogue_read(line, k->words, &k->config);
    k->config.store = !err && has_store(&k->config);
    if (!err)
        err = keeper_start(k);
    if (err) {
        lifecycle_drop(k);
        return err;
    }
    awaited = k;
    settled = fn;
    return 0;
}

bool lifecycle_is_creating(void)
{
    return awaited;
}

/* If it cannot be, the log has said why, and the others start all the same. */
static void start_of_menu(const struct domain_config *c)
{
    struct keeper *k = lifecycle_new_keeper(c->name);

    if (!k)
        return;
    k->config = *c;
    k->config.store = has_store(c);
    if (keeper_start_now(k))
        lifecycle_drop(k);
}

void lifecycle_begin(struct module *modules, unsigned n, void (*fn)(void))
{
    const struct domain_config *c;
    uint32_t broken = 0; /* domains of the menu whose kernels cannot be unpacked */

    at_end = fn;
    throttle_begin();
    sched_group_init(&own_time, SCHED_DEFAULT_WEIGHT, 0);
    sched_unit_init(&undertaker, &own_time, 1, undertake, sched_leave_nothing);
    catalogue_init(modules, n);
    for (unsigned i = 0; (c = catalogue_of_menu(i)); i++)
        if (unpack_kernel(&modules[c->kernel - modules], c->mem, c->name))
            broken |= 1u << i;
    for (unsigned i = 0; (c = catalogue_of_menu(i)); i++)
        if (!(broken & 1u << i))
            start_of_menu(c);
    if (!domain_next(NULL))
        sched_wake(&undertaker);
}
