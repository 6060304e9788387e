/*
 * Two domains at once. See domain/pair.h.
 */
#include "domain/pair.h"
#include "lib/assert.h"

static void lock_second(struct domain *mine, struct domain *other)
{
    if ((uintptr_t)&mine->lock < (uintptr_t)&other->lock) {
        spin_lock(&other->lock);
        return;
    }
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
