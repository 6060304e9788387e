/*
 * Who looks after one domain: builds it, buries it when it has ended, builds it anew if it
 * rebooted.
 *
 * All of that is work that a guest can ask for as often as it likes. So it is done in pieces by a
 * unit of the scheduler that belongs to the domain's own account: what it costs counts against the
 * domain's weight and cap, as its vCPUs' time does. The account outlives a reboot, or a guest could
 * clear it by one. And who reboots again and again soon after its start waits longer each time.
 *
 * Boot CPU only, but for keeper_wake().
 */
#ifndef CAISSON_LIFECYCLE_KEEPER_H
#define CAISSON_LIFECYCLE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include "config/catalogue.h"
#include "domain/domain.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define KEEPER_BRIEF_S 5  /* a life shorter than this is brief */
#define KEEPER_LONGEST 16 /* seconds that one who reboots has to wait at most */

struct keeper {
    struct domain_config config; /* of the domain, for its reboot too */
    struct sched_group account;  /* of the domain's vCPUs, and of `unit` */
    struct sched_unit unit;
    struct domain *domain;      /* NULL: there is none */
    bool buried;                /* begun: its vCPUs have ended, its console is gone */
    unsigned brief;             /* lives in a row that were brief */
    uint64_t born;              /* machine TSC at the start of this life; 0: there was none yet */
    uint64_t back;              /* machine TSC before which it does not come back; 0: not decided */
    struct timer wait;          /* until then */
    struct keeper *next;        /* lifecycle.c's */
    char words[CATALOGUE_LINE]; /* that config points into, unless they are the boot menu's */
};
#define KEEPER_ORDER 1 /* of the pages that one takes */
_Static_assert(sizeof(struct keeper) <= PAGE_SIZE << KEEPER_ORDER, "they are enough");

/* Creates the domain of k->config; the rest of k is zero. k's unit builds and starts it, in pieces,
 * and then calls lifecycle_note_built() or, if that fails, lifecycle_dismiss(). 0, or what
 * domain_create() answers, logged: then k is not needed any more. */
int must_check keeper_start(struct keeper *k);
/* The same, all at once, before the scheduler runs. 0, or what domain_create() and domain_build()
 * answer, logged. */
int must_check keeper_start_now(struct keeper *k);
/* Something has happened to the domain; from any pCPU. */
void keeper_wake(struct keeper *k);
/* Once it is not needed: takes its unit out of the scheduler. False: not yet, ask again soon. From
 * another unit of the boot CPU. */
bool must_check keeper_dismiss(struct keeper *k);

#endif
