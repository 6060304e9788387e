/*
 * The instructions that exit, from their bytes: how long they are and what they name.
 *
 * Processors without next RIP and decode assists (QEMU's, and AMD's before family 12h) tell
 * neither. A pure function of bytes; where they come from is the caller's affair.
 */
#ifndef CAISSON_SVM_DECODE_H
#define CAISSON_SVM_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#define DECODE_BYTES 15 /* the longest instruction */

struct decoded {
    uint8_t length;    /* 0: these bytes are none of the instructions that exit */
    uint8_t addr_size; /* 2, 4, 8 */
    uint8_t far_bytes; /* of a far pointer: 4 or 6 */
    uint8_t segment;   /* enum seg: DS or an override */
    uint8_t modrm;
    uint8_t reg, rm; /* of ModRM, with REX */
    bool lock;
    uint16_t opcode; /* 0x0F00 and more of two bytes */
};

/* Decodes at most count bytes of 16-, 32- or 64-bit code (size: 2, 4, 8). Of group 7 with a memory
 * operand the length is not worked out: it is 0. */
struct decoded decode_exiting(const uint8_t *bytes, unsigned count, unsigned size);

/* What may lead to another task: far CALL (or JMP) and IRET; INT3, INT n and INTO. */
bool decode_is_far(const struct decoded *d);
bool decode_is_int(const struct decoded *d);

#endif
