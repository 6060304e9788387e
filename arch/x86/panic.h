/*
 * The end of Caisson: what panic() (lib/assert.h) prints besides its message.
 */
#ifndef CAISSON_ARCH_X86_PANIC_H
#define CAISSON_ARCH_X86_PANIC_H

struct trap_frame;

/* An exception that nobody expected. */
_Noreturn void panic_trap(const struct trap_frame *frame);

/* prepare: makes the log's sinks fit for use without interrupts. print: says, through the log,
 * which domain this pCPU served, and its control block. Boot only. */
void panic_set_prepare(void (*prepare)(void));
void panic_set_context(void (*print)(void));

#endif
