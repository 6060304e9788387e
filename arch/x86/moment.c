/*
 * Moments. See arch/x86/moment.h.
 */
#include "arch/x86/moment.h"
#include "arch/x86/tsc.h"
#include "lib/time.h"

void moment_set(struct moment *m, uint64_t zero, uint64_t ns)
{
    if (ns == m->ns)
        return;
    m->ns = ns;
    m->tsc = TIME_NEVER;
    if (ns == TIME_NEVER)
        return;
    /* A guest may ask for any moment: what is beyond the machine's clock never comes. */
    uint64_t ticks = tsc_from_ns(ns);
    if (ticks < TIME_NEVER - zero)
        m->tsc = zero + ticks;
}

void moment_init(struct moment *m)
{
    *m = (struct moment){ .ns = TIME_NEVER, .tsc = TIME_NEVER };
}
