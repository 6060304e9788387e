/*
 * Moments, in nanoseconds of a domain's clock and in ticks of the TSC alike: devices, timers and
 * the loop of a vCPU hand each other their deadlines.
 */
#ifndef CAISSON_LIB_TIME_H
#define CAISSON_LIB_TIME_H

#include <stdint.h>

#define TIME_NEVER UINT64_MAX /* it does not come */

static inline uint64_t time_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
