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

/* Bits of one word, two by two, four by four, ...: no POPCNT, which needs a CPUID bit. */
static unsigned count_word(uint64_t w)
{
    w -= w >> 1 & 0x5555555555555555UL;
    w = (w & 0x3333333333333333UL) + (w >> 2 & 0x3333333333333333UL);
    w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
    return (unsigned)(w * 0x0101010101010101UL >> 56);
}

uint64_t bitmap_count(const uint64_t *map, uint64_t bits)
{
    uint64_t count = 0;

    for (uint64_t w = 0; w < bits / 64; w++)
        count += count_word(map[w]);
    if (bits % 64)
        count += count_word(map[bits / 64] & ~(~0UL << (bits % 64)));
    return count;
}
