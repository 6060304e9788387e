/*
 * The time of day, as an offset to the TSC.
 */
#include "arch/x86/wallclock.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"

#define NS_PER_SECOND 1000000000L

static int64_t epoch_at_zero; /* the time of day when the TSC read 0. Boot only */

static int64_t seconds_up(void)
{
    return (int64_t)(tsc_to_ns(rdtsc()) / NS_PER_SECOND);
}

void wallclock_set(int64_t epoch)
{
    epoch_at_zero = epoch - seconds_up();
}

int64_t wallclock_now(void)
{
    return epoch_at_zero + seconds_up();
}
