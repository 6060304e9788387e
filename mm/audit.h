/*
 * An audit of the machine's memory, in debug builds: what the table of frames, the free lists and
 * the accounts say of one another, and that no promise is short of frames. Other builds link
 * audit_release.c, which finds nothing wrong. What is wrong ends in a panic that says whose it is.
 */
#ifndef CAISSON_MM_AUDIT_H
#define CAISSON_MM_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

/* All frames, and Caisson's own page tables (aspace_check()). The frames' lock is held for a piece
 * at a time. False: there was never a quiet moment to compare the sums in. */
bool audit_machine(void);

/* How far the audit of one domain (create/audit.h) has come; begins with all 0. */
struct audit {
    gfn_t next;
    uint64_t ram; /* frames that were found */
};

/* Are these 2^order frames RAM that owner has and has not given back? Is this one a page of the
 * heap that is owner's? */
bool audit_is_ram(mfn_t m, unsigned order, uint16_t owner);
bool audit_is_heap(mfn_t m, uint16_t owner);

#endif
