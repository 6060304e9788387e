/*
 * Commands that show what the domains do: list, vcpus, top, exits, regs, vmcs.
 */
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/domains.h"
#include "monitor/lifecycle.h"
#include "monitor/monitor.h"

#define FRAMES_TO_MIB(frames) ((frames) >> (20 - PAGE_SHIFT))

static void print_words(const struct last_words *w)
{
    monitor_print("domain %u (%s) %s: %s\n", w->id, w->name, domain_end_name(w->end), w->why);
}

void show_list(const struct command_args *args)
{
    (void)args;
    monitor_print("%-31s %5s %13s %5s  %-8s %9s\n", "Name", "ID", "MiB used/of", "VCPUs", "State",
                  "Time(s)");
    for (struct domain *d = domain_next(NULL); d; d = domain_next(d)) {
        uint64_t time = domains_tenths(domains_ran(d));

        monitor_print("%-31s %5u %6lu/%6lu %5u  %-8s %7lu.%lu\n", d->name, d->id,
                      FRAMES_TO_MIB(d->p2m.populated), FRAMES_TO_MIB(d->p2m.promised),
                      d->vcpu_count, domain_state_name(d->state), time / 10, time % 10);
    }
    lifecycle_last_words(print_words);
}

static const char *vcpu_state(const struct vcpu *v)
{
    if (v->waits_for_startup)
        return "off";
    switch (v->unit.state) {
    case SCHED_RUNNING:
        return "running";
    case SCHED_RUNNABLE:
        return "waiting";
    case SCHED_BLOCKED:
        return v->halted ? "halted" : "blocked";
    }
    return "?";
}

static void print_vcpus(const struct domain *d)
{
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        const struct vcpu *v = d->vcpus[i];
        uint64_t time = domains_tenths(vcpu_ran(v));

        monitor_print("%-31s %5u %4u %5u  %-8s %7lu.%lu %11lu\n", d->name, d->id, v->id,
                      v->unit.pcpu, vcpu_state(v), time / 10, time % 10, exit_count(v));
    }
}

void show_vcpus(const struct command_args *args)
{
    struct domain *d = args->count ? domains_find(args->word[0]) : domain_next(NULL);

    if (args->count && !d)
        return;
    monitor_print("%-31s %5s %4s %5s  %-8s %9s %11s\n", "Name", "ID", "VCPU", "pCPU", "State",
                  "Time(s)", "Exits");
    for (; d; d = args->count ? NULL : domain_next(d))
        print_vcpus(d);
}

/* ---- top ------------------------------------------------------------------------------------- */

/* What was seen of a domain at the last call; an id that is new began at zero. */
struct seen {
    uint16_t id;
    uint64_t ran, exits;
};
static struct seen seen[MAX_DOMAINS]; /* the monitor's work only, as is the time */
static uint64_t seen_at;

static struct seen *seen_of(uint16_t id)
{
    struct seen *unused = NULL;

    for (unsigned i = 0; i < MAX_DOMAINS; i++) {
        if (seen[i].id == id)
            return &seen[i];
        if (!unused && !domain_by_id(seen[i].id))
            unused = &seen[i];
    }
    if (unused)
        *unused = (struct seen){ .id = id };
    return unused;
}

static void print_top(const struct domain *d, uint64_t span)
{
    uint64_t ran = domains_ran(d), exits = domains_exits(d), permille;
    struct seen *s = seen_of(d->id);

    if (!s)
        return;
    permille = (ran - s->ran) * 1000 / span;
    monitor_print("%-31s %5u %5lu.%lu %12lu\n", d->name, d->id, permille / 10, permille % 10,
                  exits - s->exits);
    s->ran = ran;
    s->exits = exits;
}

void show_top(const struct command_args *args)
{
    uint64_t now = rdtsc(), span = now - seen_at, ms = tsc_to_ns(span) / 1000000;

    (void)args;
    monitor_print("%lu.%03lu s\n%-31s %5s %7s %12s\n", ms / 1000, ms % 1000, "Name", "ID", "CPU(%)",
                  "Exits");
    for (struct domain *d = domain_next(NULL); d; d = domain_next(d))
        print_top(d, span ? span : 1);
    seen_at = now;
}

/* ---- exits ----------------------------------------------------------------------------------- */

struct tally {
    uint64_t count[VIRT_EXIT_KINDS], ticks[VIRT_EXIT_KINDS];
    uint64_t all, all_ticks;
};

static void tally_domain(struct tally *t, const struct domain *d)
{
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++) {
            t->count[kind] += d->vcpus[i]->exits[kind];
            t->ticks[kind] += d->vcpus[i]->exit_ticks[kind];
            t->all += d->vcpus[i]->exits[kind];
            t->all_ticks += d->vcpus[i]->exit_ticks[kind];
        }
    }
}

static void print_tally(const struct tally *t)
{
    monitor_print("%-20s %12s %7s %14s %7s %9s\n", "Exit", "Count", "%", "Ticks", "%", "Average");
    for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++) {
        uint64_t n = t->count[kind], ticks = t->ticks[kind];

        if (n)
            monitor_print("%-20s %12lu %7lu %14lu %7lu %9lu\n", virt_exit_name[kind], n,
                          n * 100 / t->all, ticks, t->all_ticks ? ticks * 100 / t->all_ticks : 0,
                          ticks / n);
    }
    monitor_print("%-20s %12lu %7s %14lu\n", "all", t->all, "", t->all_ticks);
}

void show_exits(const struct command_args *args)
{
    struct domain *d = args->count ? domains_find(args->word[0]) : domain_next(NULL);
    struct tally t = { 0 };

    if (args->count && !d)
        return;
    for (; d; d = args->count ? NULL : domain_next(d))
        tally_domain(&t, d);
    print_tally(&t);
}

/* ---- regs, vmcs ------------------------------------------------------------------------------ */

static void dump(const struct command_args *args, enum vcpu_dump what)
{
    static const struct word zero = { "0", 1 };
    struct domain *d = domains_find_whole(args->word[0]);
    struct vcpu *v = d ? domains_find_vcpu(d, args->count > 1 ? args->word[1] : zero) : NULL;

    if (v)
        vcpu_request_dump(v, what);
}

void show_regs(const struct command_args *args)
{
    dump(args, DUMP_REGS);
}

void show_vmcs(const struct command_args *args)
{
    dump(args, DUMP_VMCS);
}
