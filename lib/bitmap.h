/*
 * Bitmaps: arrays of 64-bit words, bit n in word n / 64. Not atomic.
 */
#ifndef CAISSON_LIB_BITMAP_H
#define CAISSON_LIB_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

/* Words that hold `bits` bits, for a declaration. */
#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bitmap_test(const uint64_t *map, uint64_t n)
{
    return map[n / 64] >> (n % 64) & 1;
}

static inline void bitmap_set(uint64_t *map, uint64_t n)
{
    map[n / 64] |= 1UL << (n % 64);
}

static inline void bitmap_clear(uint64_t *map, uint64_t n)
{
    map[n / 64] &= ~(1UL << (n % 64));
}

/* The first set (clear) bit at or after `from`; `bits` when there is none below it. */
uint64_t bitmap_next_set(const uint64_t *map, uint64_t bits, uint64_t from);
uint64_t bitmap_next_clear(const uint64_t *map, uint64_t bits, uint64_t from);

#endif
