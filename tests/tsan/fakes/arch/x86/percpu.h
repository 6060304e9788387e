/*
 * Threads as pCPUs: each thread says which one it is.
 */
#ifndef CAISSON_ARCH_X86_PERCPU_H
#define CAISSON_ARCH_X86_PERCPU_H

#include "lib/limits.h"

extern __thread unsigned thread_cpu;

static inline unsigned cpu_id(void)
{
    return thread_cpu;
}

#endif
