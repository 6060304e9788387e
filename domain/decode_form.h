/*
 * The forms of instructions that the decoder knows: what an opcode means and what follows it.
 * Only domain/decode.c has use for it.
 */
#ifndef CAISSON_DOMAIN_DECODE_FORM_H
#define CAISSON_DOMAIN_DECODE_FORM_H

#include <stdint.h>

#define F_MODRM  (1u << 0)  /* a ModR/M byte follows; only its memory forms are ours */
#define F_BYTE   (1u << 1)  /* the operand is a byte, else of the operand size */
#define F_TO_REG (1u << 2)  /* the register is the destination of an arithmetic form */
#define F_IMM8   (1u << 3)  /* a byte follows, sign-extended */
#define F_IMMZ   (1u << 4)  /* an immediate of the operand size follows, 4 bytes at most */
#define F_MOFFS  (1u << 5)  /* a bare address follows; the register is the accumulator */
#define F_STRING (1u << 6)  /* no operand bytes */
#define F_GROUP  (1u << 7)  /* ModR/M's reg field chooses within group op */
#define F_LOCK   (1u << 8)  /* LOCK is allowed */
#define F_MEM8   (1u << 9)  /* memory is a byte, the register of the operand size */
#define F_MEM16  (1u << 10) /* memory is a word, the register of the operand size */
#define F_MEM32  (1u << 11) /* memory is a doubleword, the register of the operand size */
#define F_SIGNED (1u << 12) /* sign-extends */
#define F_UNARY  (1u << 13) /* memory is the only operand */
#define F_ONLY64 (1u << 14) /* means something else outside 64-bit mode */

/* An opcode's form; one without flags is not ours. */
struct form {
    uint8_t op; /* enum decode_op, or the group's number */
    uint16_t flags;
};

/* The form of an opcode of the one-byte map, or behind 0F. One without flags is not ours. */
const struct form *decode_form(uint8_t opcode);
const struct form *decode_form_0f(uint8_t opcode);
/* The form that ModR/M's reg field chooses, for a form with F_GROUP. */
const struct form *decode_form_group(const struct form *group, unsigned reg);

#endif
