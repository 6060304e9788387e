/*
 * Decoder for the instructions with which real kernels touch device memory.
 *
 * A pure function of bytes and mode; it reads no guest state. What it does not know it refuses,
 * and the machine then ends that one domain with the bytes in the message. Checked against Zydis
 * on the host (tests/unit, tests/fuzz).
 */
#ifndef CAISSON_DECODE_DECODE_H
#define CAISSON_DECODE_DECODE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"

#define DECODE_MAX_BYTES 15

enum decode_mode { DECODE_16, DECODE_32, DECODE_64 };

enum decode_op {
    DECODE_LOAD,  /* register <- memory: MOV 8A 8B A0 A1, MOVZX, MOVSX, MOVSXD */
    DECODE_STORE, /* memory <- register or immediate: MOV 88 89 A2 A3 C6/0 C7/0 */
    DECODE_XCHG,  /* 86 87 */
    DECODE_AND,
    DECODE_OR,
    DECODE_XOR,
    DECODE_ADD,
    DECODE_ADC,
    DECODE_SBB,
    DECODE_SUB, /* memory op= register/immediate, or
                 * register op= memory: see to_register */
    DECODE_CMP,
    DECODE_TEST, /* flags only */
    DECODE_MOVS, /* A4 A5, with rep */
    DECODE_STOS, /* AA AB, with rep */
    DECODE_LODS, /* AC AD, with rep */
    DECODE_CMPS, /* A6 A7, with rep or repne */
    DECODE_SCAS, /* AE AF, with rep or repne */
    DECODE_INS,  /* the processor tells of these two: decode_insn() does not know them */
    DECODE_OUTS,
    DECODE_BT,
    DECODE_BTS,
    DECODE_BTR,
    DECODE_BTC, /* by an immediate bit number, modulo the operand's size, or by a register, whose
                 * bit may lie outside the operand */
    DECODE_NEG,
    DECODE_NOT,
    DECODE_INC,
    DECODE_DEC,
    DECODE_ROL,
    DECODE_ROR,
    DECODE_RCL,
    DECODE_RCR,
    DECODE_SHL,
    DECODE_SHR,
    DECODE_SAR,  /* by an immediate, or by CL: see by_cl */
    DECODE_SHLD, /* memory, with bits of the register */
    DECODE_SHRD,
    DECODE_MUL, /* of the accumulator, into it and RDX (AH) */
    DECODE_IMUL_WIDE,
    DECODE_DIV,
    DECODE_IDIV,
    DECODE_IMUL, /* register <- memory * register, or memory * immediate */
    DECODE_BSF,
    DECODE_BSR,
    DECODE_TZCNT,
    DECODE_LZCNT,
    DECODE_POPCNT,
    DECODE_XADD,
    DECODE_CMPXCHG,
    DECODE_CMPXCHG_PAIR, /* CMPXCHG8B, CMPXCHG16B: size is 8 or 16 */
    DECODE_CMOV,         /* see condition */
    DECODE_SETCC,
    DECODE_VECTOR_LOAD, /* a register of MMX, SSE or AVX <- memory */
    DECODE_VECTOR_STORE,
    DECODE_X87_LOAD, /* x87, memory is read: the immediate is the opcode as the FPU keeps it */
    DECODE_X87_STORE,
    DECODE_FLUSH,          /* CLFLUSH, CLFLUSHOPT: nothing is read or written */
    DECODE_STORE_SELECTOR, /* MOV, SLDT, STR: see reg */
    DECODE_LOAD_SELECTOR,  /* MOV, LLDT, LTR */
    DECODE_SMSW,
    DECODE_PUSH, /* memory, or see bare, to the stack */
    DECODE_POP,
    DECODE_PUSHF,
    DECODE_POPF,
    DECODE_LEAVE,
    DECODE_CALL, /* near, to where memory says, or see bare */
    DECODE_JMP,
    DECODE_RET, /* the immediate: bytes to be dropped */
};

/* The memory operand is [segment + base + index * scale + disp]; absent registers are -1. */
struct decode {
    enum decode_op op;
    uint8_t length;     /* bytes of the instruction */
    uint8_t size;       /* bytes of the memory access: 1, 2, 4, 8; 10, 16, 32 */
    uint8_t reg_size;   /* bytes of the register operand: differs for MOVZX and MOVSX */
    uint8_t addr_size;  /* 2, 4, 8 */
    bool sign_extend;   /* MOVSX, MOVSXD */
    bool to_register;   /* for the arithmetic forms */
    bool has_immediate; /* else reg is the operand */
    bool by_cl;         /* the count is in CL */
    bool plain;         /* LOAD or STORE that does nothing else */
    bool swap;          /* MOVBE: the bytes change their order on the way */
    bool bare;      /* of the last eight: no operand in memory but the stack; PUSH and CALL have a
                       register, or an immediate, from which CALL counts on */
    bool aligned;   /* memory has to be, to its size */
    bool vex, mmx;  /* of vector moves: encoded with VEX; the register is of MMX */
    bool high_half; /* the register's upper half takes part, ... */
    bool keeps;     /* ... and the other one is kept */
    bool rep, repne, lock;
    bool high_byte; /* reg is AH..BH: bits 15:8 of register reg (0..3) */
    bool rip_relative;
    int8_t reg;           /* 0..15, or -1; of selectors an enum seg */
    int8_t mask;          /* of a VECTOR_STORE: the register whose bytes' highest bits say which
                           * bytes are written, or -1: all */
    int8_t base, index;   /* 0..15, or -1 */
    uint8_t scale;        /* 1, 2, 4, 8 */
    uint8_t condition;    /* of CMOVcc and SETcc: the opcode's low four bits */
    uint8_t segment;      /* SEG_ES.. of the encoding (0..5), the default or an override */
    int64_t displacement; /* sign-extended */
    uint64_t immediate;   /* sign-extended to the operand's size */
};

static inline bool decode_is_string(enum decode_op op)
{
    return op >= DECODE_MOVS && op <= DECODE_SCAS;
}

/* Decodes at most count bytes. 0; -ENODATA if count ends inside the instruction; -EOPNOTSUPP if it
 * is none of the forms above; -EINVAL if it is no instruction (too long). */
int must_check decode_insn(const uint8_t *bytes, unsigned count, enum decode_mode mode,
                           struct decode *out);

#endif
