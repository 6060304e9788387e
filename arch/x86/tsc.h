/*
 * The time-stamp counter, Caisson's only clock, and its rate.
 */
#ifndef CAISSON_ARCH_X86_TSC_H
#define CAISSON_ARCH_X86_TSC_H

#include <stdint.h>

/* Measures against the PM timer (pm_port, 0 if there is none) or the PIT, for 20 ms, in which it
 * calls meanwhile() over and over; takes CPUID 0x15/0x16 only where they agree within 0.5 %. Logs
 * what was found. Boot CPU only. */
void tsc_calibrate(uint16_t pm_port, void (*meanwhile)(void));
/* The same with a rate that is known; 1 MHz to 1 THz. */
void tsc_set_rate(uint64_t hz);
extern uint64_t tsc_hz; /* ticks a second; 0 before tsc_calibrate() */

/* Ticks to nanoseconds and back; exact to 1 ns over 100 years. UINT64_MAX stays what it is, and
 * what would be more becomes it. */
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t tsc_from_ns(uint64_t ns); /* the first moment that is not before ns */

/* tsc_to_ns() in line, for ways that are gone often, and for no more than 2^63 ns (292 years).
 * Nanoseconds in a tick are a number below 2^shift; `scale` is its first 64 bits. */
extern struct tsc_rate {
    uint64_t scale;
    uint8_t shift;
} tsc_rate;
static inline uint64_t tsc_to_ns_quick(uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)(ticks << tsc_rate.shift) * tsc_rate.scale >> 64);
}

void tsc_delay_us(uint64_t us);

#endif
