/*
 * Domains made, made anew, buried. See monitor/lifecycle.h.
 */
#include "monitor/lifecycle.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "monitor/catalogue.h"
#include "monitor/console.h"
#include "sched/sched.h"

#define LAST_WORDS 16

static void (*at_end)(void);                     /* boot only */
static struct sched_unit undertaker;             /* boot CPU */
static struct sched_group own_time;              /* the undertaker's */
static struct last_words last_words[LAST_WORDS]; /* a ring, boot CPU only, as are the counts */
static unsigned words_written, words_read;

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

/* Creates and starts; the recipe is given back if that fails. */
static int start(struct recipe *r)
{
    struct domain *d;
    int err = domain_create(&r->config, &d);

    if (err) {
        catalogue_drop(r);
        return err;
    }
    if (console_open(d))
        domain_end(d, END_KILLED, "no memory for its console");
    domain_unpause(d);
    return 0;
}

static void bury(struct domain *d)
{
    struct recipe *r = catalogue_recipe_of(d->config);
    enum domain_end end = d->end;
    bool comes_back = domain_comes_back(d);

    if (end == END_TRIPLE_FAULT || end == END_CRASH || end == END_KILLED)
        remember(d);
    console_close(d);
    domain_destroy(d);
    if (!comes_back)
        catalogue_drop(r);
    else if (start(r))
        log_error("a domain that rebooted could not be made again");
}

/* Buries one domain a turn, so that guests which reboot in a circle leave the pCPU to others in
 * between. Stays runnable while a pCPU is not quite done with a vCPU of the dead: a matter of
 * moments. */
static bool undertake(struct sched_unit *u, uint64_t deadline)
{
    struct domain *d;
    bool again = false;

    (void)u;
    (void)deadline;
    for (d = domain_next(NULL); d; d = domain_next(d)) {
        if (d->vcpus_out != d->vcpu_count || !console_drained(d))
            continue;
        again = true;
        if (domain_retire(d))
            break;
    }
    if (d)
        bury(d);
    if (!domain_next(NULL)) {
        log_info("no domain left");
        at_end();
    }
    return again;
}

/* The undertaker keeps no registers. */
static void leave_nothing(struct sched_unit *u)
{
    (void)u;
}

void lifecycle_ended(struct domain *d)
{
    (void)d;
    sched_wake(&undertaker);
}

int lifecycle_create(const char *line)
{
    struct recipe *r;
    int err = catalogue_make(line, &r);

    return err ? err : start(r);
}

void lifecycle_begin(const struct module *modules, unsigned n, void (*fn)(void))
{
    struct recipe *r;

    at_end = fn;
    sched_group_init(&own_time, SCHED_DEFAULT_WEIGHT, 0);
    sched_unit_init(&undertaker, &own_time, 1, undertake, leave_nothing);
    catalogue_init(modules, n);
    for (unsigned i = 0; (r = catalogue_of_menu(i)); i++)
        if (start(r))
            continue; /* said why; the others start all the same */
    if (!domain_next(NULL))
        sched_wake(&undertaker);
}
