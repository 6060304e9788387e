/*
 * What producer and consumer agree on: a page of indices and references, lent under the first
 * reference there is, which leads to the pages that carry the data.
 *
 * prod and cons count pages ever sent and taken. Who finds nothing to do sets its `waits` flag,
 * looks once more, and waits for an event; who then makes progress sends one.
 */
#ifndef GUEST_RING_H
#define GUEST_RING_H

#include <stdint.h>

#define RING_MAGIC 0x474e4952u
#define RING_PAGES 16
#define RING_WORDS 512         /* of 8 bytes, in a page */
#define RING_PORTS 32          /* where the consumer looks for the producer's port */
#define RING_TOTAL (64ul << 8) /* pages: 64 MiB */

struct ring {
    uint32_t magic; /* written last */
    uint32_t refs[RING_PAGES];
    uint32_t producer_waits, consumer_waits;
    uint64_t prod, cons;
    uint64_t checksum; /* of all that was sent, once prod is RING_TOTAL */
};

static inline uint64_t ring_mix(uint64_t sum, uint64_t word)
{
    return (sum << 7 | sum >> 57) ^ word;
}

#endif
