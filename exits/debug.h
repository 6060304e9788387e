/*
 * Breakpoints of the guest's, where Caisson makes the access that meets one.
 *
 * Ports and device memory are the hottest exits, and breakpoints are seldom: so they are looked
 * after by a table of actions of its own (exit_actions_armed), which a vCPU gets when it touches
 * its debug registers, and leaves once it has none enabled.
 */
#ifndef CAISSON_EXITS_DEBUG_H
#define CAISSON_EXITS_DEBUG_H

#include "domain/vcpu.h"

/* It is about to use its debug registers: it shall, and may have breakpoints from then on. */
void debug_arm(struct vcpu *v);
/* Around the action for an exit by a port or by device memory: a breakpoint that is met in between
 * is a #DB behind the instruction, or behind one repetition of it. Loaded. */
void debug_begin(struct vcpu *v);
void debug_end(struct vcpu *v);

#endif
