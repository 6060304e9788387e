/*
 * A second domain beside that of tests/fakes/guest.h: one that the control domain makes, builds and
 * saves, and that nobody runs. It has suspended, and its writes are logged, so that no call about
 * it is refused for what it is doing.
 *
 * Links: what tests/fakes/guest.h does, and xen/evtchn.c, grant/grant.c, devices/vlapic.c.
 */
#ifndef CAISSON_TESTS_FAKES_OTHER_H
#define CAISSON_TESTS_FAKES_OTHER_H

#include "domain/domain.h"

#define OTHER_ID     5
#define OTHER_FRAMES 0x40 /* of RAM, from 0 */

extern struct domain other;

/* After guest_start(). */
void other_start(const struct domain_config *config, struct sched_group *account);
/* Both let go of what they have of each other, before either gives back its memory. */
void other_detach(void);
/* After guest_stop(); fails if a frame is missing. */
void other_stop(void);

#endif
