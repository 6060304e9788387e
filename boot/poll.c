/*
 * Polling, for a machine whose firmware tells of no I/O APIC: UEFI without ACPI tables, for one.
 */
#include "boot/poll.h"

#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "sched/timer.h"

#define PERIOD_NS 1000000 /* in which 12 of a FIFO's 16 bytes arrive */
#define MOST      4

static void (*polled[MOST])(void); /* boot only */
static struct timer timer;         /* fires on the boot CPU, for ever */

static void poll(struct timer *t)
{
    for (unsigned i = 0; i < MOST && polled[i]; i++)
        polled[i]();
    timer_set(t, rdtsc() + tsc_from_ns(PERIOD_NS));
}

void poll_add(void (*fn)(void))
{
    unsigned i = 0;

    while (i < MOST && polled[i] && polled[i] != fn)
        i++;
    ASSERT(i < MOST);
    if (!timer.armed) {
        timer_init(&timer, poll);
        timer_set(&timer, rdtsc());
    }
    polled[i] = fn;
}
