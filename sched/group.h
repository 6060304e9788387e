/*
 * A group's account: how much of its cap is left in the current period. Not for other rooms.
 */
#ifndef CAISSON_SCHED_GROUP_H
#define CAISSON_SCHED_GROUP_H

#include <stdint.h>
#include "sched/sched.h"

/* Ticks that it may still run; UINT64_MAX without a cap. */
uint64_t group_budget(struct sched_group *g, uint64_t now);
/* When its next period begins (TSC), as of the last look. */
uint64_t group_period_end(struct sched_group *g);
void group_charge(struct sched_group *g, uint64_t ticks, uint64_t now);
/* A unit becomes active or ceases to be. */
void group_count(struct sched_group *g, int by);
/* Its weight, for each of its active units. At least 1. */
unsigned group_share(const struct sched_group *g);

#endif
