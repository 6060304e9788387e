/*
 * An audit of one domain's memory, in debug builds: each frame in its p2m is RAM of its own, or
 * lent to it and held by a pin; none is Caisson's own or another's; and what it has is what it was
 * promised. Other builds link audit_release.c, which finds nothing wrong. What is wrong ends in a
 * panic that names the domain.
 */
#ifndef CAISSON_CREATE_AUDIT_H
#define CAISSON_CREATE_AUDIT_H

#include "domain/domain.h"

/* A piece of it. True: that was the last. quiet: nothing changes in the domain's memory meanwhile,
 * so the sums are compared too; else the domain's lock is held. */
bool audit_domain(struct domain *d, struct audit *a, bool quiet);

#endif
