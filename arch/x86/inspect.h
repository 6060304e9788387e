/*
 * What each pCPU is like, before anything is changed on it: they should all be alike.
 */
#ifndef CAISSON_ARCH_X86_INSPECT_H
#define CAISSON_ARCH_X86_INSPECT_H

/* On every pCPU, the boot CPU first, before VT-x is switched on. Warns where a CPU differs from the
 * boot CPU, and makes its MTRRs the same. */
void inspect_cpu(void);

/* A line for each pCPU into the log. */
void inspect_report(void);

#endif
