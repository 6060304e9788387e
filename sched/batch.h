/*
 * The repetitions that one exit carries out, of a string instruction or a list of a guest's: the
 * guest says how many there are, and what it has made of its devices or lists says what each takes.
 * Neither may keep the pCPU from others for long, so the rest waits for the next exit.
 */
#ifndef CAISSON_SCHED_BATCH_H
#define CAISSON_SCHED_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"

#define BATCH_TICKS 30000 /* of the TSC: some 10 us */

struct batch {
    unsigned most, begun;
    uint64_t until;
};

/* Before each repetition. The first one always may, and reads no clock. */
static inline bool batch_more(struct batch *b)
{
    if (b->begun++ == 0)
        return true;
    uint64_t now = rdtsc();

    if (!b->until)
        b->until = now + BATCH_TICKS;
    return b->begun <= b->most && now < b->until;
}

#endif
