/*
 * The buddy system: free blocks of 2^order frames, aligned to their size, split and merged.
 *
 * Knows numbers of frames, nothing of owners, addresses or locks: mm/frame.c does. Two zones share
 * one table: blocks of different zones never merge, so what was once mapped for the heap stays
 * with the heap.
 */
#ifndef CAISSON_MM_BUDDY_H
#define CAISSON_MM_BUDDY_H

#include <stdint.h>
#include "mm/frame.h"

#define BUDDY_NONE UINT32_MAX

enum frame_zone { ZONE_DOMAIN, ZONE_HEAP, ZONES };

/* What is known of each frame. 12 bytes: 0.3 % of the memory. */
struct frame {
    union {
        uint32_t next; /* a free block's: frame number of the next of this zone and order */
        uint32_t pins; /* of a frame in use: how many hold it besides its owner */
    };
    uint32_t prev; /* frame number, likewise */
    uint16_t owner;
    uint8_t zone;
    uint8_t free_order; /* first frame of a free block: 1 + its order; else 0 */
};

struct buddy {
    struct frame *table; /* `size` of them, indexed by frame number */
    uint64_t size;
    uint32_t heads[ZONES][FRAME_MAX_ORDER + 1];
};

/* All of table is in no block at first; buddy_free() puts in what there is. */
void buddy_init(struct buddy *b, struct frame *table, uint64_t size);

/* Number of the first of 2^order frames, or BUDDY_NONE. */
uint32_t buddy_alloc(struct buddy *b, enum frame_zone zone, unsigned order);
void buddy_free(struct buddy *b, enum frame_zone zone, uint32_t first, unsigned order);

/* Free blocks of this order; walks their list. */
uint64_t buddy_count(const struct buddy *b, enum frame_zone zone, unsigned order);

#endif
