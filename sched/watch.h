/*
 * Watching that no pCPU gets stuck: in an endless loop, or waiting for a lock that nobody gives
 * back.
 *
 * A pCPU that has work comes back to its loop every two seconds, come what may, or calls
 * cpu_is_alive() meanwhile. The others look at that, now and then, in their own loops; where all
 * others are idle, one that has been busy for a while asks one of them to look at it, by a timer.
 * Idle pCPUs are not looked at, and while nobody is busy for long nobody looks: an idle machine has
 * no ticks.
 */
#ifndef CAISSON_SCHED_WATCH_H
#define CAISSON_SCHED_WATCH_H

#include <stdint.h>

struct run_queue;

#define WATCH_PERIOD_S 2 /* a unit runs no longer than this between two turns */
#define WATCH_STUCK_S  5 /* for so long seen busy and without a sign of life */

/* This pCPU's turn; what it does every WATCH_PERIOD_S. */
void watch_look(struct run_queue *q, uint64_t now);

#endif
