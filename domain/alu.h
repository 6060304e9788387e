/*
 * Arithmetic on a memory operand, with the flags that the instruction leaves: pure functions for
 * domain/mmio.c, tested on the host against the CPU itself.
 */
#ifndef CAISSON_DOMAIN_ALU_H
#define CAISSON_DOMAIN_ALU_H

#include <stdint.h>
#include "domain/decode.h"

/* a op b in size bytes (NEG, NOT, INC, DEC: a alone; BT..BTC: b is the bit number); *rflags is
 * updated as the CPU would. CMP, TEST and BT return a. */
uint64_t alu(enum decode_op op, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags);

#endif
