/*
 * From nanoseconds to the ticks of a device's crystal, and back.
 *
 * Every device derives its counters from absolute time instead of counting, so nothing drifts. The
 * sum is split at whole seconds, which keeps it exact in 64 bits for rates below 18 GHz without a
 * 128-bit division (which would want libgcc).
 */
#ifndef CAISSON_DEVICES_CLOCK_H
#define CAISSON_DEVICES_CLOCK_H

#include <stdint.h>

#define NS_PER_SEC 1000000000UL

/* Whole ticks of a clock of hz that have passed after ns. */
static inline uint64_t clock_ticks(uint64_t ns, uint64_t hz)
{
    return ns / NS_PER_SEC * hz + ns % NS_PER_SEC * hz / NS_PER_SEC;
}

/* The first nanosecond at which clock_ticks() has reached ticks: rounded up. */
static inline uint64_t clock_ns(uint64_t ticks, uint64_t hz)
{
    return ticks / hz * NS_PER_SEC + (ticks % hz * NS_PER_SEC + hz - 1) / hz;
}

/*
 * clock_ticks() by one multiplication, for a rate below 3.9 MHz that the compiler knows: ticks per
 * nanosecond in units of 2^-72, rounded up.
 *
 * Rounded up, no tick is late: clock_scaled(clock_ns(t)) >= t. The excess is less than ns / 2^72
 * ticks, which up to 2^62 ns (146 years) is less than what a clock of 1 MHz counts in a nanosecond:
 * so long a tick is early by less than that.
 */
#define CLOCK_SCALE(hz)                                                                            \
    ((uint64_t)((((unsigned __int128)(hz) << 72) + NS_PER_SEC - 1) / NS_PER_SEC))

static inline uint64_t clock_scaled(uint64_t ns, uint64_t scale)
{
    return (uint64_t)((unsigned __int128)ns * scale >> 72);
}

#endif
