/*
 * Ids for new domains.
 *
 * An id says more than who somebody is now: ports that wait for it and grants to it stay with other
 * guests when its domain is gone. So each id is given out once; after the last one, some 32,000
 * creations, only those come again that no port and no grant of any domain names.
 */
#ifndef CAISSON_CREATE_ID_H
#define CAISSON_CREATE_ID_H

#include <stdint.h>
#include "lib/errno.h"

#define ID_LAST 0x7fef /* Xen keeps those from 0x7FF0 for itself */
#define ID_NONE 0xffff

/* The next one; it comes again until id_taken(). 0; -EAGAIN: call again at
 * once, it looks for names in pieces; -ENOSPC: all are named; -ENOMEM. Ids of domains
 * that exist differ modulo MAX_DOMAINS, so that whoever keeps something by id has a table, and
 * nobody looks through it. Boot CPU. */
int must_check id_fresh(uint16_t *out);
void id_taken(uint16_t id);

#endif
