/*
 * Memory for Caisson itself: whole pages in the direct map.
 *
 * Everything is zeroed. owner says who pays: OWNER_CAISSON, or the domain for which it is (page
 * tables, VMCS or VMCB, bitmaps, device state), so that frame_count(domid) tells all that a domain
 * costs.
 */
#ifndef CAISSON_MM_HEAP_H
#define CAISSON_MM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"
#include "mm/frame.h"

/* 2^order zeroed pages, or NULL: there are none, or owner was not promised so many
 * (mm/promise.h). More than one for a domain: on the boot CPU, while the domain is made. What a
 * guest can ask for comes as single pages, as a promise is one of pages. */
void *heap_pages(unsigned order, uint16_t owner);
void heap_free_pages(void *p, unsigned order, uint16_t owner);
/* A page that a device may go on using, as nobody can tell it better: it is Caisson's, for good. */
void heap_forsake(void *p, uint16_t owner);

/* Blocks of several pages that a domain has given back stay its own, so that it finds them again
 * when it is made anew after a reboot: how many pages they have. And for mm/: the end of that. */
uint64_t heap_kept(uint16_t owner);
void heap_let_go(uint16_t owner);

/* For mm/: makes the heap larger by memory that nobody has been promised. False: there is none. */
bool must_check heap_grow(void);

/* The least order whose pages hold so many bytes. */
static inline unsigned heap_order(size_t bytes)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < bytes)
        order++;
    return order;
}

/* The machine address behind a pointer that heap_pages() gave (into the direct map), and back. */
maddr_t heap_to_maddr(const void *p);
void *heap_from_maddr(maddr_t m);

#endif
