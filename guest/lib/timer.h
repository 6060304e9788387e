/*
 * The timer interrupt of a PC, without APIC: PIT channel 0 through the 8259.
 */
#ifndef GUEST_TIMER_H
#define GUEST_TIMER_H

#include <stdint.h>

#define TIMER_VECTOR 0x20

/* Sets the 8259 pair up (vectors 0x20..0x2F, only the timer unmasked) and starts hz ticks a second.
 * Wants trap_init(). */
void timer_start(unsigned hz);
/* Also the one that firmware has left running. */
void timer_stop(void);
/* Ticks so far. */
uint64_t timer_ticks(void);

#endif
