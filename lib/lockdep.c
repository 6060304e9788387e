/*
 * Lock-order checking, the choice of a debug build.
 *
 * Each CPU keeps the locks that it holds in the order in which it took them. A new one must be of a
 * higher rank than all of them, or of the same and at a higher address: then no circle of CPUs that
 * wait for each other can close, whether or not this run comes near one. A lock that is only tried
 * is never waited for, and may be of any rank; those that are waited for while it is held are
 * checked against it as ever. A lock without a rank is only not to be taken twice.
 */
#include "lib/lockdep.h"

#include <stdbool.h>
#include <stddef.h>
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/spinlock.h"

#define HELD_MOST 8

static struct held {
    const struct spinlock *lock[HELD_MOST];
    unsigned count;
} held[MAX_PCPUS]; /* each CPU its own */

static unsigned (*which_cpu)(void); /* boot only */
static bool stopped;                /* set once */

void lockdep_start(unsigned (*cpu)(void))
{
    which_cpu = cpu;
}

void lockdep_stop(void)
{
    __atomic_store_n(&stopped, true, __ATOMIC_RELAXED);
}

static struct held *mine(void)
{
    if (!which_cpu || __atomic_load_n(&stopped, __ATOMIC_RELAXED))
        return NULL;
    return &held[which_cpu()];
}

unsigned lockdep_held(void)
{
    struct held *h = mine();

    return h ? h->count : 0;
}

static bool in_order(const struct spinlock *first, const struct spinlock *second)
{
    if (first == second)
        return false;
    if (!first->rank || !second->rank || first->rank < second->rank)
        return true;
    return first->rank == second->rank && (uintptr_t)first < (uintptr_t)second;
}

/* Its own check is off before it speaks: the log has a lock too. */
static _Noreturn void complain(const struct spinlock *holds, const struct spinlock *takes)
{
    lockdep_stop();
    panic("lock order: takes %s (rank %u) while it holds %s (rank %u)",
          takes->name ? takes->name : "a lock", takes->rank, holds->name ? holds->name : "a lock",
          holds->rank);
}

static void note(struct held *h, const struct spinlock *lock)
{
    ASSERT(h->count < HELD_MOST);
    h->lock[h->count++] = lock;
}

void lockdep_take(const struct spinlock *lock)
{
    struct held *h = mine();

    if (!h)
        return;
    for (unsigned i = 0; i < h->count; i++) {
        if (!in_order(h->lock[i], lock))
            complain(h->lock[i], lock);
    }
    note(h, lock);
}

/* It was free: no order to keep. */
void lockdep_tried(const struct spinlock *lock)
{
    struct held *h = mine();

    if (h)
        note(h, lock);
}

/* A lock that was taken before the checks began is not among them. */
void lockdep_release(const struct spinlock *lock)
{
    struct held *h = mine();
    unsigned i = 0;

    if (!h)
        return;
    while (i < h->count && h->lock[i] != lock)
        i++;
    if (i == h->count)
        return;
    for (h->count--; i < h->count; i++)
        h->lock[i] = h->lock[i + 1];
}
