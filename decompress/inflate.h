/*
 * DEFLATE (RFC 1951), whole: from one buffer into another, whose size bounds what is done.
 */
#ifndef CAISSON_DECOMPRESS_INFLATE_H
#define CAISSON_DECOMPRESS_INFLATE_H

#include <stddef.h>
#include <stdint.h>
#include "lib/errno.h"

#define INFLATE_FAST_BITS 9  /* codes no longer than this are looked up at once */
#define INFLATE_MOST_BITS 15 /* of a code */
#define INFLATE_SYMBOLS   288

/* A Huffman code, as its lengths give it. */
struct inflate_code {
    uint16_t fast[1 << INFLATE_FAST_BITS]; /* by the bits that come: symbol << 4 | length, or 0 */
    uint16_t count[INFLATE_MOST_BITS + 1]; /* codes of each length */
    uint16_t symbol[INFLATE_SYMBOLS];      /* in the order of their codes */
};

/* What it works with. The caller lends it, since it is larger than most stacks like. */
struct inflate {
    const uint8_t *in, *in_end;
    uint8_t *out;
    size_t size, used; /* of out, bytes */
    uint64_t bits;     /* read, and not taken yet: the lowest comes first */
    unsigned count;    /* of those */
    const char *fault; /* the first one sticks, and ends it */
    struct inflate_code literals, distances;
};

/* Unpacks from[0..n) to to[0..size), which must come out full. NULL, and *taken is how many bytes
 * of from there were; or what is wrong with them. */
const char *inflate_whole(struct inflate *s, const void *from, size_t n, void *to, size_t size,
                          size_t *taken) __attribute__((warn_unused_result));

#endif
