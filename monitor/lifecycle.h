/*
 * Which domains run, and what happens when one ends.
 *
 * For now they run one after the other, in the order of the boot menu: when one ends, the next is
 * created; one that reboots is created anew; when the last is gone the machine does what exit=
 * said.
 */
#ifndef CAISSON_MONITOR_LIFECYCLE_H
#define CAISSON_MONITOR_LIFECYCLE_H

#include "domain/domain.h"

/* configs: n descriptions, kept by the caller for good. at_end: called when no domain is left.
 * Creates and starts the first; call it before sched_loop(), on the boot CPU. */
void lifecycle_begin(const struct domain_config *configs, unsigned n, void (*at_end)(void));

/* Hook of domain/domain.h. */
void lifecycle_ended(struct domain *d);

#endif
