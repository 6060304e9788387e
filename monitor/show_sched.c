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

static unsigned shown; /* pCPUs; the monitor's work only */

static enum command_progress show_pcpu(void)
{
    struct irq_counts c = irq_counts_of(shown);

    monitor_print("%4u %12lu %12lu %12lu\n", shown++, c.timer, c.kick, c.device);
    return shown < cpu_count ? COMMAND_MORE : COMMAND_DONE;
}

void show_pcpus(const struct command_args *args)
{
    uint64_t ms = tsc_to_ns(rdtsc()) / 1000000;

    (void)args;
    monitor_print("%lu.%03lu s since the machine's reset\n%4s %12s %12s %12s\n", ms / 1000,
                  ms % 1000, "pCPU", "Timer", "Kicks", "Devices");
    shown = 0;
    command_go_on(show_pcpu);
}

static enum command_progress show_vcpu_waits(void)
{
    const struct vcpu *v = domains_step_vcpu();

    if (!v)
        return COMMAND_DONE;
    const struct sched_stats *s = &v->unit.stats;
    uint64_t wakes = s->wakes;
    monitor_print("%-31s %5u %4u %10lu %10lu %10lu %10lu %6lu\n", v->domain->name,
                  v->domain->xen.id, v->id, wakes,
                  wakes ? tsc_to_ns(s->woken_wait / wakes) / 1000 : 0,
                  tsc_to_ns(s->woken_most) / 1000, s->switches, s->migrations);
    return COMMAND_MORE;
}

void show_waits(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    monitor_print("%-31s %5s %4s %10s %10s %10s %10s %6s\n", "Name", "ID", "VCPU", "Wakes",
                  "Mean(us)", "Most(us)", "Switches", "Moves");
    command_go_on(show_vcpu_waits);
}
