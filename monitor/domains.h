/*
 * Domains as the operator names and measures them.
 */
#ifndef CAISSON_MONITOR_DOMAINS_H
#define CAISSON_MONITOR_DOMAINS_H

#include <stdint.h>
#include "domain/domain.h"
#include "lib/word.h"

struct command_args;

/* The domain of that name, or with that number; NULL after saying that there is none. */
struct domain *domains_find(struct word name);
/* The same for what needs all its vCPUs and devices: not while it is built or buried. */
struct domain *domains_find_whole(struct word name);
/* Its vCPU of that number; NULL after saying that there is none. */
struct vcpu *domains_find_vcpu(const struct domain *d, struct word number);

/* For a command that shows the domain of its first word, or without one all domains, each in a turn
 * of its own. False: there is none of that name; it was said. */
bool must_check domains_begin(const struct command_args *args);
/* The next domain, by its number, or the next vCPU of them; NULL after the last. */
struct domain *domains_step(void);
struct vcpu *domains_step_vcpu(void);

/* TSC ticks that it has run, and VM exits that it has made, on all vCPUs. */
uint64_t domains_ran(const struct domain *d);
uint64_t domains_exits(const struct domain *d);
uint64_t vcpu_ran(const struct vcpu *v);

/* Tenths of a second, for "%lu.%lu" with / 10 and % 10. */
uint64_t domains_tenths(uint64_t ticks);

#endif
