/*
 * Who gets how much of the CPUs: the one place where the monitor meets the scheduler's settings.
 */
#ifndef CAISSON_MONITOR_SHARE_H
#define CAISSON_MONITOR_SHARE_H

#include "domain/domain.h"
#include "lib/errno.h"

struct share {
    unsigned weight, cap; /* cap: percent of a pCPU; 0: none */
    uint64_t cpus;        /* mask; all ones: any */
};

struct share share_of(const struct domain *d);
/* Live. 0, or -EINVAL if no pCPU of the mask runs vCPUs: then nothing is changed. */
int must_check share_set(struct domain *d, const struct share *s);

#endif
