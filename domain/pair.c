/*
 * Two domains at once. See domain/pair.h.
 */
#include "domain/pair.h"
#include "lib/assert.h"

/* The lower id's lock comes first. To try for a lock is never against the order. */
static void lock_second(struct domain *mine, struct domain *other)
{
    if (mine->id < other->id) {
        spin_lock(&other->lock);
        return;
    }
    if (spin_try(&other->lock))
        return;
    spin_unlock(&mine->lock);
    spin_lock(&other->lock);
    spin_lock(&mine->lock);
}

struct domain *pair_lock(struct domain *mine, uint16_t id)
{
    ASSERT(spin_is_locked(&mine->lock));
    if (id == mine->id)
        return mine;
    struct domain *other = domain_get(id);
    if (other)
        lock_second(mine, other);
    return other;
}

void pair_lock_linked(struct domain *mine, struct domain *other)
{
    ASSERT(spin_is_locked(&mine->lock));
    if (other == mine)
        return;
    domain_hold(other);
    lock_second(mine, other);
}

void pair_unlock(struct domain *mine, struct domain *other)
{
    ASSERT(spin_is_locked(&mine->lock));
    if (other == mine)
        return;
    spin_unlock(&other->lock);
    domain_put(other);
}
