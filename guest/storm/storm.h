/*
 * One vCPU of the storm, and its random numbers.
 */
#ifndef GUEST_STORM_H
#define GUEST_STORM_H

#include <stdbool.h>
#include <stdint.h>

#define MOST_VCPUS 4
#define SPARE      0x800000ul /* 8 MiB up: RAM that nothing stands in */

struct worker {
    uint64_t seed, calls, sum, errors;
    uint64_t at; /* of its page of arguments */
    unsigned vcpu;
    volatile bool done;
};

static inline uint32_t any(struct worker *w)
{
    w->seed = w->seed * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(w->seed >> 33);
}

/* A number as arguments have them. */
uint64_t any_number(struct worker *w);

/* About the memory of one of the first domains: its pages and its grant table are mapped, it gets
 * more and less, and a map of it. Of the control domain; others are refused. */
int64_t use_memory(struct worker *w);

/* A new domain is put where one was saved that was never there, and runs: its state is such as the
 * tools put together, but for some words. Of the control domain. */
int64_t restore(struct worker *w);

#endif
