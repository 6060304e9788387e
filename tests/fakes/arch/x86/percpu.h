/*
 * Host tests' twin of the per-CPU data: the test says on which CPU it is (fake_cpu_id).
 */
#ifndef CAISSON_ARCH_X86_PERCPU_H
#define CAISSON_ARCH_X86_PERCPU_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/limits.h"

struct percpu {
    struct percpu *self;
    unsigned id;
    uint32_t apic_id;
    bool online;
    void *stack_top;
    uint64_t alive;
};

/* Weak, so that each test program has one of each without linking a file for it. */
__attribute__((weak)) struct percpu percpu[MAX_PCPUS];
__attribute__((weak)) unsigned cpu_count = 1;
__attribute__((weak)) unsigned fake_cpu_id;

static inline struct percpu *this_cpu(void)
{
    percpu[fake_cpu_id].self = &percpu[fake_cpu_id];
    percpu[fake_cpu_id].id = fake_cpu_id;
    return &percpu[fake_cpu_id];
}

static inline unsigned cpu_id(void)
{
    return fake_cpu_id;
}

static inline void cpu_is_alive(void)
{
    this_cpu()->alive++;
}

#endif
