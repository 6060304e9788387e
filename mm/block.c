/*
 * Blocks of frames in use: what is said of them, and how they are cut. See mm/block.h.
 */
#include "mm/block.h"

#include "lib/assert.h"

unsigned block_order(uint64_t n, uint64_t end)
{
    unsigned order = 0;

    while (order < FRAME_MAX_ORDER && !(n & (1UL << order)) && n + (2UL << order) <= end)
        order++;
    return order;
}

/* Blocks lie at multiples of their size: so the first frame of the one that n is in has n's number
 * without some of the lowest bits. */
uint64_t block_first(const struct buddy *b, uint64_t n)
{
    while (b->table[n].head.state == FRAME_INSIDE)
        n &= n - 1;
    return n;
}

uint16_t block_owner(const struct buddy *b, uint64_t n)
{
    if (n >= b->size)
        return OWNER_RESERVED;
    union frame f = b->table[block_first(b, n)];
    return f.head.state == FRAME_USED ? f.used.owner : OWNER_FREE;
}

uint64_t block_unlike(const struct buddy *b, uint64_t n, uint64_t end, union frame what)
{
    while (n < end) {
        uint64_t first = block_first(b, n);
        what.used.order = b->table[first].used.order;
        if (b->table[first].word != what.word)
            return n;
        n = first + (1UL << what.used.order);
    }
    return end;
}

unsigned block_cut(struct buddy *b, uint64_t n, unsigned order)
{
    uint64_t first = block_first(b, n);
    union frame f = b->table[first];

    ASSERT(f.used.state == FRAME_USED);
    while (first != n || f.used.order > order) {
        uint64_t half = first + (1UL << --f.used.order);
        b->table[first] = b->table[half] = f;
        if (n >= half)
            first = half;
    }
    return f.used.order;
}
