/*
 * Which keys (ports, MSRs, ...) have been warned of: once each, and not for ever. A guest that
 * sweeps over all of them does not flood the log.
 *
 * No locks: who owns the structure serialises.
 */
#ifndef CAISSON_LIB_WARNED_H
#define CAISSON_LIB_WARNED_H

#include <stdbool.h>
#include <stdint.h>

#define WARNED_MOST 16
struct warned {
    uint32_t key[WARNED_MOST];
    unsigned count;
};

/* Is a warning of this one owed? True once for each key, and for WARNED_MOST keys at most. */
bool warned_add(struct warned *w, uint32_t key);

#endif
