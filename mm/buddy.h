/*
 * The buddy system: free blocks of 2^order frames, aligned to their size, split and merged.
 *
 * Knows numbers of frames, nothing of owners, addresses or locks: mm/frame.c does. The zones share
 * one table: blocks of different zones never merge, so what was once mapped for the heap stays
 * with the heap.
 */
#ifndef CAISSON_MM_BUDDY_H
#define CAISSON_MM_BUDDY_H

#include <stdint.h>
#include "mm/frame.h"

#define BUDDY_BITS 29 /* of a frame's number: 2 TiB of memory */
#define BUDDY_NONE ((1u << BUDDY_BITS) - 1)

/* ZONE_FAR: what the boot code's identity map does not reach, until windows do. ZONE_LEFT: in place
 * of ZONE_DOMAIN, marks a single frame that its owner has given back and others have pinned. */
enum frame_zone { ZONE_DOMAIN, ZONE_HEAP, ZONE_FAR, ZONES, ZONE_LEFT = ZONES };

#define BUDDY_LISTS (ZONES * (FRAME_MAX_ORDER + 1)) /* one for each zone and order */

/* A frame is inside of a block, or the first of one in use, or of a free one: FRAME_HEAD + its
 * list. */
enum frame_state { FRAME_INSIDE, FRAME_USED, FRAME_HEAD };
_Static_assert(FRAME_HEAD + BUDDY_LISTS <= 1 << 6, "a state has 6 bits");

/* What is known of each frame, in 8 bytes: 0.2 % of the memory. All memory is in blocks, and what
 * there is to say of one stands with its first frame; of the others all is 0. The state is at the
 * same place in both. */
union frame {
    uint64_t word;
    struct {
        uint32_t pins; /* how many hold it besides its owner: only of a block that is one frame */
        uint16_t owner;
        uint8_t order : 7, retired : 1; /* it is never given out again */
        uint8_t zone : 2, state : 6;
    } used;
    struct {
        uint64_t next : BUDDY_BITS, prev : BUDDY_BITS; /* in the list, or BUDDY_NONE */
        uint64_t state : 6;
    } head;
};

struct buddy {
    union frame *table; /* `size` of them, indexed by frame number */
    uint64_t size;
    uint32_t heads[BUDDY_LISTS];
    uint32_t counts[BUDDY_LISTS]; /* of blocks in each list */
};

/* All of table, which is cleared, is in no block at first; buddy_free() puts in what is free, and
 * the caller says of the rest whose it is. */
void buddy_init(struct buddy *b, union frame *table, uint64_t size);

/* Number of the first of 2^order frames, all FRAME_INSIDE, or BUDDY_NONE. */
uint32_t buddy_alloc(struct buddy *b, enum frame_zone zone, unsigned order);
/* Wants them FRAME_INSIDE. */
void buddy_free(struct buddy *b, enum frame_zone zone, uint32_t first, unsigned order);

/* Free blocks of this order. */
uint64_t buddy_count(const struct buddy *b, enum frame_zone zone, unsigned order);

#endif
