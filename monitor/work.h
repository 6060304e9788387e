/*
 * Work for the boot CPU's loop: what the operator's side has to do, from wherever it arises.
 *
 * Interrupt handlers and other pCPUs may not call a domain's devices or run commands; they raise
 * the work, and a unit of the scheduler does it on the boot CPU, with no lock held and no vCPU
 * under way there.
 */
#ifndef CAISSON_MONITOR_WORK_H
#define CAISSON_MONITOR_WORK_H

/* fn: does the work. Boot only, on the boot CPU. */
void work_init(void (*fn)(void));
/* Has fn called soon, once. From any pCPU, in any context, whatever is locked. */
void work_raise(void);

#endif
