/*
 * The one door to a guest's memory. Everything that Caisson reads or writes of a domain's RAM goes
 * through here, by guest-physical address, checked against the domain's RAM, a page at a time
 * through a window. A frame that has not been touched yet arrives now.
 *
 * A caller that needs the same bytes twice reads them once and keeps the copy: the guest may
 * change them in between.
 */
#ifndef CAISSON_GUESTMEM_GMEM_H
#define CAISSON_GUESTMEM_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include "lib/addr.h"
#include "lib/errno.h"

struct p2m;

/* All: 0; -EFAULT if any byte is not RAM; -ENOMEM. On an error a leading part may have been done.
 */
int must_check gmem_read(struct p2m *p, gpa_t from, void *to, size_t n);
int must_check gmem_write(struct p2m *p, gpa_t to, const void *from, size_t n);
int must_check gmem_zero(struct p2m *p, gpa_t to, size_t n);

/* The page that `at` lies in, found once: it may be read from then on through a window, or written
 * too, with the domain's lock held and for as long as p2m->cache_epoch stays. Errors as above. */
int must_check gmem_find(struct p2m *p, gpa_t at, bool write, mfn_t *out);

/* A page-table entry of 4 or 8 bytes, naturally aligned, in one piece: other vCPUs use it too. */
struct gmem_entry {
    gpa_t at;
    unsigned size;
    uint64_t value;
    maddr_t machine; /* where it really is, filled in with the value; good for p2m->cache_epoch */
};

/* Fills in the value. Errors as above. */
int must_check gmem_load(struct p2m *p, struct gmem_entry *e);
/* Sets bits in it and in e->value; -EAGAIN if it no longer has that value. */
int must_check gmem_set_bits(struct p2m *p, struct gmem_entry *e, uint64_t bits);

#endif
