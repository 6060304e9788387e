/*
 * The local APIC of the pCPU: x2APIC where the CPU has it, else by memory.
 */
#ifndef CAISSON_ARCH_X86_LAPIC_H
#define CAISSON_ARCH_X86_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* mmio: the registers mapped uncached; unused in x2APIC mode. On every pCPU, the boot CPU first:
 * there after tsc_calibrate(), against which it measures the timer, and after ioapic_init(), since
 * an 8259 that still asks for attention when its way in is shut confuses QEMU for good. Also
 * corrects this_cpu()->apic_id. */
void lapic_init(volatile void *mmio);
uint32_t lapic_id(void);
/* In xAPIC mode an id has eight bits, and 255 is everybody. */
bool lapic_reaches(uint32_t apic_id);
void lapic_eoi(void);
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, uint8_t page);
void lapic_send(uint32_t apic_id, uint8_t vector);
void lapic_send_nmi(uint32_t apic_id);
/* To the calling pCPU; from an NMI or machine check too. */
void lapic_send_self(uint8_t vector);
/* Lets NMIs from outside in, which come over LINT1 on a PC. */
void lapic_open_nmi(void);

/* One shot at machine TSC `deadline` (TSC deadline mode, or the count register); UINT64_MAX stops
 * it. Its interrupt only wakes the pCPU: who armed it looks at the time. */
void lapic_timer_set(uint64_t deadline);

#endif
