/*
 * Moments. See arch/x86/moment.h.
 */
#include "arch/x86/moment.h"
#include <stdbool.h>
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/time.h"

void moment_set(struct moment *m, uint64_t zero, uint64_t ns)
{
    uint64_t tsc;

    if (ns == m->ns)
        return;
    m->ns = ns;
    m->tsc = TIME_NEVER;
    if (ns == TIME_NEVER)
        return;
    /* A guest may ask for any moment: what is beyond the machine's clock never comes. If the
     * domain's clock is ahead of that, zero is before 0, and only what has passed does not wrap. */
    uint64_t ticks = tsc_from_ns(ns);
    bool is_ahead = zero >> 63, wraps = __builtin_add_overflow(zero, ticks, &tsc);
    if (wraps == is_ahead)
        m->tsc = tsc;
    else if (is_ahead)
        m->tsc = rdtsc();
}

void moment_init(struct moment *m)
{
    *m = (struct moment){ .ns = TIME_NEVER, .tsc = TIME_NEVER };
}
