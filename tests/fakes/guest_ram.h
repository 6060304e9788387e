/*
 * A guest's memory as an array, for the loaders: every access must lie in RAM, or the test ends.
 */
#ifndef CAISSON_TESTS_FAKES_GUEST_RAM_H
#define CAISSON_TESTS_FAKES_GUEST_RAM_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "loader/image.h"

#define GUEST_RAM_BYTES (32UL << 20)

static uint8_t guest_ram[GUEST_RAM_BYTES];
static int guest_ram_error; /* what write and zero answer, if not 0 */

static void guest_ram_check(gpa_t to, size_t n)
{
    if (n == 0 || to.v >= GUEST_RAM_BYTES || n > GUEST_RAM_BYTES - to.v)
        abort();
    if (to.v + n > MEMMAP_EBDA && to.v < MEMMAP_EXTENDED)
        abort();
}

static int guest_ram_write(void *ctx, gpa_t to, const void *from, size_t n)
{
    (void)ctx;
    guest_ram_check(to, n);
    memcpy(guest_ram + to.v, from, n);
    return guest_ram_error;
}

static int guest_ram_zero(void *ctx, gpa_t to, size_t n)
{
    (void)ctx;
    guest_ram_check(to, n);
    memset(guest_ram + to.v, 0, n);
    return guest_ram_error;
}

static inline struct image_memory guest_ram_memory(const struct memmap *map)
{
    return (struct image_memory){ .write = guest_ram_write,
                                  .zero = guest_ram_zero,
                                  .e820 = map->e820,
                                  .e820_count = map->e820_count,
                                  .acpi_rsdp = gpa(MEMMAP_ACPI) };
}

#endif
