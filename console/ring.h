/*
 * A ring of bytes: first in, first out, of a size that is a power of two. Lock: its user's.
 */
#ifndef CAISSON_CONSOLE_RING_H
#define CAISSON_CONSOLE_RING_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/assert.h"

struct ring {
    uint8_t *bytes;
    uint32_t size;
    uint32_t head, tail; /* taken at head, put at tail; they run on */
};

static inline uint32_t ring_used(const struct ring *r)
{
    return __atomic_load_n(&r->tail, __ATOMIC_RELAXED) -
           __atomic_load_n(&r->head, __ATOMIC_RELAXED);
}

/* False: full. */
static inline bool ring_put(struct ring *r, uint8_t byte)
{
    if (ring_used(r) == r->size)
        return false;
    r->bytes[r->tail % r->size] = byte;
    __atomic_store_n(&r->tail, r->tail + 1, __ATOMIC_RELEASE);
    return true;
}

/* The n-th byte from the oldest on. */
static inline uint8_t ring_peek(const struct ring *r, uint32_t n)
{
    ASSERT(n < ring_used(r));
    return r->bytes[(r->head + n) % r->size];
}

/* How many bytes lie in one piece from the oldest on, and where. */
static inline uint32_t ring_run(const struct ring *r)
{
    uint32_t used = ring_used(r), to_end = r->size - r->head % r->size;

    return used < to_end ? used : to_end;
}

static inline const uint8_t *ring_first(const struct ring *r)
{
    return &r->bytes[r->head % r->size];
}

static inline void ring_drop(struct ring *r, uint32_t n)
{
    ASSERT(n <= ring_used(r));
    __atomic_store_n(&r->head, r->head + n, __ATOMIC_RELEASE);
}

#endif
