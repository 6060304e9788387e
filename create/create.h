/*
 * How a domain comes and goes: made, built and destroyed, in pieces none of which lasts
 * longer than an exit may. Who calls them, one after the other, is the unit of its own account
 * that keeps it.
 */
#ifndef CAISSON_CREATE_CREATE_H
#define CAISSON_CREATE_CREATE_H

#include "domain/domain.h"

#define BARE_NAME "domain#" /* a bare domain's, before its id; no name of the menu begins so */

/* Makes a domain of which there is no more than its name and the promise of its memory, which
 * counts from here on. account: whom its time is charged to, the time of building and destroying it
 * too if the caller's unit belongs to it. before: the id that it had before its reboot, with which
 * it has kept its promise; ID_NONE: it is new. Logs what goes wrong, naming the domain. 0; -EEXIST,
 * -ENOSPC, -EINVAL, -ENOMEM (the promise does not fit); -EAGAIN: call again: nothing is kept. */
int must_check domain_create(const struct domain_config *config, struct sched_group *account,
                             uint16_t before, struct domain **out);
/* Builds it, a piece at each call: devices, vCPUs, the image in its memory. 0: it is there, and
 * paused; -EAGAIN: go on; else (-ENOMEM, -ENOEXEC, -EINVAL, logged) it is to be destroyed. */
int must_check domain_build(struct domain *d);
/* For domain_destroy(): what only its building needed goes. */
void domain_build_end(struct domain *d);
/* Gives back all that it had, after hooks->ended (or if it never ran), a piece at each call. True:
 * d is gone, and so is the promise of its memory unless it comes back (domain_comes_back()). */
bool must_check domain_destroy(struct domain *d);

/* A bare domain's RAM may come to this many frames from now on, or what it has if that is more;
 * page tables for them are promised it, a piece at each call. Its lock is held. 0; -EAGAIN: go on;
 * -ENOMEM. */
int must_check domain_set_most(struct domain *d, uint64_t frames);
/* Before it runs: RAM of it arrives at 2^order places from g on when they are touched. Its lock is
 * held. As p2m_add_on_demand(), and -EAGAIN as above. */
int must_check domain_add_on_demand(struct domain *d, gfn_t g, unsigned order);

/* The memory map that its kernel was given: fills out[], answers how many entries it has. */
unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST]);

#endif
