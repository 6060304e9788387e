/*
 * Polling for corrected machine checks, on each pCPU, since banks are often a core's own. Memory
 * that begins to fail is told of days before it takes the machine down.
 */
#include "boot/mce_poll.h"

#include "arch/x86/insn.h"
#include "arch/x86/mce.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "sched/timer.h"

#define PERIOD_NS (300 * 1000000000UL) /* as Linux has it */

static struct timer timers[MAX_PCPUS]; /* each its own pCPU's */

static void poll(struct timer *t)
{
    mce_poll();
    timer_set(t, rdtsc() + tsc_from_ns(PERIOD_NS));
}

void mce_poll_start(void)
{
    struct timer *t = &timers[cpu_id()];

    timer_init(t, poll);
    timer_set(t, rdtsc() + tsc_from_ns(PERIOD_NS));
}
