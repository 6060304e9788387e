/*
 * Moments. See arch/x86/moment.h.
 */
#include "arch/x86/moment.h"
#include "arch/x86/tsc.h"
#include "devices/device.h"

void moment_set(struct moment *m, uint64_t zero, uint64_t ns)
{
    if (ns == m->ns)
        return;
    m->ns = ns;
    m->tsc = TSC_NEVER;
    if (ns == DEVICE_NEVER)
        return;
    /* A guest may ask for any moment: what is beyond the machine's clock never comes. */
    uint64_t ticks = tsc_from_ns(ns);
    if (ticks < TSC_NEVER - zero)
        m->tsc = zero + ticks;
}

void moment_init(struct moment *m)
{
    *m = (struct moment){ .ns = DEVICE_NEVER, .tsc = TSC_NEVER };
}
