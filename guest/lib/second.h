/*
 * A guest's second vCPU: started by INIT and STARTUP, it shares page tables, GDT and IDT.
 */
#ifndef GUEST_SECOND_H
#define GUEST_SECOND_H

/* Wants the caller's local APIC in x2APIC mode; fn() begins in 64-bit mode with interrupts off on
 * a stack of its own, its local APIC as after reset. */
void second_start(void (*fn)(void));

#endif
