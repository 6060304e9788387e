/*
 * A domain's share of the CPUs, in the words of a module's line and of the monitor's `sched`.
 */
#ifndef CAISSON_CONFIG_SHARE_H
#define CAISSON_CONFIG_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/limits.h"
#include "lib/word.h"

#define SHARE_MAX_WEIGHT 65535
#define SHARE_MAX_CAP    (MAX_PCPUS * 100)

struct share {
    unsigned weight;
    unsigned cap;  /* percent of a pCPU; 0: none */
    uint64_t cpus; /* mask of the pCPUs on which it may run; all ones: any */
};

/* Reads weight=, cap= or cpus=. False: the key is none of them, or the value is none of its. */
bool share_read(struct share *s, struct word key, struct word value);

#endif
