/*
 * Threads as pCPUs: each thread says which one it is.
 */
#ifndef CAISSON_ARCH_X86_PERCPU_H
#define CAISSON_ARCH_X86_PERCPU_H

#include <stdint.h>
#include "lib/limits.h"

extern __thread unsigned thread_cpu;
extern struct percpu {
    uint64_t alive;
} percpu[MAX_PCPUS];

static inline unsigned cpu_id(void)
{
    return thread_cpu;
}

static inline void cpu_is_alive(void)
{
    __atomic_store_n(&percpu[thread_cpu].alive, percpu[thread_cpu].alive + 1, __ATOMIC_RELAXED);
}

#endif
