/*
 * Starting the other CPUs (SDM, "Multiple-Processor (MP) Initialization").
 */
#ifndef CAISSON_ARCH_X86_SMP_H
#define CAISSON_ARCH_X86_SMP_H

#include <stdint.h>
#include "lib/addr.h"

/* Starts every CPU of acpi.apic_id but the caller's, one after the other, through the trampoline
 * copied to `low` (a frame below 1 MiB, mapped at low_map); each gets stack() and then calls
 * entry(), which sets up the CPU's tables and never returns. Logs and leaves out a CPU that does
 * not answer. */
void smp_start(maddr_t low, void *low_map, maddr_t cr3, void *(*stack)(void), void (*entry)(void));

/* No more than n CPUs, the boot CPU included. Boot only. */
void smp_set_limit(unsigned n);
/* The address at which another pCPU is, by an NMI; 0 if it does not answer. For a log line. */
uint64_t smp_locate(unsigned cpu);

/* Brings all other CPUs to a stop for good (NMI); for panic and before power-off. Of two callers
 * the second one is stopped too. */
void smp_stop_others(void);
/* What a CPU does before it stops, in its NMI handler: switches virtualization off. Boot only. */
void smp_on_stop(void (*fn)(void));

#endif
