/*
 * Arithmetic and flags. See domain/alu.h. Source: SDM volume 2, "Flags Affected" of each.
 */
#include "domain/alu.h"
#include "arch/x86/cpu.h"

#define ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t truncate(uint64_t v, unsigned size)
{
    return size == 8 ? v : v & ((1ul << (8 * size)) - 1);
}

static bool sign(uint64_t v, unsigned size)
{
    return v >> (8 * size - 1) & 1;
}

static uint64_t result_flags(uint64_t r, unsigned size)
{
    uint64_t f = 0;

    if (truncate(r, size) == 0)
        f |= RFLAGS_ZF;
    if (sign(r, size))
        f |= RFLAGS_SF;
    if (!__builtin_parity((unsigned)(r & 0xff)))
        f |= RFLAGS_PF;
    return f;
}

static uint64_t add_flags(uint64_t a, uint64_t b, uint64_t r, unsigned size)
{
    uint64_t f = result_flags(r, size);

    if (truncate(r, size) < truncate(a, size))
        f |= RFLAGS_CF;
    if ((a ^ b ^ r) & 0x10)
        f |= RFLAGS_AF;
    if (sign((a ^ r) & (b ^ r), size))
        f |= RFLAGS_OF;
    return f;
}

static uint64_t sub_flags(uint64_t a, uint64_t b, uint64_t r, unsigned size)
{
    uint64_t f = result_flags(r, size);

    if (truncate(a, size) < truncate(b, size))
        f |= RFLAGS_CF;
    if ((a ^ b ^ r) & 0x10)
        f |= RFLAGS_AF;
    if (sign((a ^ b) & (a ^ r), size))
        f |= RFLAGS_OF;
    return f;
}

static uint64_t bit_op(enum decode_op op, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags)
{
    uint64_t bit = 1ul << (b & (8 * size - 1));

    *rflags = (*rflags & ~RFLAGS_CF) | (a & bit ? RFLAGS_CF : 0);
    if (op == DECODE_BTS)
        return a | bit;
    if (op == DECODE_BTR)
        return a & ~bit;
    return op == DECODE_BTC ? a ^ bit : a;
}

uint64_t alu(enum decode_op op, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags)
{
    uint64_t r, flags, touched = ARITHMETIC;

    a = truncate(a, size);
    b = truncate(b, size);
    switch (op) {
    case DECODE_NOT:
        return truncate(~a, size);
    case DECODE_BT:
    case DECODE_BTS:
    case DECODE_BTR:
    case DECODE_BTC:
        return bit_op(op, a, b, size, rflags);
    case DECODE_ADD:
        r = a + b;
        flags = add_flags(a, b, r, size);
        break;
    case DECODE_INC:
        r = a + 1;
        flags = add_flags(a, 1, r, size);
        touched &= ~RFLAGS_CF;
        break;
    case DECODE_SUB:
    case DECODE_CMP:
    case DECODE_CMPXCHG:
        r = a - b;
        flags = sub_flags(a, b, r, size);
        break;
    case DECODE_DEC:
        r = a - 1;
        flags = sub_flags(a, 1, r, size);
        touched &= ~RFLAGS_CF;
        break;
    case DECODE_NEG:
        r = 0 - a;
        flags = sub_flags(0, a, r, size);
        break;
    case DECODE_OR:
        r = a | b;
        flags = result_flags(r, size);
        break;
    case DECODE_XOR:
        r = a ^ b;
        flags = result_flags(r, size);
        break;
    default: /* DECODE_AND, DECODE_TEST */
        r = a & b;
        flags = result_flags(r, size);
        break;
    }
    *rflags = (*rflags & ~touched) | (flags & touched);
    return op == DECODE_CMP || op == DECODE_TEST ? a : truncate(r, size);
}
