/*
 * Commands that show how the scheduler fares: pcpus, waits.
 */
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "monitor/commands.h"
#include "monitor/domains.h"
#include "monitor/monitor.h"

void show_pcpus(const struct command_args *args)
{
    uint64_t ms = tsc_to_ns(rdtsc()) / 1000000;

    (void)args;
    monitor_print("%lu.%03lu s since the machine's reset\n%4s %12s %12s %12s\n", ms / 1000,
                  ms % 1000, "pCPU", "Timer", "Kicks", "Devices");
    for (unsigned i = 0; i < cpu_count; i++) {
        struct irq_counts c = irq_counts_of(i);
        monitor_print("%4u %12lu %12lu %12lu\n", i, c.timer, c.kick, c.device);
    }
}

static void print_waits(const struct domain *d)
{
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        const struct sched_stats *s = &d->vcpus[i]->unit.stats;
        uint64_t wakes = s->wakes;

        monitor_print("%-31s %5u %4u %10lu %10lu %10lu %10lu %6lu\n", d->name, d->id, i, wakes,
                      wakes ? tsc_to_ns(s->woken_wait / wakes) / 1000 : 0,
                      tsc_to_ns(s->woken_most) / 1000, s->switches, s->migrations);
    }
}

void show_waits(const struct command_args *args)
{
    struct domain *d = args->count ? domains_find(args->word[0]) : domain_next(NULL);

    if (args->count && !d)
        return;
    monitor_print("%-31s %5s %4s %10s %10s %10s %10s %6s\n", "Name", "ID", "VCPU", "Wakes",
                  "Mean(us)", "Most(us)", "Switches", "Moves");
    for (; d; d = args->count ? NULL : domain_next(d))
        print_waits(d);
}
