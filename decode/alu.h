/*
 * Arithmetic on a memory operand, with the flags that the instruction leaves: pure functions for
 * emulate/mmio.c, tested on the host against the CPU itself.
 */
#ifndef CAISSON_DECODE_ALU_H
#define CAISSON_DECODE_ALU_H

#include <stdbool.h>
#include <stdint.h>
#include "decode/decode.h"

/* a op b in size bytes (NEG, NOT, INC, DEC: a alone; BT..BTC: b is the bit number; BSF and the
 * other counts: of b, a is what the register held); *rflags is updated as the CPU would, where that
 * is defined. CMP, TEST and BT return a. */
uint64_t alu(enum decode_op op, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags);
/* ROL to SAR, SHLD and SHRD by `count` places, of which the low five or six bits count; from: the
 * register of the last two. */
uint64_t alu_shift(enum decode_op op, uint64_t a, uint64_t from, unsigned count, unsigned size,
                   uint64_t *rflags);
/* out[0] gets the low half of a * b, out[1] the high one. */
void alu_multiply(uint64_t a, uint64_t b, unsigned size, bool is_signed, uint64_t out[2],
                  uint64_t *rflags);
/* value[1]:value[0] / by: value[0] becomes the quotient, value[1] the remainder. False: #DE,
 * nothing has changed. */
bool must_check alu_divide(uint64_t value[2], uint64_t by, unsigned size, bool is_signed);

#endif
