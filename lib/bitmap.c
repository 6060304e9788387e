/*
 * Bitmaps: the searches, a word at a time.
 */
#include "lib/bitmap.h"

/* The first bit at or after from in which map differs from flip. */
static uint64_t next_bit(const uint64_t *map, uint64_t bits, uint64_t from, uint64_t flip)
{
    uint64_t mask = ~0UL << (from % 64);

    for (uint64_t w = from / 64; w < BITMAP_WORDS(bits); w++) {
        uint64_t found = (map[w] ^ flip) & mask;

        if (found) {
            uint64_t n = w * 64 + (unsigned)__builtin_ctzl(found);

            return n < bits ? n : bits;
        }
        mask = ~0UL;
    }
    return bits;
}

uint64_t bitmap_next_set(const uint64_t *map, uint64_t bits, uint64_t from)
{
    return next_bit(map, bits, from, 0);
}

uint64_t bitmap_next_clear(const uint64_t *map, uint64_t bits, uint64_t from)
{
    return next_bit(map, bits, from, ~0UL);
}
