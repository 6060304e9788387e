/*
 * Memory types of the machine's physical address space, from its MTRRs.
 */
#ifndef CAISSON_ARCH_X86_MTRR_H
#define CAISSON_ARCH_X86_MTRR_H

#include <stdint.h>
#include "lib/addr.h"

/* Reads the boot CPU's MTRRs. */
void mtrr_read(void);
/* Type (0 UC, 1 WC, 4 WT, 5 WP, 6 WB: the encodings of MTRR and EPT are the same) of size bytes
 * from start; the most careful one if they differ. */
uint8_t mtrr_type(maddr_t start, uint64_t size);

/* For the other CPUs: keeps the boot CPU's registers as they are, and sets the calling CPU's to
 * them. Returns how many had been different. */
void mtrr_keep(void);
unsigned mtrr_align(void);

#endif
