/*
 * Domains made, made anew, buried. See monitor/lifecycle.h.
 */
#include "monitor/lifecycle.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/audit.h"
#include "mm/heap.h"
#include "monitor/catalogue.h"
#include "console/console.h"
#include "monitor/monitor.h"
#include "sched/sched.h"

#define LAST_WORDS 16

static void (*at_end)(void);                     /* boot only */
static struct sched_unit undertaker;             /* boot CPU */
static struct sched_group own_time;              /* the undertaker's */
static struct last_words last_words[LAST_WORDS]; /* a ring, boot CPU only, as are the counts */
static unsigned words_written, words_read;
static struct keeper *unneeded; /* a list; boot CPU only */
static const struct keeper
    *awaited; /* by the operator, who has had it created; the same. Or NULL */

static void remember(const struct domain *d)
{
    struct last_words *w = &last_words[words_written++ % LAST_WORDS];

    *w = (struct last_words){ .id = d->id, .end = d->end };
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

/* It runs, or all of it is gone again. */
static void settle(const struct keeper *k)
{
    if (k != awaited)
        return;
    awaited = NULL;
    monitor_go_on();
}

static void note_built(struct keeper *k)
{
    settle(k);
}

/* A keeper looks after its domain; but who would dismiss the keeper? */
static bool undertake(struct sched_unit *u, uint64_t deadline)
{
    (void)u;
    (void)deadline;
    while (unneeded && keeper_dismiss(unneeded)) {
        struct recipe *r = LIST_ENTRY(unneeded, struct recipe, keeper);
        unneeded = unneeded->next;
        settle(&r->keeper);
        catalogue_drop(r);
    }
    if (unneeded)
        return true;
    if (!domain_next(NULL)) {
        log_info("no domain left");
        audit_machine();
        at_end();
    }
    return false;
}

/* The undertaker keeps no registers. */
static void leave_nothing(struct sched_unit *u)
{
    (void)u;
}

static void dismiss(struct keeper *k)
{
    k->next = unneeded;
    unneeded = k;
    sched_wake(&undertaker);
}

static void note_end(const struct domain *d)
{
    if (d->end == END_TRIPLE_FAULT || d->end == END_CRASH || d->end == END_KILLED)
        remember(d);
}

void lifecycle_ended(struct domain *d)
{
    keeper_wake(&catalogue_recipe_of(d->config)->keeper);
}

int lifecycle_create(const char *line)
{
    struct recipe *r;
    int err = catalogue_make(line, &r);

    if (err)
        return err;
    err = keeper_start(&r->keeper, &r->config);
    if (err)
        catalogue_drop(r);
    else
        awaited = &r->keeper;
    return err;
}

bool lifecycle_is_creating(void)
{
    return awaited;
}

void lifecycle_begin(const struct module *modules, unsigned n, void (*fn)(void))
{
    static const struct keeper_hooks hooks = { .built = note_built,
                                               .ended = note_end,
                                               .unneeded = dismiss };
    struct recipe *r;

    at_end = fn;
    keeper_set_hooks(&hooks);
    sched_group_init(&own_time, SCHED_DEFAULT_WEIGHT, 0);
    sched_unit_init(&undertaker, &own_time, 1, undertake, leave_nothing);
    catalogue_init(modules, n);
    for (unsigned i = 0; (r = catalogue_of_menu(i)); i++)
        if (keeper_start_now(&r->keeper, &r->config))
            continue; /* said why; the others start all the same */
    if (!domain_next(NULL))
        sched_wake(&undertaker);
}
