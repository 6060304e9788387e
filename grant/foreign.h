/*
 * Pages of other domains that the control domain has mapped without a grant: RAM, to build a domain
 * and to talk to it, and grant tables, to put the first entries in.
 *
 * RAM is pinned (mm/frame.h) for as long as it is mapped: it outlives its domain, and counts as
 * that one's until then. A page of a grant table is Caisson's, and goes with its domain: it is
 * taken out of the control domain's memory then. The mark of the one kind is SLAT_PINNED, there is
 * no list; so the end of a domain of which something was mapped goes through what the control
 * domain sees.
 */
#ifndef CAISSON_GRANT_FOREIGN_H
#define CAISSON_GRANT_FOREIGN_H

#include "xen/xen.h"

/* mine's lock is held, other is kept from going away. What was at `to` in mine's memory goes.
 * Takes both locks for a moment. 0; -EINVAL: it is not RAM of other's; -ENOMEM; -EAGAIN: TLBs hold
 * on to frames, kick mine and call again. */
int must_check foreign_map(struct xen_domain *mine, struct xen_domain *other, gfn_t from, gfn_t to);
/* The same for a frame of other's grant table, which grows to it: -EAGAIN then too. */
int must_check foreign_map_grants(struct xen_domain *mine, struct xen_domain *other, uint64_t frame,
                                  gfn_t to);
/* A piece of the end of d, when nobody finds it by its id any more, before its grants go; no lock
 * is held. True: the control domain has nothing of it that could go away under it. Boot CPU. */
bool must_check foreign_detach(struct xen_domain *d);

#endif
