/*
 * Two domains at once. See domain/pair.h.
 */
#include "domain/pair.h"
#include "lib/assert.h"

#define TRIES 64 /* of PAUSE, with the other's lock held */

/* Two domains that call upon each other at the same moment would each let go and try again for
 * ever, were they quite alike: one of them tries longer. */
static bool try_again(struct domain *mine, const struct domain *other)
{
    unsigned tries = (uintptr_t)mine < (uintptr_t)other ? TRIES : 1;

    while (tries--) {
        if (spin_try(&mine->lock))
            return true;
        __builtin_ia32_pause();
    }
    return false;
}

/* Each lock is waited for in its turn, with nothing in hand: so each round is at most as long as
 * the queues for the two. */
static __attribute__((noinline)) void wait_for_both(struct domain *mine, struct domain *other)
{
    do {
        spin_unlock(&mine->lock);
        spin_lock(&other->lock);
        if (try_again(mine, other))
            return;
        spin_unlock(&other->lock);
        spin_lock(&mine->lock);
    } while (!spin_try(&other->lock));
}

struct domain *pair_find(struct domain *mine, uint16_t id)
{
    ASSERT(spin_is_locked(&mine->lock));
    return id == mine->id ? mine : domain_get(id);
}

void pair_forget(struct domain *mine, struct domain *other)
{
    if (other != mine)
        domain_put(other);
}

void pair_lock(struct domain *mine, struct domain *other)
{
    ASSERT(spin_is_locked(&mine->lock));
    if (other != mine && !spin_try(&other->lock))
        wait_for_both(mine, other);
}

void pair_lock_linked(struct domain *mine, struct domain *other)
{
    if (other != mine)
        domain_hold(other);
    pair_lock(mine, other);
}

void pair_unlock(struct domain *mine, struct domain *other)
{
    ASSERT(spin_is_locked(&mine->lock));
    if (other == mine)
        return;
    spin_unlock(&other->lock);
    domain_put(other);
}
