/*
 * PCI devices of the machine's that a domain's line names, from its birth to its end.
 */
#ifndef CAISSON_CREATE_DEVICES_H
#define CAISSON_CREATE_DEVICES_H

#include "domain/domain.h"
#include "passthrough/passthrough.h"

/* Names those that it asks for by their kind, once. Nothing but -ENODEV: a kind has none that can
 * be had, or there are more than one may name; logged. */
int must_check devices_choose(struct domain_config *config);
/* Can it have all that it names? 0 or -ENODEV, logged. */
int must_check devices_check(const struct domain_config *config);
/* How many bits of an address of a guest's memory lead anywhere: in the upper half there is no RAM.
 */
unsigned devices_address_bits(void);
/* Where their registers are at first, one behind the other. */
struct passthrough_room devices_room(void);
/* Takes one, or a piece of one: -EAGAIN, there is more to do; 0; or an error, logged. *next: where
 * its registers are put, which moves on; devices_room() at first. Its machine is there. */
int must_check devices_build(struct domain *d, struct passthrough_room *next);
/* They reach nothing any more; again does no harm. Its vCPUs run no more. No lock held. */
void devices_stop(struct domain *d);
/* Gives one back, or a piece of one. True: it has none. Its vCPUs are gone. */
bool must_check devices_give_back(struct domain *d);
/* Before this moment (TSC) one that is being reset keeps its domain from going on; 0: none is. */
uint64_t devices_due(const struct domain *d);

#endif
