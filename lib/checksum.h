/*
 * The checksum of firmware's tables, ACPI's and the MP tables alike: the byte that makes the sum of
 * all bytes 0.
 */
#ifndef CAISSON_LIB_CHECKSUM_H
#define CAISSON_LIB_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Of length bytes, of which the one that it goes to is 0. Of a table that has it, 0. */
static inline uint8_t checksum(const void *data, size_t length)
{
    const uint8_t *p = data;
    uint8_t sum = 0;

    while (length--)
        sum += *p++;
    return -sum;
}

#endif
