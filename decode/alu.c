/*
 * Arithmetic and flags. See decode/alu.h. Source: SDM volume 2, "Flags Affected" of each.
 */
#include "decode/alu.h"
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

/* carry: of the three that were added. */
static uint64_t add_flags(uint64_t a, uint64_t b, uint64_t r, unsigned size, bool carry)
{
    uint64_t f = result_flags(r, size), sum = truncate(r, size);

    if (sum < truncate(a, size) || (carry && sum == truncate(a, size)))
        f |= RFLAGS_CF;
    if ((a ^ b ^ r) & 0x10)
        f |= RFLAGS_AF;
    if (sign((a ^ r) & (b ^ r), size))
        f |= RFLAGS_OF;
    return f;
}

static uint64_t sub_flags(uint64_t a, uint64_t b, uint64_t r, unsigned size, bool borrow)
{
    uint64_t f = result_flags(r, size);

    if (truncate(a, size) < truncate(b, size) || (borrow && truncate(a, size) == truncate(b, size)))
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

/* BSF and BSR of nothing leave the register, which is a. */
static uint64_t scan_op(enum decode_op op, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags)
{
    unsigned bits = 8 * size, low = b ? (unsigned)__builtin_ctzl(b) : bits;
    unsigned high = b ? 63 - (unsigned)__builtin_clzl(b) : bits;
    bool counts = op == DECODE_TZCNT || op == DECODE_LZCNT;
    uint64_t r = a, flags = 0;

    if (op == DECODE_TZCNT)
        r = low;
    else if (op == DECODE_LZCNT)
        r = b ? bits - 1 - high : bits;
    else if (b)
        r = op == DECODE_BSF ? low : high;
    if (counts ? !r : !b)
        flags |= RFLAGS_ZF;
    if (counts && !b)
        flags |= RFLAGS_CF;
    *rflags = (*rflags & ~(RFLAGS_ZF | (counts ? RFLAGS_CF : 0))) | flags;
    return r;
}

static uint64_t count_bits(uint64_t b)
{
    uint64_t n = 0;

    for (; b; b &= b - 1)
        n++;
    return n;
}

/* Truncated; carry and overflow say whether it had to be. */
static uint64_t multiply(uint64_t a, uint64_t b, unsigned size, uint64_t *flags)
{
    unsigned unused = 64 - 8 * size;
    int64_t x = (int64_t)(a << unused) >> unused, y = (int64_t)(b << unused) >> unused, r;
    bool over = __builtin_mul_overflow(x, y, &r);

    over = over || r != (int64_t)((uint64_t)r << unused) >> unused;
    *flags = result_flags((uint64_t)r, size) | (over ? RFLAGS_CF | RFLAGS_OF : 0);
    return (uint64_t)r;
}

uint64_t alu(enum decode_op op, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags)
{
    uint64_t r, flags, touched = ARITHMETIC;
    bool carry = *rflags & RFLAGS_CF;

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
    case DECODE_BSF:
    case DECODE_BSR:
    case DECODE_TZCNT:
    case DECODE_LZCNT:
        return scan_op(op, a, b, size, rflags);
    case DECODE_POPCNT:
        r = count_bits(b);
        flags = b ? 0 : RFLAGS_ZF;
        break;
    case DECODE_IMUL:
        r = multiply(a, b, size, &flags);
        break;
    case DECODE_ADC:
        r = a + b + carry;
        flags = add_flags(a, b, r, size, carry);
        break;
    case DECODE_SBB:
        r = a - b - carry;
        flags = sub_flags(a, b, r, size, carry);
        break;
    case DECODE_ADD:
    case DECODE_XADD:
        r = a + b;
        flags = add_flags(a, b, r, size, false);
        break;
    case DECODE_INC:
        r = a + 1;
        flags = add_flags(a, 1, r, size, false);
        touched &= ~RFLAGS_CF;
        break;
    case DECODE_SUB:
    case DECODE_CMP:
    case DECODE_CMPXCHG:
        r = a - b;
        flags = sub_flags(a, b, r, size, false);
        break;
    case DECODE_DEC:
        r = a - 1;
        flags = sub_flags(a, 1, r, size, false);
        touched &= ~RFLAGS_CF;
        break;
    case DECODE_NEG:
        r = 0 - a;
        flags = sub_flags(0, a, r, size, false);
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

/* ---- Shifts ---- */

struct shift {
    uint64_t value, from; /* from: where SHLD's and SHRD's bits come from */
    bool carry;
};

/* One place. */
static void shift_once(enum decode_op op, struct shift *s, unsigned size)
{
    uint64_t v = s->value, top = 1ul << (8 * size - 1);
    bool left = op == DECODE_ROL || op == DECODE_RCL || op == DECODE_SHL || op == DECODE_SHLD;
    bool out = left ? v & top : v & 1, in = false;

    if (op == DECODE_ROL || op == DECODE_ROR)
        in = out;
    if (op == DECODE_RCL || op == DECODE_RCR)
        in = s->carry;
    if (op == DECODE_SAR)
        in = v & top;
    if (op == DECODE_SHLD)
        in = s->from & top;
    if (op == DECODE_SHRD)
        in = s->from & 1;
    s->value = left ? truncate(v << 1, size) | in : v >> 1 | (in ? top : 0);
    s->from = left ? s->from << 1 : s->from >> 1;
    s->carry = out;
}

uint64_t alu_shift(enum decode_op op, uint64_t a, uint64_t from, unsigned count, unsigned size,
                   uint64_t *rflags)
{
    struct shift s = { truncate(a, size), truncate(from, size), *rflags & RFLAGS_CF };
    bool rotates = op <= DECODE_RCR, before = false;
    uint64_t flags, touched = RFLAGS_CF | RFLAGS_OF;

    count &= size == 8 ? 63 : 31;
    if (!count)
        return s.value;
    for (unsigned i = 0; i < count; i++) {
        before = sign(s.value, size);
        shift_once(op, &s, size);
    }
    flags = rotates ? 0 : result_flags(s.value, size);
    if (!rotates)
        touched |= RFLAGS_ZF | RFLAGS_SF | RFLAGS_PF;
    if (s.carry)
        flags |= RFLAGS_CF;
    if (before != sign(s.value, size)) /* as it is defined for a count of 1 */
        flags |= RFLAGS_OF;
    *rflags = (*rflags & ~touched) | flags;
    return s.value;
}

/* ---- Twice as wide ---- */

static uint64_t extend(uint64_t v, unsigned size)
{
    unsigned unused = 64 - 8 * size;

    return (uint64_t)((int64_t)(v << unused) >> unused);
}

/* 64 by 64 bits. */
static void multiply_widest(uint64_t a, uint64_t b, bool is_signed, uint64_t out[2])
{
    unsigned __int128 r = is_signed ? (unsigned __int128)((__int128)(int64_t)a * (int64_t)b)
                                    : (unsigned __int128)a * b;

    out[0] = (uint64_t)r;
    out[1] = (uint64_t)(r >> 64);
}

void alu_multiply(uint64_t a, uint64_t b, unsigned size, bool is_signed, uint64_t out[2],
                  uint64_t *rflags)
{
    uint64_t x = is_signed ? extend(a, size) : truncate(a, size);
    uint64_t y = is_signed ? extend(b, size) : truncate(b, size);

    if (size == 8) {
        multiply_widest(x, y, is_signed, out);
    } else {
        out[0] = truncate(x * y, size);
        out[1] = truncate(x * y >> 8 * size, size);
    }
    uint64_t none = is_signed && sign(out[0], size) ? truncate(~0ul, size) : 0;
    bool over = out[1] != none;
    *rflags = (*rflags & ~(RFLAGS_CF | RFLAGS_OF)) | (over ? RFLAGS_CF | RFLAGS_OF : 0);
}

/* SDM, "DIV--Unsigned Divide": the quotient must fit. high < by, or the CPU faults. */
static uint64_t divide(uint64_t high, uint64_t low, uint64_t by, uint64_t *remainder)
{
    uint64_t quotient;

    __asm__("divq %[by]"
            : "=a"(quotient), "=d"(*remainder)
            : [by] "r"(by), "a"(low), "d"(high)
            : "cc");
    return quotient;
}

/* What is to be divided, as 128 bits. */
static void widen(const uint64_t value[2], unsigned size, bool is_signed, uint64_t *high,
                  uint64_t *low)
{
    *high = size == 8 ? value[1] : 0;
    *low = value[0];
    if (size == 8)
        return;
    *low = truncate(value[1], size) << 8 * size | truncate(value[0], size);
    if (!is_signed)
        return;
    *low = extend(*low, 2 * size);
    *high = (int64_t)*low < 0 ? ~0ul : 0;
}

bool alu_divide(uint64_t value[2], uint64_t by, unsigned size, bool is_signed)
{
    uint64_t high, low, remainder;

    widen(value, size, is_signed, &high, &low);
    by = is_signed ? extend(by, size) : truncate(by, size);
    bool negative = is_signed && (int64_t)high < 0;
    bool differ = is_signed && negative != ((int64_t)by < 0);
    if (negative) {
        low = -low;
        high = ~high + !low;
    }
    if (is_signed && (int64_t)by < 0)
        by = -by;
    if (!by || high >= by)
        return false;
    uint64_t quotient = divide(high, low, by, &remainder);
    uint64_t most = is_signed ? (1ul << (8 * size - 1)) - 1 + differ : truncate(~0ul, size);
    if (quotient > most)
        return false;
    value[0] = truncate(differ ? -quotient : quotient, size);
    value[1] = truncate(negative ? -remainder : remainder, size);
    return true;
}
