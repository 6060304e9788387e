/*
 * How long Caisson may take: each span in which a pCPU neither runs a guest nor hears an interrupt,
 * and each hold of a lock. Linked into debug builds only, as lib/lockdep.h is.
 *
 * Times are ticks of the TSC. In Bochs, and in QEMU with icount, a tick is one instruction, there a
 * span that is too long is a panic with its name. Elsewhere a tick is some time: firmware (SMI) or
 * a hypervisor below may have taken the pCPU meanwhile, so there it is one warning for each name.
 */
#ifndef CAISSON_ARCH_X86_BOUND_H
#define CAISSON_ARCH_X86_BOUND_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/spinlock.h"

/* From now on all is measured. strict: a tick is an instruction. Boot only. */
__attribute__((weak)) void bound_start(bool strict);
/* Never again: a panic takes its time. */
__attribute__((weak)) void bound_stop(void);
/* A span begins on this pCPU, at TSC `since`. what: its name, or NULL: that of the function `by`.
 */
__attribute__((weak)) void bound_begin(const char *what, const void *by, uint64_t since);
/* It is over: the pCPU enters a guest or lets interrupts in. */
__attribute__((weak)) void bound_end(void);

/* Around work that is known and allowed: holds of locks are not charged for it. */
static inline void span_pause(void)
{
    if (LOCKDEP && bound_pause)
        bound_pause();
}

static inline void span_resume(void)
{
    if (LOCKDEP && bound_resume)
        bound_resume();
}

static inline void span_begin(const char *what, const void *by, uint64_t since)
{
    if (LOCKDEP && bound_begin)
        bound_begin(what, by, since);
}

static inline void span_end(void)
{
    if (LOCKDEP && bound_end)
        bound_end();
}

#endif
