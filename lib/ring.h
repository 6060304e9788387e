/*
 * A ring of bytes: first in, first out, of a size that is a power of two. Lock: its user's. (The
 * log keeps lines, and forgets the oldest: that is no such ring.)
 */
#ifndef CAISSON_LIB_RING_H
#define CAISSON_LIB_RING_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/assert.h"
#include "lib/string.h"

struct ring {
    uint8_t *bytes;
    uint32_t size;
    uint32_t head, tail; /* taken at head, put at tail; they run on */
};

/* An empty one in an array of bytes. */
#define RING_IN(array)                                                                             \
    {                                                                                              \
        .bytes = (array), .size = sizeof(array)                                                    \
    }

static inline uint32_t ring_used(const struct ring *r)
{
    return __atomic_load_n(&r->tail, __ATOMIC_RELAXED) -
           __atomic_load_n(&r->head, __ATOMIC_RELAXED);
}

static inline uint32_t ring_room(const struct ring *r)
{
    return r->size - ring_used(r);
}

/* False: full. */
static inline bool ring_put(struct ring *r, uint8_t byte)
{
    if (!ring_room(r))
        return false;
    r->bytes[r->tail % r->size] = byte;
    __atomic_store_n(&r->tail, r->tail + 1, __ATOMIC_RELEASE);
    return true;
}

/* As many of n bytes as there is room for; how many. */
static inline uint32_t ring_write(struct ring *r, const void *bytes, size_t n)
{
    uint32_t room = ring_room(r), at = r->tail % r->size;
    uint32_t len = n < room ? (uint32_t)n : room, first = len < r->size - at ? len : r->size - at;

    memcpy(r->bytes + at, bytes, first);
    memcpy(r->bytes, (const uint8_t *)bytes + first, len - first);
    __atomic_store_n(&r->tail, r->tail + len, __ATOMIC_RELEASE);
    return len;
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

/* Takes the oldest out. */
static inline uint8_t ring_take(struct ring *r)
{
    uint8_t byte = ring_peek(r, 0);

    ring_drop(r, 1);
    return byte;
}

/* Forgets all that is in it. */
static inline void ring_clear(struct ring *r)
{
    __atomic_store_n(&r->head, __atomic_load_n(&r->tail, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
}

/* Takes the oldest out, also where somebody else uses the ring at the same time without its lock,
 * as in a panic: then bytes may be lost, or come twice, and that is all. False: it is empty. */
static inline bool ring_take_any(struct ring *r, uint8_t *byte)
{
    uint32_t head = __atomic_load_n(&r->head, __ATOMIC_RELAXED);
    uint32_t used = __atomic_load_n(&r->tail, __ATOMIC_RELAXED) - head;

    if (used > r->size) /* such use has disordered it */
        ring_clear(r);
    if (used == 0 || used > r->size)
        return false;
    *byte = r->bytes[head % r->size];
    __atomic_store_n(&r->head, head + 1, __ATOMIC_RELEASE);
    return true;
}

#endif
