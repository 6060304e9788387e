/*
 * Two domains at once: how a call of one domain takes the lock of another.
 *
 * A call comes in with its own domain's lock held. It holds the other's too, in the end, but it
 * waits for neither with the other one in hand: a domain whose vCPUs keep its lock for long must
 * not make another domain's lock wait for it, be it as the caller or as the one that is called
 * upon. So the second of the two is only tried, in whatever order their addresses are; if somebody
 * has it, the first one is let go.
 *
 * Hence the rule for callers: after pair_lock(), believe nothing that was read of one's own domain
 * before it. Calls decode first (from a copy of their arguments), ask for permission where the
 * answer can be read without the other's lock, then lock, then check all of it, then do.
 */
#ifndef CAISSON_XEN_PAIR_H
#define CAISSON_XEN_PAIR_H

#include "xen/xen.h"

/* What a call wants of the domain that it names. This is the one place that knows what the control
 * domain (rights=control) may and others may not. */
enum pair_right {
    PAIR_CONTROL, /* to ask about it or to change it: its own only */
    PAIR_MANAGE,  /* to ask or to change what it has: its own, the control domain anybody's */
    PAIR_MEET, /* to use what it offers: anybody may try, its ports and grants say who is let in */
    PAIR_RULE, /* what the operator may do to it: the control domain only, also to itself */
};
/* Finds the domain that mine's call means by id, XEN_DOMID_SELF and mine's own id included, and
 * says whether it may. 0: as pair_find(), which with PAIR_CONTROL is mine itself, and nothing
 * follows; -ESRCH: there is none; -EPERM. */
int must_check pair_target(struct xen_domain *mine, uint16_t id, enum pair_right right,
                           struct xen_domain **out);

/* May mine's call ask about the whole machine, or change it? 0; -EPERM: it is not the control
 * domain's. To be asked before anything else, the arguments included. */
int must_check pair_may_rule(const struct xen_domain *mine);

/* mine's lock is held, and stays so. The domain of that id (which may be mine itself), kept from
 * going away but not locked: for a first look at what it permits. NULL if there is none.
 * pair_lock() or pair_forget() follows. */
struct xen_domain *must_check pair_find(struct xen_domain *mine, uint16_t id);
void pair_forget(struct xen_domain *mine, struct xen_domain *other);
/* Locks the one that pair_find() has found. mine's lock may be let go meanwhile. */
void pair_lock(struct xen_domain *mine, struct xen_domain *other);
/* The same for one that is known to exist as long as mine's lock is held: something of mine leads
 * to it, and it cannot go without taking that away, under both locks. */
void pair_lock_linked(struct xen_domain *mine, struct xen_domain *other);
/* Lets go of the other, keeps mine. */
void pair_unlock(struct xen_domain *mine, struct xen_domain *other);

#endif
