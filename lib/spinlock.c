/*
 * Waiting for a spinlock that somebody holds. See lib/spinlock.h.
 */
#include "lib/spinlock.h"

void spin_wait(const struct spinlock *lock, uint32_t ticket)
{
    uint32_t rounds = 0;

    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) {
        __builtin_ia32_pause();
        ASSERT(++rounds < SPINLOCK_PATIENCE);
    }
}
