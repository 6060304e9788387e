/*
 * All vCPUs of the domain sleep and wake one another without an end: how it may try to get more of
 * a pCPU than its part. One at a time is awake.
 */
#ifndef GUEST_HOG_RELAY_H
#define GUEST_HOG_RELAY_H

#define RELAY_MOST 64 /* vCPUs */

/* On the first vCPU; all others join in. */
_Noreturn void relay_begin(void);

#endif
