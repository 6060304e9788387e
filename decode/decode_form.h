/*
 * The forms of instructions that the decoder knows: what an opcode means and what follows it.
 * Only decode/decode.c has use for it.
 */
#ifndef CAISSON_DECODE_DECODE_FORM_H
#define CAISSON_DECODE_DECODE_FORM_H

#include <stdbool.h>
#include <stddef.h>
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
#define F_CL     (1u << 15) /* CL is the count */
#define F_ONE    (1u << 16) /* 1 is the count */
#define F_COND   (1u << 17) /* the opcode's low four bits are a condition */
#define F_SWAP   (1u << 18) /* the bytes change their order */
#define F_STACK  (1u << 19) /* in 64-bit mode the operand has 64 bits unless 66 says 16 */
#define F_NEAR   (1u << 20) /* in 64-bit mode the operand has 64 bits */
#define F_PAIR   (1u << 21) /* memory is twice the register's 32 or 64 bits, whatever 66 says */
#define F_NO66   (1u << 22) /* with 66 the vendors do not agree, or it is another instruction */
#define F_NOREP  (1u << 23) /* with F2 or F3 it is another instruction */
#define F_BARE   (1u << 24) /* no ModR/M: memory is the stack alone, F_COND's bits are a register */

/* An opcode's form; one without flags is not ours. */
struct form {
    uint32_t op : 7; /* enum decode_op, or the group's number */
    uint32_t flags : 25;
};

#define V_NONE    (1u << 0) /* prefixes with which it is this one: none of 66, F3 and F2, ... */
#define V_66      (1u << 1) /* ... or one of them, numbered as VEX has them */
#define V_F3      (1u << 2)
#define V_F2      (1u << 3)
#define V_STORE   (1u << 4)  /* to memory, else from there */
#define V_ALIGNED (1u << 5)  /* memory has to be aligned */
#define V_W       (1u << 6)  /* 8 bytes with REX.W or VEX.W */
#define V_HIGH    (1u << 7)  /* the register's upper half */
#define V_KEEP    (1u << 8)  /* the other half is kept; with VEX it has three operands, not ours */
#define V_NARROW  (1u << 9)  /* VEX.L has to be 0 */
#define V_MMX     (1u << 10) /* the register is of MMX */
#define V_INTEGER (1u << 11) /* a general one */
#define V_0F38    (1u << 12) /* behind 0F 38, else behind 0F */
#define V_MASK    (1u << 13) /* ModR/M has two registers, memory is at rDI */

/* Of a move between memory and a vector register. */
struct vector_form {
    uint8_t opcode;
    uint8_t size; /* bytes; 16: 32 with VEX.L */
    uint16_t flags;
};

/* The form of an opcode of the one-byte map, behind 0F, behind 0F with the prefix F3 where that is
 * another instruction, behind 0F 38. One without flags is not ours. */
const struct form *decode_form(uint8_t opcode);
const struct form *decode_form_0f(uint8_t opcode);
const struct form *decode_form_f3_0f(uint8_t opcode);
const struct form *decode_form_0f38(uint8_t opcode);
/* Of a vector move; prefix: 0 to 3, as VEX numbers them. NULL: none is ours. */
const struct vector_form *decode_form_vector(uint8_t opcode, bool behind_0f38, unsigned prefix);
/* Bytes in memory of an x87 instruction, D8 to DF, with that in ModR/M's reg field: read; if less
 * than 0, written. 0: none is ours. */
int decode_form_x87(uint8_t opcode, unsigned reg);
/* The form that ModR/M's reg field chooses, for a form with F_GROUP. */
const struct form *decode_form_group(const struct form *group, unsigned reg);

#endif
