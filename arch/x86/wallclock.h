/*
 * What time of day it is: Caisson is told once, at boot, and counts on by the TSC.
 *
 * A guest's clock starts from it, at its creation and at each reboot.
 */
#ifndef CAISSON_ARCH_X86_WALLCLOCK_H
#define CAISSON_ARCH_X86_WALLCLOCK_H

#include <stdint.h>

/* epoch: seconds since 1970, UTC, now. Boot only, after tsc_calibrate(). */
void wallclock_set(int64_t epoch);
int64_t wallclock_now(void);

#endif
