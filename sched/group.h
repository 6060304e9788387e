/*
 * A group's account: how much of its cap is left in the current period. Not for other rooms.
 */
#ifndef CAISSON_SCHED_GROUP_H
#define CAISSON_SCHED_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/likely.h"
#include "sched/sched.h"

static inline bool group_has_cap(const struct sched_group *g)
{
    return __atomic_load_n(&g->cap, __ATOMIC_RELAXED);
}

/* Ticks that one with a cap may still run. */
uint64_t group_left(struct sched_group *g, uint64_t now);
/* The same of any; UINT64_MAX without a cap. */
static inline uint64_t group_budget(struct sched_group *g, uint64_t now)
{
    return unlikely(group_has_cap(g)) ? group_left(g, now) : UINT64_MAX;
}
/* When its next period begins (TSC), as of the last look. */
uint64_t group_period_end(struct sched_group *g);
/* For one with a cap. */
void group_charge(struct sched_group *g, uint64_t ticks, uint64_t now);
/* u becomes active or ceases to be; or an active unit moves from one pCPU to another. */
void group_count(struct sched_unit *u, int by);
void group_move(struct sched_group *g, unsigned from, unsigned to);
/* Its weight, for each of its active units. At least 1. */
unsigned group_share(const struct sched_group *g);

#endif
