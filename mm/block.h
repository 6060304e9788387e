/*
 * Blocks of frames in use: all that is said of one, owner, zone and size, stands with its first
 * frame, so that to give out or take back a large one costs no more than a small one. Whoever wants
 * to say something of a part of it cuts it first.
 *
 * Locks: the caller's, for the table (mm/frame.c). Not for other rooms.
 */
#ifndef CAISSON_MM_BLOCK_H
#define CAISSON_MM_BLOCK_H

#include <stdint.h>
#include "mm/buddy.h"

/* What the table says of a block's first frame. Without pins all blocks of an owner, a zone and an
 * order are alike. */
static inline union frame block_of(uint16_t owner, enum frame_zone zone, unsigned order)
{
    return (union frame){
        .used = { .owner = owner, .order = (uint8_t)order, .zone = zone, .state = FRAME_USED }
    };
}

/* The largest order of a block that may start at n and ends at or before end. */
unsigned block_order(uint64_t n, uint64_t end);

/* The first frame of the block that n is in. */
uint64_t block_first(const struct buddy *b, uint64_t n);

/* Whose frame n is; OWNER_FREE, or OWNER_RESERVED outside the table. */
uint16_t block_owner(const struct buddy *b, uint64_t n);

/* The first frame in [n, end) that is in no block like `what`, whatever its order; or end. */
uint64_t block_unlike(const struct buddy *b, uint64_t n, uint64_t end, union frame what);

/* Cuts the block in use that n is in, so that one begins at n with at most this order. Returns its
 * order. n is a multiple of 2^order. */
unsigned block_cut(struct buddy *b, uint64_t n, unsigned order);

#endif
