/* The sum of a table's bytes, which is to be 0. */
#ifndef CAISSON_TESTS_ACPI_SUM_H
#define CAISSON_TESTS_ACPI_SUM_H

#include <stddef.h>
#include <stdint.h>

static inline uint8_t acpi_sum(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t s = 0;

    while (n--)
        s += *b++;
    return s;
}

#endif
