/*
 * Whether all pCPUs' time-stamp counters agree: a domain's time is the machine's TSC, on whatever
 * pCPU it is read.
 */
#ifndef CAISSON_ARCH_X86_TSC_SYNC_H
#define CAISSON_ARCH_X86_TSC_SYNC_H

#include <stdint.h>

/* Warns if the TSC stops or changes its rate with the CPU's power states. Boot CPU. */
void tsc_check_invariant(void);

/* The boot CPU's part, and that of pCPU `cpu`, which has just started; they meet. A TSC that is off
 * by more than can be measured is said, and put right where IA32_TSC_ADJUST exists. */
void tsc_sync_compare(unsigned cpu);
void tsc_sync_answer(void);

/* By how many ticks it was ahead of the boot CPU's; 0: as far as could be seen not at all. */
int64_t tsc_sync_offset(unsigned cpu);

#endif
