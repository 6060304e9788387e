/*
 * Sharing work among the pCPUs: what a pCPU's loop does so that nobody waits beside an idle one.
 * Which unit goes is the policy's to say. No lock is held. Not for other rooms.
 */
#ifndef CAISSON_SCHED_BALANCE_H
#define CAISSON_SCHED_BALANCE_H

#include <stdbool.h>
#include <stdint.h>
#include "sched/queue.h"

/* Gives what waits here to pCPUs that have nothing, once for each unit at most. Nothing to do
 * unless both are there. */
void balance_share_out(struct run_queue *q);
/* What waits here for the core, with this pCPU idle, goes to where it may run, or to a pCPU that
 * has less to do. */
void balance_awaiting(struct run_queue *q, uint64_t now);
/* Once policy_may_rotate(): a unit goes to a pCPU that has less to do. */
void balance_rotate(struct run_queue *q, uint64_t now);
/* Takes work that waits elsewhere; true if something came. This pCPU already counts as idle: what
 * begins to wait after we looked is sent to it. */
bool balance_take(struct run_queue *q, uint64_t now);

#endif
