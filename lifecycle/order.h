/*
 * Bare domains: made at the word of the control domain, which fills them, lets them run, and
 * destroys them. Nothing of the boot menu is in them, and when one has ended it stays, to be looked
 * at, until it is destroyed.
 *
 * Domains are made on the boot CPU, by units of the scheduler; the word comes from any CPU, in a
 * hypercall. So it is written down here, and the call is made again until it has an answer. Who
 * does not come again for it has made the domain all the same.
 */
#ifndef CAISSON_LIFECYCLE_ORDER_H
#define CAISSON_LIFECYCLE_ORDER_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"

struct keeper;

/* Two that are equal are one. No padding: they are compared by bytes. */
struct order {
    uint8_t uuid[16];
    uint32_t vcpus;       /* 1..MAX_VCPUS */
    uint32_t msr_relaxed; /* bool: of struct domain_config */
};
_Static_assert(sizeof(struct order) == 24, "no padding");

/* From any CPU. 0, and the id of the new domain, which is there and paused; -EAGAIN: ask again soon
 * for the same; else it cannot be: -ENOSPC, -ENOMEM, or what keeper_start() answers. */
int must_check order_domain(const struct order *what, uint16_t *id);

/* Boot CPU: carries out something of what was ordered, or of order_orphan_all(). True: there is
 * more to do. */
bool must_check order_take(void);
/* Boot CPU: the domain of k runs, or (id ID_NONE) came to nothing. */
void order_settle(const struct keeper *k, uint16_t id);
/* Boot CPU: there is no control domain any more. Nobody waits for an answer; the bare domains that
 * were never let run, that are paused or suspended, or that have ended, are destroyed, one at a
 * call of order_take(). */
void order_orphan_all(void);

#endif
