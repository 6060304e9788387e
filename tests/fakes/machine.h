/*
 * Memory of a pretended machine, for tests that link mm/ itself: one piece, found at its machine
 * address (as on the boot code's identity map) and in the direct map.
 */
#ifndef CAISSON_TESTS_FAKES_MACHINE_H
#define CAISSON_TESTS_FAKES_MACHINE_H

#include <stdint.h>
#include "mm/aspace.h"

#define MACHINE_BASE 0x10000000UL /* low addresses are the sanitizer's to leave free */
#define MACHINE_SIZE 0x08000000UL
#define MACHINE_END  (MACHINE_BASE + MACHINE_SIZE)

/* An image at its start, of a page of each kind. */
extern const struct aspace_image fake_machine_image;

void fake_machine_map(void);
/* The same memory once more, at va: a piece of it from machine address `start` on. */
void fake_machine_alias(uint64_t va, uint64_t start, uint64_t size);

/* What cpu_maddr_bits() says. */
#define FAKE_MADDR_BITS 46

#endif
