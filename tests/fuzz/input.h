/*
 * A fuzzer's bytes, taken one after the other as numbers. Behind the last byte all are 0, so a
 * harness stops at input_ended().
 */
#ifndef CAISSON_TESTS_FUZZ_INPUT_H
#define CAISSON_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
    const uint8_t *at;
    size_t left;
};

static inline bool input_ended(const struct input *in)
{
    return in->left == 0;
}

/* Up to n bytes, in place. Returns how many there were. */
static inline size_t input_bytes(struct input *in, const uint8_t **out, size_t n)
{
    if (n > in->left)
        n = in->left;
    *out = in->at;
    in->at += n;
    in->left -= n;
    return n;
}

/* A little-endian number of 1 to 8 bytes. */
static inline uint64_t input_number(struct input *in, unsigned bytes)
{
    const uint8_t *from;
    uint64_t value = 0;
    size_t n = input_bytes(in, &from, bytes);

    if (n)
        memcpy(&value, from, n);
    return value;
}

static inline uint8_t input_byte(struct input *in)
{
    return (uint8_t)input_number(in, 1);
}

#endif
