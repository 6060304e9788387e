/*
 * The machine's own clock, which runs while the machine is off.
 */
#ifndef CAISSON_DRIVERS_RTC_H
#define CAISSON_DRIVERS_RTC_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970; the clock is taken to show UTC. False if there is no clock or what it shows
 * is no date. */
bool rtc_read(int64_t *epoch);

#endif
