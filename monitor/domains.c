/*
 * Domains as the operator names and measures them. See monitor/domains.h.
 *
 * The counters are read while other pCPUs write them: a figure may be a moment old, never torn.
 */
#include "create/list.h"
#include "monitor/domains.h"
#include "arch/x86/tsc.h"
#include "monitor/command.h"
#include "monitor/monitor.h"

const char *command_domain(unsigned n)
{
    const struct domain *d = domain_next(NULL);

    while (d && n--)
        d = domain_next(d);
    return d ? d->name : NULL;
}

struct domain *domains_find(struct word name)
{
    struct domain *d;
    uint64_t id;

    for (d = domain_next(NULL); d; d = domain_next(d)) {
        if (word_is(name, d->name))
            return d;
    }
    d = word_number(name, UINT16_MAX, &id) ? domain_by_id((uint16_t)id) : NULL;
    if (!d)
        monitor_print("no domain \"%.*s\"\n", WORD_ARGS(name));
    return d;
}

struct domain *domains_find_whole(struct word name)
{
    struct domain *d = domains_find(name);

    if (!d || d->xen.findable)
        return d;
    monitor_print("%s is %s\n", d->name, d->destroyed ? "being buried" : "still being built");
    return NULL;
}

struct vcpu *domains_find_vcpu(const struct domain *d, struct word number)
{
    uint64_t n;

    if (word_number(number, UINT64_MAX, &n) && n < d->xen.vcpu_count)
        return d->vcpus[n];
    monitor_print("%s has no vCPU \"%.*s\": want 0 to %u\n", d->name, WORD_ARGS(number),
                  d->xen.vcpu_count - 1);
    return NULL;
}

/* ---- One after the other ---- */

/* Of the command that is being carried out: domains may come and go between two of its turns. */
static struct {
    uint32_t id, last; /* where it goes on, and ends */
    uint32_t seen;     /* whose vCPUs are counted in `vcpu` */
    unsigned vcpu;
} cursor;

bool domains_begin(const struct command_args *args)
{
    const struct domain *d = args->count ? domains_find(args->word[0]) : NULL;

    cursor.id = d ? d->xen.id : 0;
    cursor.last = d ? d->xen.id : UINT16_MAX;
    cursor.seen = 0;
    return d || !args->count;
}

static struct domain *here(void)
{
    struct domain *found = NULL;

    for (struct domain *d = domain_next(NULL); d; d = domain_next(d))
        if (d->xen.id >= cursor.id && d->xen.id <= cursor.last &&
            (!found || d->xen.id < found->xen.id))
            found = d;
    return found;
}

struct domain *domains_step(void)
{
    struct domain *d = here();

    if (d)
        cursor.id = d->xen.id + 1U;
    return d;
}

struct vcpu *domains_step_vcpu(void)
{
    const struct domain *d;

    for (; (d = here()); cursor.id = d->xen.id + 1U) {
        if (d->xen.id != cursor.seen)
            cursor.vcpu = 0;
        cursor.seen = d->xen.id;
        if (cursor.vcpu < d->xen.vcpu_count)
            return d->vcpus[cursor.vcpu++];
    }
    return NULL;
}

/* ---- Their figures ---- */

uint64_t vcpu_ran(const struct vcpu *v)
{
    return sched_unit_ran(&v->unit);
}

uint64_t domains_ran(const struct domain *d)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        sum += vcpu_ran(d->vcpus[i]);
    return sum;
}

uint64_t domains_exits(const struct domain *d)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        sum += vcpu_exits(d->vcpus[i]);
    return sum;
}

uint64_t domains_tenths(uint64_t ticks)
{
    return tsc_to_ns(ticks) / 100000000;
}
