/*
 * A moment by both clocks: the domain's, which its devices know, and the machine's TSC, which the
 * run loop and the preemption timer know. Converted once, when it changes, so that no VM exit has
 * to work out the time in nanoseconds just to learn that nothing is due.
 */
#ifndef CAISSON_ARCH_X86_MOMENT_H
#define CAISSON_ARCH_X86_MOMENT_H

#include <stdint.h>

struct moment {
    uint64_t ns;  /* of the domain's clock, or TIME_NEVER */
    uint64_t tsc; /* the machine's, the first that is not before ns; or TIME_NEVER */
};

/* Never. */
void moment_init(struct moment *m);
/* zero: the machine's TSC at which the domain's clock read 0, which may be before it began: from
 * -2^63 to 2^63. Cheap when ns is what it was. */
void moment_set(struct moment *m, uint64_t zero, uint64_t ns);
/* The same where both are known already. */
static inline void moment_set_both(struct moment *m, uint64_t ns, uint64_t tsc)
{
    *m = (struct moment){ .ns = ns, .tsc = tsc };
}

#endif
