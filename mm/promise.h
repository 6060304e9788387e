/*
 * What a domain is promised of the machine's memory, for as long as it exists: frames of RAM, and
 * pages of the heap that Caisson needs on its behalf.
 *
 * What is promised and not yet taken is kept free for the domain: it never goes to another one, nor
 * to Caisson. In return it gets no more: frame_alloc() and heap_pages() fail beyond. So whatever a
 * domain does with its memory, no other can be short of its own. One that gives RAM back is
 * promised less from then on, and can have it again only while there is memory that nobody is
 * promised.
 */
#ifndef CAISSON_MM_PROMISE_H
#define CAISSON_MM_PROMISE_H

#include <stdint.h>
#include "lib/errno.h"

/* Frames. */
struct promise {
    uint64_t ram;  /* by frame_alloc() */
    uint64_t heap; /* by heap_pages() */
};

/* Promises owner, a domain, this much in all. It may have been promised something already, as one
 * that comes back after a reboot. 0 or -ENOMEM: then it is promised nothing, if it has nothing. */
int must_check promise_make(uint16_t owner, struct promise p);
/* Owner, which has no frames but those that the heap keeps for it, is promised nothing any more. */
void promise_end(uint16_t owner);

/* n frames of RAM more, or less, than before; less: such as it has not got. 0 or -ENOMEM. */
int must_check promise_more(uint16_t owner, uint64_t n);
void promise_less(uint16_t owner, uint64_t n);

/* Pages of the heap that nobody is promised, without its growing. */
uint64_t promise_heap_free(void);
/* Owner is promised no more pages of the heap than n, or than it has: how many less than before. */
uint64_t promise_heap_at_most(uint16_t owner, uint64_t n);

/* What owner is promised, and what it has of it. Frames that it gave back while others have them
 * pinned count as had. */
struct promise promise_of(uint16_t owner);
struct promise promise_taken(uint16_t owner);
/* Both, at one moment. */
void promise_look(uint16_t owner, struct promise *promised, struct promise *taken);

#endif
