/* links: decode/alu.c */
/*
 * Every operation in every width against the CPU itself: results and flags, for the numbers at the
 * edges, all pairs of them, and many at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "decode/alu.h"

#define ROUNDS     20000
#define ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* Runs one instruction with the flags *f; the stack pointer leaves the red zone alone. */
#define RUN(insn)                                                                                  \
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushq %[f]\n\tpopfq\n\t" insn                      \
                     "\n\tpushfq\n\tpopq %[f]\n\tlea 128(%%rsp), %%rsp"                            \
                     : [x] "+r"(*x), [f] "+r"(*f)                                                  \
                     : [y] "r"(y)                                                                  \
                     : "cc", "memory")
#define TWO(op)                                                                                    \
    switch (size) {                                                                                \
    case 1:                                                                                        \
        RUN(op "b %b[y], %b[x]");                                                                  \
        return;                                                                                    \
    case 2:                                                                                        \
        RUN(op "w %w[y], %w[x]");                                                                  \
        return;                                                                                    \
    case 4:                                                                                        \
        RUN(op "l %k[y], %k[x]");                                                                  \
        return;                                                                                    \
    default:                                                                                       \
        RUN(op "q %q[y], %q[x]");                                                                  \
        return;                                                                                    \
    }
#define ONE(op)                                                                                    \
    switch (size) {                                                                                \
    case 1:                                                                                        \
        RUN(op "b %b[x]");                                                                         \
        return;                                                                                    \
    case 2:                                                                                        \
        RUN(op "w %w[x]");                                                                         \
        return;                                                                                    \
    case 4:                                                                                        \
        RUN(op "l %k[x]");                                                                         \
        return;                                                                                    \
    default:                                                                                       \
        RUN(op "q %q[x]");                                                                         \
        return;                                                                                    \
    }
/* The bit operations have no byte form. */
#define BIT(op)                                                                                    \
    switch (size) {                                                                                \
    case 2:                                                                                        \
        RUN(op "w %w[y], %w[x]");                                                                  \
        return;                                                                                    \
    case 4:                                                                                        \
        RUN(op "l %k[y], %k[x]");                                                                  \
        return;                                                                                    \
    default:                                                                                       \
        RUN(op "q %q[y], %q[x]");                                                                  \
        return;                                                                                    \
    }

static void native(enum decode_op op, uint64_t *x, uint64_t y, unsigned size, uint64_t *f)
{
    switch (op) {
    case DECODE_ADD:
        TWO("add")
    case DECODE_SUB:
    case DECODE_CMPXCHG:
        TWO("sub")
    case DECODE_CMP:
        TWO("cmp")
    case DECODE_ADC:
        TWO("adc")
    case DECODE_SBB:
        TWO("sbb")
    case DECODE_AND:
        TWO("and")
    case DECODE_OR:
        TWO("or")
    case DECODE_XOR:
        TWO("xor")
    case DECODE_TEST:
        TWO("test")
    case DECODE_NOT:
        ONE("not")
    case DECODE_NEG:
        ONE("neg")
    case DECODE_INC:
        ONE("inc")
    case DECODE_DEC:
        ONE("dec")
    case DECODE_BT:
        BIT("bt")
    case DECODE_BTS:
        BIT("bts")
    case DECODE_BTR:
        BIT("btr")
    case DECODE_BTC:
        BIT("btc")
    default:
        fail();
    }
}

/* SDM, "Flags Affected": AF after logic is undefined, after BT.. all but CF (and ZF, which
 * stays). */
static uint64_t defined(enum decode_op op)
{
    switch (op) {
    case DECODE_AND:
    case DECODE_OR:
    case DECODE_XOR:
    case DECODE_TEST:
        return ARITHMETIC & ~RFLAGS_AF;
    case DECODE_BT:
    case DECODE_BTS:
    case DECODE_BTR:
    case DECODE_BTC:
        return RFLAGS_CF | RFLAGS_ZF;
    default:
        return ARITHMETIC;
    }
}

static uint64_t truncated(uint64_t v, unsigned size)
{
    return size == 8 ? v : v & ((1ul << 8 * size) - 1);
}

static void compare(enum decode_op op, uint64_t a, uint64_t b, unsigned size, uint64_t flags)
{
    uint64_t before = RFLAGS_FIXED | RFLAGS_IF | (flags & ARITHMETIC);
    uint64_t x = a, theirs = before, ours = before;
    uint64_t got = alu(op, a, b, size, &ours);

    native(op, &x, b, size, &theirs);
    if (got != truncated(x, size) || ((ours ^ theirs) & defined(op)))
        fail_msg("op %d size %u: %lx, %lx flags %lx: %lx %lx, CPU %lx %lx", op, size, a, b, before,
                 got, ours, truncated(x, size), theirs);
    assert_int_equal(ours & ~ARITHMETIC, before & ~ARITHMETIC); /* IF and the rest stay */
    if (op == DECODE_NOT)
        assert_int_equal(ours, before);
}

static uint64_t random64(void)
{
    return (uint64_t)(uint32_t)mrand48() << 32 | (uint32_t)mrand48();
}

static const uint64_t edges[] = { 0,
                                  1,
                                  2,
                                  0xf,
                                  0x10,
                                  0x7f,
                                  0x80,
                                  0xff,
                                  0x100,
                                  0x7fff,
                                  0x8000,
                                  0xffff,
                                  0x7fffffff,
                                  0x80000000,
                                  0xffffffff,
                                  0x100000000,
                                  0x7fffffffffffffff,
                                  0x8000000000000000,
                                  0xffffffffffffffff };
#define EDGES (sizeof(edges) / sizeof(edges[0]))

static void one_op(enum decode_op op, unsigned size)
{
    for (size_t i = 0; i < EDGES; i++)
        for (size_t j = 0; j < EDGES; j++) {
            compare(op, edges[i], edges[j], size, 0);
            compare(op, edges[i], edges[j], size, ARITHMETIC);
        }
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t a = random64(), b = random64();
        if (i % 4 == 0)
            b = a ^ (1ul << (random64() & 63)); /* nearly the same */
        compare(op, a, b, size, random64());
    }
}

static uint64_t absolute(__int128 v)
{
    return (uint64_t)(v < 0 ? -v : v);
}

/* By arithmetic that is wide enough. */
static void check_divide(uint64_t high, uint64_t low, uint64_t by, unsigned size, bool is_signed)
{
    unsigned bits = 8 * size, unused = 64 - bits;
    uint64_t value[2] = { low, high };
    unsigned __int128 all = (unsigned __int128)truncated(high, size) << bits | truncated(low, size);
    __int128 dividend = (__int128)(all << 2 * unused) >> 2 * unused;
    int64_t divisor = (int64_t)(by << unused) >> unused;
    __int128 limit = (__int128)1 << (bits - 1), most = (__int128)truncated(~0ul, size);
    bool fits = truncated(by, size) != 0, did;

    if (fits && is_signed &&
        !(divisor == -1 && dividend == (__int128)((unsigned __int128)1 << 127)))
        fits = dividend / divisor >= -limit && dividend / divisor < limit;
    else if (fits)
        fits = !is_signed && all / truncated(by, size) <= (unsigned __int128)most;
    did = alu_divide(value, by, size, is_signed);
    if (did != fits)
        fail_msg("size %u: %lx:%lx / %lx, signed %d: fits %d", size, high, low, by, is_signed,
                 fits);
    if (!fits) {
        assert_true(value[0] == low && value[1] == high);
        return;
    }
    if (is_signed) {
        assert_true(value[0] == truncated((uint64_t)(dividend / divisor), size));
        assert_true(value[1] == truncated((uint64_t)(dividend % divisor), size));
        assert_true(absolute(dividend % divisor) < absolute(divisor));
    } else {
        assert_true(value[0] == all / truncated(by, size) && value[1] == all % truncated(by, size));
    }
}

static void test_divide(void **state)
{
    (void)state;
    for (unsigned size = 1; size <= 8; size *= 2)
        for (size_t i = 0; i < EDGES; i++)
            for (size_t j = 0; j < EDGES; j++)
                for (size_t k = 0; k < EDGES; k++) {
                    check_divide(edges[i], edges[j], edges[k], size, false);
                    check_divide(edges[i], edges[j], edges[k], size, true);
                    check_divide(edges[i], random64(), edges[k] - edges[j], size, true);
                }
}

static void test_against_cpu(void **state)
{
    static const enum decode_op ops[] = { DECODE_ADC, DECODE_SBB, DECODE_ADD,  DECODE_SUB,
                                          DECODE_CMP, DECODE_AND, DECODE_OR,   DECODE_XOR,
                                          DECODE_NOT, DECODE_NEG, DECODE_INC,  DECODE_DEC,
                                          DECODE_BT,  DECODE_BTS, DECODE_TEST, DECODE_BTR,
                                          DECODE_BTC };

    (void)state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        for (unsigned size = ops[i] >= DECODE_BT && ops[i] <= DECODE_BTC ? 2 : 1; size <= 8;
             size *= 2)
            one_op(ops[i], size);
}

static void test_cmpxchg_flags(void **state)
{
    uint64_t flags = RFLAGS_FIXED;

    (void)state;
    for (unsigned size = 1; size <= 8; size *= 2)
        one_op(DECODE_CMPXCHG, size);
    alu(DECODE_CMPXCHG, 0x1234, 0x34, 1, &flags); /* equal in the width that counts */
    assert_true(flags & RFLAGS_ZF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_cpu),
        cmocka_unit_test(test_divide),
        cmocka_unit_test(test_cmpxchg_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
