/*
 * Ticket spinlocks: who comes first is served first.
 *
 * Interrupts are off wherever Caisson runs, so a lock needs to know nothing of them. Whoever waits
 * for seconds waits for a CPU that died with the lock or for itself; that is a bug, and said so.
 *
 * A lock has a name and a rank, its place in the order of docs/locking.md. A debug build links
 * lib/lockdep.c, which panics where a CPU takes locks against that order. LOCKDEP is 0 in a build
 * that has no such file; elsewhere (host tests) it may be missing, the references below are null
 * then and nothing is checked.
 */
#ifndef CAISSON_LIB_SPINLOCK_H
#define CAISSON_LIB_SPINLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/assert.h"
#include "lib/lock_order.h"

struct spinlock {
    uint32_t next;    /* the ticket that the next comer takes */
    uint32_t serving; /* the ticket that may go in */
    const char *name;
    enum lock_rank rank;
    uint32_t since; /* debug builds: TSC at which it was taken, lower half; 0: not known */
};

/* Of a rank of lib/lock_order.h; a cast makes it a value to assign. */
#define SPINLOCK_RANK(name, rank)                                                                  \
    {                                                                                              \
        0, 0, name, rank, 0                                                                        \
    }
/* Without a place in the order: only taking it twice is noticed. */
#define SPINLOCK_INIT SPINLOCK_RANK("unranked", LOCK_UNRANKED)

#ifndef LOCKDEP
#define LOCKDEP 1
#endif
__attribute__((weak)) void lockdep_take(const struct spinlock *lock);
__attribute__((weak)) void lockdep_tried(const struct spinlock *lock);
__attribute__((weak)) void lockdep_release(const struct spinlock *lock);
/* The same for how long it is held: arch/x86/bound.c. */
__attribute__((weak)) void bound_pause(void);
__attribute__((weak)) void bound_resume(void);
__attribute__((weak)) void bound_taken(struct spinlock *lock);
__attribute__((weak)) void bound_given(const struct spinlock *lock);

/* Rounds of PAUSE that no honest wait needs: some ten seconds on a CPU of today. */
#define SPINLOCK_PATIENCE (1u << 28)

/* Until the ticket is served. Out of line: the way through a lock that nobody holds stays short.
 * Missing in a host test of one thread, which never waits. */
__attribute__((weak)) void spin_wait(const struct spinlock *lock, uint32_t ticket);

static inline void spin_lock(struct spinlock *lock)
{
    if (LOCKDEP && lockdep_take)
        lockdep_take(lock);
    uint32_t mine = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

    if (__builtin_expect(__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != mine, 0)) {
        if (LOCKDEP && bound_pause)
            bound_pause();
        spin_wait(lock, mine);
        if (LOCKDEP && bound_resume)
            bound_resume();
    }
    if (LOCKDEP && bound_taken)
        bound_taken(lock);
}

/* Takes the lock if nobody has it. Who only tries waits for nobody, so it may be out of order. */
static inline bool spin_try(struct spinlock *lock)
{
    uint32_t free = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED);

    if (!__atomic_compare_exchange_n(&lock->next, &free, free + 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return false;
    if (LOCKDEP && lockdep_tried)
        lockdep_tried(lock);
    if (LOCKDEP && bound_taken)
        bound_taken(lock);
    return true;
}

static inline void spin_unlock(struct spinlock *lock)
{
    if (LOCKDEP && lockdep_release)
        lockdep_release(lock);
    if (LOCKDEP && bound_given)
        bound_given(lock);
    /* Only the holder writes `serving`. */
    __atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

/* For assertions: somebody holds it. */
static inline bool spin_is_locked(const struct spinlock *lock)
{
    return __atomic_load_n(&lock->next, __ATOMIC_RELAXED) !=
           __atomic_load_n(&lock->serving, __ATOMIC_RELAXED);
}

#endif
