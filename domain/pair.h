/*
 * Two domains at once: how a call of one domain takes the lock of another.
 *
 * Locks of one rank are taken in the order of their addresses (docs/locking.md). A call comes in
 * with its own domain's lock held, so where the other's comes first the own one is let go and both
 * are taken in order. Hence the rule for callers: after pair_lock(), believe nothing that was read
 * of one's own domain before it. Calls decode first (from a copy of their arguments), then lock,
 * then check, then do.
 */
#ifndef CAISSON_DOMAIN_PAIR_H
#define CAISSON_DOMAIN_PAIR_H

#include "domain/domain.h"

/* mine's lock is held. The domain of that id (which may be mine itself), locked; NULL if there is
 * none, with mine's lock held all the same. */
struct domain *must_check pair_lock(struct domain *mine, uint16_t id);
/* The same for one that is known to exist as long as mine's lock is held: something of mine leads
 * to it, and it cannot go without taking that away, under both locks. */
void pair_lock_linked(struct domain *mine, struct domain *other);
/* Lets go of the other, keeps mine. */
void pair_unlock(struct domain *mine, struct domain *other);

#endif
