/*
 * Interrupts of the machine. Caisson runs with interrupts off; they come in at a VM exit and
 * between two turns of the scheduler (irq_let_in) or while a pCPU is idle (irq_wait). Handlers
 * therefore never interrupt Caisson's own work, need no lock against it, and may call whatever the
 * loop may call.
 */
#ifndef CAISSON_ARCH_X86_IRQ_H
#define CAISSON_ARCH_X86_IRQ_H

#include <stdint.h>
#include "lib/errno.h"

typedef void (*irq_fn)(void);
typedef void (*irq_message_fn)(unsigned vector);

/* Vectors with a fixed meaning; those of irq_alloc_vector() lie below. */
#define VECTOR_FIRST    0x30
#define VECTOR_LAST     0xEF
#define VECTOR_KICK     0xF0 /* irq_kick(): does nothing but wake */
#define VECTOR_TIMER    0xF1 /* lapic_timer_set(): the same */
#define VECTOR_POSTED   0xF2 /* for a guest on that pCPU; the same if it has just come out */
#define VECTOR_SPURIOUS 0xFF /* of the LAPIC: no EOI */

/* A free vector (0x30..0xEF) for fn; the caller routes a device to it. -ENOSPC when none is left.
 */
int must_check irq_alloc_vector(irq_fn fn);
/* The same for fn that is told which of its vectors it was. */
int must_check irq_alloc_message(irq_message_fn fn);
/* Routes legacy ISA line irq (0..15) through the machine's I/O APIC to fn on the boot CPU,
 * with the MADT's overrides. 0, -ENODEV without an I/O APIC. */
int must_check irq_route_isa(unsigned irq, irq_fn fn);

/* What a pCPU was interrupted by since it started, without NMIs. Its own pCPU counts. */
struct irq_counts {
    uint64_t timer, kick, device;
};
struct irq_counts irq_counts_of(unsigned cpu);

/* From the trap handler: runs whoever has the vector, and sends the EOI. */
void irq_dispatch(unsigned vector);

/* Makes another pCPU come out of its guest or out of HLT. From anywhere. */
void irq_kick(unsigned cpu);

/* Tells another pCPU's guest that interrupts have been posted for it (vmx/apic.c). */
void irq_notify_posted(unsigned cpu);

/* A read of an MSR that answers #GP with -EFAULT instead of a panic. */
int must_check rdmsr_safe(uint32_t msr, uint64_t *value);

#endif
