/*
 * Commands that show what the domains do: list, vcpus, top, exits, regs, vmcs, screen.
 */
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/domain_screen.h"
#include "monitor/commands.h"
#include "monitor/domains.h"
#include "lifecycle/lifecycle.h"
#include "create/list.h"
#include "monitor/monitor.h"

#define FRAMES_TO_MIB(frames) ((frames) >> (20 - PAGE_SHIFT))

static void print_words(const struct last_words *w)
{
    monitor_print("domain %u (%s) %s: %s\n", w->id, w->name, domain_end_name(w->end), w->why);
}

static enum command_progress list_one(void)
{
    const struct domain *d = domains_step();

    if (!d) {
        lifecycle_last_words(print_words);
        return COMMAND_DONE;
    }
    uint64_t time = domains_tenths(domains_ran(d));
    monitor_print("%-31s %5u %6lu/%6lu %5u  %-8s %7lu.%lu\n", d->name, d->xen.id,
                  FRAMES_TO_MIB(d->p2m.populated), FRAMES_TO_MIB(d->p2m.promised),
                  d->xen.vcpu_count, domain_state_name(d), time / 10, time % 10);
    return COMMAND_MORE;
}

void show_list(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    monitor_print("%-31s %5s %13s %5s  %-8s %9s\n", "Name", "ID", "MiB used/of", "VCPUs", "State",
                  "Time(s)");
    command_go_on(list_one);
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

static enum command_progress list_vcpu(void)
{
    const struct vcpu *v = domains_step_vcpu();

    if (!v)
        return COMMAND_DONE;
    uint64_t time = domains_tenths(vcpu_ran(v));
    monitor_print("%-31s %5u %4u %5u  %-8s %7lu.%lu %11lu\n", v->domain->name, v->domain->xen.id,
                  v->id, v->unit.pcpu, vcpu_state(v), time / 10, time % 10, vcpu_exits(v));
    return COMMAND_MORE;
}

void show_vcpus(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    monitor_print("%-31s %5s %4s %5s  %-8s %9s %11s\n", "Name", "ID", "VCPU", "pCPU", "State",
                  "Time(s)", "Exits");
    command_go_on(list_vcpu);
}

/* ---- top ------------------------------------------------------------------------------------- */

/* What was seen of a domain at the last call; an id that is new began at zero. */
struct seen {
    uint16_t id;
    uint64_t ran, exits;
};
static struct seen seen[MAX_DOMAINS]; /* the monitor's work only, as are the times */
static uint64_t seen_at, seen_before;

static struct seen *seen_of(uint16_t id)
{
    struct seen *s = &seen[id % MAX_DOMAINS]; /* ids of domains that exist differ so */

    if (s->id != id)
        *s = (struct seen){ .id = id };
    return s;
}

static void print_top(const struct domain *d, uint64_t span)
{
    uint64_t ran = domains_ran(d), exits = domains_exits(d), permille;
    struct seen *s = seen_of(d->xen.id);

    permille = (ran - s->ran) * 1000 / (span ? span : 1);
    monitor_print("%-31s %5u %5lu.%lu %12lu\n", d->name, d->xen.id, permille / 10, permille % 10,
                  exits - s->exits);
    s->ran = ran;
    s->exits = exits;
}

static enum command_progress top_one(void)
{
    const struct domain *d = domains_step();

    if (!d)
        return COMMAND_DONE;
    print_top(d, seen_at - seen_before);
    return COMMAND_MORE;
}

void show_top(const struct command_args *args)
{
    seen_before = seen_at;
    seen_at = rdtsc();
    uint64_t ms = tsc_to_ns(seen_at - seen_before) / 1000000;

    if (!domains_begin(args))
        return;
    monitor_print("%lu.%03lu s\n%-31s %5s %7s %12s\n", ms / 1000, ms % 1000, "Name", "ID", "CPU(%)",
                  "Exits");
    command_go_on(top_one);
}

/* ---- exits ----------------------------------------------------------------------------------- */

struct tally {
    uint64_t count[VIRT_EXIT_KINDS], ticks[VIRT_EXIT_KINDS];
    uint64_t all, all_ticks;
    unsigned printed; /* kinds */
};
static struct tally tally; /* the monitor's work only */

static void tally_domain(struct tally *t, const struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++) {
        for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++) {
            t->count[kind] += d->vcpus[i]->virt.exits[kind];
            t->ticks[kind] += d->vcpus[i]->virt.exit_ticks[kind];
            t->all += d->vcpus[i]->virt.exits[kind];
            t->all_ticks += d->vcpus[i]->virt.exit_ticks[kind];
        }
    }
}

static void print_kind(const struct tally *t, unsigned kind)
{
    uint64_t n = t->count[kind], ticks = t->ticks[kind];

    if (n)
        monitor_print("%-20s %12lu %7lu %14lu %7lu %9lu\n", virt_exit_name[kind], n,
                      n * 100 / t->all, ticks, t->all_ticks ? ticks * 100 / t->all_ticks : 0,
                      ticks / n);
}

/* Counts a domain, or when all are counted prints a kind. */
static enum command_progress exits_some(void)
{
    const struct domain *d = domains_step();

    if (d) {
        tally_domain(&tally, d);
        return COMMAND_MORE;
    }
    if (tally.printed < VIRT_EXIT_KINDS) {
        print_kind(&tally, tally.printed++);
        return COMMAND_MORE;
    }
    monitor_print("%-20s %12lu %7s %14lu\n", "all", tally.all, "", tally.all_ticks);
    return COMMAND_DONE;
}

void show_exits(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    tally = (struct tally){ 0 };
    monitor_print("%-20s %12s %7s %14s %7s %9s\n", "Exit", "Count", "%", "Ticks", "%", "Average");
    command_go_on(exits_some);
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

void show_control(const struct command_args *args)
{
    dump(args, DUMP_CONTROL);
}

/* ---- screen ---------------------------------------------------------------------------------- */

static struct {
    uint16_t id;
    unsigned row;
} screen; /* the monitor's work only */

static enum command_progress screen_row(void)
{
    struct domain *d = domain_by_id(screen.id);
    char text[DOMAIN_SCREEN_COLUMNS + 1];
    int err = d && d->xen.findable ? domain_screen_row(d, screen.row, text) : -ENOENT;

    if (err) {
        monitor_print("no text memory\n");
        return COMMAND_DONE;
    }
    monitor_print("%s\n", text);
    return ++screen.row < DOMAIN_SCREEN_ROWS ? COMMAND_MORE : COMMAND_DONE;
}

void show_screen(const struct command_args *args)
{
    const struct domain *d = domains_find_whole(args->word[0]);

    if (!d)
        return;
    screen.id = d->xen.id;
    screen.row = 0;
    command_go_on(screen_row);
}
