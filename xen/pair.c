/*
 * Two domains at once. See xen/pair.h.
 */
#include "xen/pair.h"
#include "lib/assert.h"

#define TRIES 64 /* of PAUSE, with the other's lock held */

/* Two domains that call upon each other at the same moment would each let go and try again for
 * ever, were they quite alike: one of them tries longer. */
static bool try_again(struct xen_domain *mine, const struct xen_domain *other)
{
    unsigned tries = (uintptr_t)mine < (uintptr_t)other ? TRIES : 1;

    while (tries--) {
        if (spin_try(mine->lock))
            return true;
        __builtin_ia32_pause();
    }
    return false;
}

/* Each lock is waited for in its turn, with nothing in hand: so each round is at most as long as
 * the queues for the two. */
static __attribute__((noinline)) void wait_for_both(struct xen_domain *mine,
                                                    struct xen_domain *other)
{
    do {
        spin_unlock(mine->lock);
        spin_lock(other->lock);
        if (try_again(mine, other))
            return;
        spin_unlock(other->lock);
        spin_lock(mine->lock);
    } while (!spin_try(other->lock));
}

struct xen_domain *pair_find(struct xen_domain *mine, uint16_t id)
{
    ASSERT(spin_is_locked(mine->lock));
    return id == mine->id ? mine : xen_domain_get(id);
}

int pair_may_rule(const struct xen_domain *mine)
{
    return mine->control ? 0 : -EPERM;
}

static bool may(const struct xen_domain *mine, const struct xen_domain *d, enum pair_right right)
{
    switch (right) {
    case PAIR_CONTROL:
        return d == mine;
    case PAIR_MANAGE:
        return d == mine || pair_may_rule(mine) == 0;
    case PAIR_RULE:
        return pair_may_rule(mine) == 0;
    case PAIR_MEET:
        break;
    }
    return true;
}

int pair_target(struct xen_domain *mine, uint16_t id, enum pair_right right,
                struct xen_domain **out)
{
    struct xen_domain *d = pair_find(mine, id == XEN_DOMID_SELF ? mine->id : id);

    if (!d)
        return -ESRCH;
    if (right != PAIR_MEET && !may(mine, d, right)) {
        pair_forget(mine, d);
        return -EPERM;
    }
    *out = d;
    return 0;
}

void pair_forget(struct xen_domain *mine, struct xen_domain *other)
{
    if (other != mine)
        xen_domain_put(other);
}

void pair_lock(struct xen_domain *mine, struct xen_domain *other)
{
    ASSERT(spin_is_locked(mine->lock));
    if (other != mine && !spin_try(other->lock))
        wait_for_both(mine, other);
}

void pair_lock_linked(struct xen_domain *mine, struct xen_domain *other)
{
    if (other != mine)
        xen_domain_hold(other);
    pair_lock(mine, other);
}

void pair_unlock(struct xen_domain *mine, struct xen_domain *other)
{
    ASSERT(spin_is_locked(mine->lock));
    if (other == mine)
        return;
    spin_unlock(other->lock);
    xen_domain_put(other);
}
