/*
 * The time-stamp counter, Caisson's only clock, and its rate.
 */
#ifndef CAISSON_ARCH_X86_TSC_H
#define CAISSON_ARCH_X86_TSC_H

#include <stdint.h>

/* Measures against the PM timer (pm_port, 0 if there is none) or the PIT; takes CPUID 0x15/0x16
 * only where they agree within 0.5 %. Logs what was found. Boot CPU only. */
void tsc_calibrate(uint16_t pm_port);
extern uint64_t tsc_hz; /* ticks a second */

/* Ticks to nanoseconds and back; exact to 1 ns over 100 years. */
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t tsc_from_ns(uint64_t ns); /* rounds up: the moment is not before ns */
void tsc_delay_us(uint64_t us);

#endif
