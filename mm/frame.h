/*
 * The machine's frames: a buddy allocator in which every frame has an owner.
 *
 * Two kinds of memory come out of it. Frames for domains (frame_alloc) are mapped nowhere in
 * Caisson; mm/window.h reaches them for a moment. Memory for Caisson itself (mm/heap.h) is
 * mapped in the direct map. The direct map starts nearly empty and only ever grows, by 2 MiB
 * blocks taken from here: so no frame is ever unmapped under another CPU's feet, and no
 * TLB shootdown is needed.
 *
 * Lock: one ticket lock, the innermost but the log's. Source of the memory map: the boot loader.
 */
#ifndef CAISSON_MM_FRAME_H
#define CAISSON_MM_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"

/* Who a frame belongs to: a domain's id, or one of these. The ids of domains that have frames at a
 * time differ modulo MAX_DOMAINS. */
#define OWNER_FREE     0xFFFF
#define OWNER_RESERVED 0xFFFE /* firmware, holes, devices */
#define OWNER_CAISSON  0xFFFD /* image, heap, tables */
#define OWNER_MODULE   0xFFFC /* boot modules, kept as the catalogue */
#define OWNER_PINNED   0xFFFB /* their domain has ended, others have them pinned still */

/* A piece of the machine's physical address space, as the boot loader tells it. */
enum mem_kind { MEM_USABLE = 1, MEM_RESERVED = 2, MEM_ACPI = 3, MEM_NVS = 4, MEM_BAD = 5 };
struct mem_region {
    maddr_t start;
    uint64_t size; /* bytes */
    enum mem_kind kind;
};

/* Memory that is in use already when frame_init() is called. */
struct mem_claim {
    maddr_t start;
    uint64_t size;  /* bytes */
    uint16_t owner; /* OWNER_CAISSON for the image, OWNER_MODULE for a boot module */
};

/*
 * Takes over the machine's memory. Regions may overlap (the least usable kind wins), be unsorted
 * and unaligned; claims may lie anywhere. Memory below 1 MiB is left alone.
 * 0, or -ENOMEM where there is no room for the table of frames. Boot only, on the boot code's
 * identity map; memory above 4 GiB joins with aspace_init().
 */
int must_check frame_init(const struct mem_region *regions, unsigned region_count,
                          const struct mem_claim *claims, unsigned claim_count);

/* One frame below 1 MiB for the trampoline of the other CPUs, owned by OWNER_CAISSON; 0 if there is
 * none. Boot only. */
maddr_t frame_reserve_low(void);

/* Number of frames in the table: highest usable frame + 1. */
uint64_t frame_table_size(void);

/* 2^order frames, naturally aligned, owned by owner, scrubbed to zero. 0 or -ENOMEM: there are
 * none, they are promised to others, or owner was not promised so many (mm/promise.h). */
int must_check frame_alloc(unsigned order, uint16_t owner, mfn_t *out);
/* The same without the scrubbing, which is the caller's then, by window_fill(), before anybody sees
 * them: for blocks that take too long to scrub at once. */
int must_check frame_alloc_unscrubbed(unsigned order, uint16_t owner, mfn_t *out);
/* Gives them back; owner must match (ASSERT). Any piece of what was allocated may be freed alone.
 */
void frame_free(mfn_t m, unsigned order, uint16_t owner);

/* One frame of RAM goes back for good: what owner has been promised (mm/promise.h) shrinks by it.
 * If it is pinned, that is when the last pin goes; until then it counts as owner's. */
void frame_return(mfn_t m, uint16_t owner);

/* Pins keep a domain's frame from being given out again while somebody else still uses it: another
 * domain that has mapped it, Caisson that writes events into it. Whoever pins makes sure that the
 * owner has not let go of it yet (it is in the owner's p2m, under that one's lock), or holds a pin.
 * A pinned frame that frame_free() is told of, as its owner ends, becomes OWNER_PINNED's, and goes
 * with the last pin. frame_abandon() does the same to one that was returned before, and nothing to
 * others.
 */
void frame_abandon(mfn_t m, uint16_t owner);
void frame_pin(mfn_t m);
void frame_unpin(mfn_t m);
uint32_t frame_pins(mfn_t m);
/* A frame of owner's RAM that has failed, or that a device may still reach: a pin that stays, so
 * that nobody gets it again. It counts as owner's until this one gives it back or ends. False,
 * nothing is done: it is none of that. */
bool must_check frame_retire(mfn_t m, uint16_t owner);

uint16_t frame_owner(mfn_t m); /* OWNER_RESERVED outside the table */
/* Are so many from m on all OWNER_RESERVED? */
bool frame_all_reserved(mfn_t m, uint64_t frames);
uint64_t frame_count(uint16_t owner); /* frames owned now; OWNER_FREE: free ones */
uint64_t frame_available(void);       /* free for RAM, and promised to nobody; not the heap's */
uint64_t frame_free_blocks(unsigned order); /* free blocks of exactly 2^order frames, now */
uint64_t frame_total(void);                 /* usable frames of the machine */

/* The highest order that frame_alloc takes. */
#define FRAME_MAX_ORDER ORDER_1G

/* Test and debugging: make the nth allocation from now fail (1 = the next); 0 switches it off.
 * Counts frame_alloc() and heap_pages(). */
void frame_fail_nth(uint64_t n);

#endif
