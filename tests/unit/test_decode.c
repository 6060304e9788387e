/* links: decode/decode.c decode/decode_form.c tests/fakes/decode_oracle.c tests/fakes/panic.c libs: -lZydis */
/*
 * decode/decode.c: forms that kernels are known to use, every opcode with every ModR/M byte, and
 * many random encodings, all compared with Zydis.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "decode/decode.h"
#include "tests/fakes/decode_oracle.h"

#define ROUNDS 500000

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (uint32_t)((seed >> 33) % below);
}

static bool compare(const uint8_t *bytes, unsigned count, enum decode_mode mode)
{
    bool accepted;
    const char *what = decode_oracle(bytes, count, mode, &accepted);
    if (what) {
        fprintf(stderr, "mode %d, %u bytes:", mode, count);
        for (unsigned i = 0; i < count; i++)
            fprintf(stderr, " %02x", bytes[i]);
        fprintf(stderr, ": %s\n", what);
    }
    assert_null(what);
    return accepted;
}

/* Prefixes of all kinds in any order, then an opcode, most often one of ours. */
static unsigned make(uint8_t *bytes, enum decode_mode mode)
{
    static const uint8_t prefixes[] = { 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65,
                                        0x66, 0x67, 0xF0, 0xF2, 0xF3 };
    static const uint8_t two[] = { 0xB0, 0xB1, 0xB6, 0xB7, 0xBA, 0xBE, 0xBF, 0xA3, 0xAB, 0xC7,
                                   0x10, 0x11, 0x12, 0x13, 0x16, 0x17, 0x28, 0x29, 0x2B, 0x6E,
                                   0x6F, 0x7E, 0x7F, 0xAE, 0xC3, 0xD6, 0xE7, 0xF0, 0x38 };
    unsigned n = 0;

    for (unsigned many = draw(4) ? draw(3) : draw(15); many; many--)
        bytes[n++] = prefixes[draw(sizeof(prefixes))];
    if (mode == DECODE_64 && n < 15 && draw(2))
        bytes[n++] = (uint8_t)(0x40 + draw(16));
    if (n < 14 && draw(3) == 0) {
        bytes[n++] = 0x0F;
        bytes[n++] = draw(4) ? two[draw(sizeof(two))] : (uint8_t)draw(256);
    }
    if (n < 13 && draw(8) == 0) /* VEX, or LES and LDS */
        bytes[n++] = draw(2) ? 0xC4 : 0xC5;
    while (n < 15)
        bytes[n++] = (uint8_t)draw(256);
    return draw(8) ? 15 : draw(15);
}

static void test_random(void **state)
{
    (void)state;
    for (enum decode_mode mode = DECODE_16; mode <= DECODE_64; mode++) {
        unsigned accepted = 0;
        seed = 20 + mode;
        for (unsigned i = 0; i < ROUNDS; i++) {
            uint8_t bytes[15];
            unsigned count = make(bytes, mode);
            accepted += compare(bytes, count, mode);
        }
        assert_true(accepted > ROUNDS / 10);
    }
}

/* Each prefix set that matters, each opcode of both maps, each ModR/M byte. */
static void test_every_opcode(void **state)
{
    static const char *const starts[] = { "",         "\x66",         "\x67",        "\x48",
                                          "\x66\x44", "\xF0",         "\x64\x4F",    "\xF3",
                                          "\xF2",     "\xC5\xF8",     "\xC5\xFD",    "\xC5\x7A",
                                          "\xC5\xFF", "\xC4\xC1\xF9", "\xC4\xE2\x7D" };
    (void)state;
    for (enum decode_mode mode = DECODE_16; mode <= DECODE_64; mode++) {
        for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]) * 2 * 65536; i++) {
            const char *start = starts[i >> 17];
            uint8_t bytes[15] = { 0 };
            unsigned n = (unsigned)strlen(start);
            memcpy(bytes, start, n);
            if (i & 0x10000)
                bytes[n++] = 0x0F;
            bytes[n++] = (uint8_t)(i >> 8);
            bytes[n++] = (uint8_t)i;
            memset(bytes + n, (int)(0x80 + (i & 0x7F)), sizeof(bytes) - n);
            compare(bytes, sizeof(bytes), mode);
        }
    }
}

/* All of Zydis's instructions with an operand in memory: each is carried out, or named as left out
 * in docs/guests.md. */
static void test_nothing_forgotten(void **state)
{
    static const char *const starts[] = { "",     "\x66",     "\xF3",     "\xF2",
                                          "\x48", "\x66\x48", "\xF3\x48", "\xF2\x48" };
    static const char *const maps[] = { "", "\x0F", "\x0F\x38", "\x0F\x3A" };

    (void)state;
    for (unsigned i = 0; i < 3 * 8 * 4 * 65536; i++) {
        enum decode_mode mode = (enum decode_mode)(i % 3);
        const char *start = starts[i / 3 % 8], *map = maps[i / 24 % 4];
        size_t n = strlen(start), m = strlen(map);
        uint8_t bytes[15] = { 0 };

        memcpy(bytes, start, n);
        memcpy(bytes + n, map, m);
        bytes[n + m] = (uint8_t)(i / 96);
        bytes[n + m + 1] = (uint8_t)(i / 96 >> 8);
        const char *name = decode_forgotten(bytes, sizeof(bytes), mode);
        if (name)
            fail_msg("mode %d, %02x %02x behind %u bytes: %s", mode, bytes[n + m], bytes[n + m + 1],
                     (unsigned)(n + m), name);
    }
}

static void expect(enum decode_mode mode, const char *bytes, unsigned count, struct decode want)
{
    struct decode d;
    assert_int_equal(decode_insn((const uint8_t *)bytes, count, mode, &d), 0);
    assert_int_equal(d.length, count);
    assert_int_equal(d.op, want.op);
    assert_int_equal(d.size, want.size);
    assert_int_equal(d.reg, want.reg);
    assert_int_equal(d.base, want.base);
    assert_int_equal(d.displacement, want.displacement);
    assert_int_equal(d.has_immediate, want.has_immediate);
    assert_int_equal(d.immediate, want.immediate);
    compare((const uint8_t *)bytes, count, mode);
}

/* What Linux's and small kernels' APIC accessors compile to. */
static void test_real_forms(void **state)
{
    (void)state;
    /* mov eax, [0xFFFFFFFFFF5FB020] */
    expect(DECODE_64, "\x8B\x04\x25\x20\xB0\x5F\xFF", 7,
           (struct decode){ .size = 4, .reg = 0, .base = -1, .displacement = -0xA04FE0 });
    /* mov [rdi - 0xA05000], esi */
    expect(DECODE_64, "\x89\xB7\x00\xB0\x5F\xFF", 6,
           (struct decode){
               .op = DECODE_STORE, .size = 4, .reg = 6, .base = 7, .displacement = -0xA05000 });
    /* mov dword [rax + 0xB0], 0 */
    expect(DECODE_64, "\xC7\x80\xB0\x00\x00\x00\x00\x00\x00\x00", 10,
           (struct decode){ .op = DECODE_STORE,
                            .size = 4,
                            .reg = -1,
                            .base = 0,
                            .displacement = 0xB0,
                            .has_immediate = true });
    /* mov [0xFEE000B0], eax */
    expect(DECODE_32, "\xA3\xB0\x00\xE0\xFE", 5,
           (struct decode){ .op = DECODE_STORE,
                            .size = 4,
                            .reg = 0,
                            .base = -1,
                            .displacement = (int32_t)0xFEE000B0 });
    /* or dword [ecx + 0xF0], 0x100 */
    expect(DECODE_32, "\x81\x89\xF0\x00\x00\x00\x00\x01\x00\x00", 10,
           (struct decode){ .op = DECODE_OR,
                            .size = 4,
                            .reg = -1,
                            .base = 1,
                            .displacement = 0xF0,
                            .has_immediate = true,
                            .immediate = 0x100 });
}

static int result(const char *bytes, unsigned count, enum decode_mode mode)
{
    struct decode d;
    return decode_insn((const uint8_t *)bytes, count, mode, &d);
}

static void test_malformed(void **state)
{
    (void)state;
    assert_int_equal(result("", 0, DECODE_64), -ENODATA);
    assert_int_equal(result("\x66", 1, DECODE_64), -ENODATA);
    assert_int_equal(result("\x0F", 1, DECODE_64), -ENODATA);
    assert_int_equal(result("\x8B\x04", 2, DECODE_64), -ENODATA);
    assert_int_equal(result("\xC7\x00\x01\x02\x03", 5, DECODE_64), -ENODATA);
    assert_int_equal(result("\x0F\x0B", 2, DECODE_64), -EOPNOTSUPP); /* UD2 */
    assert_int_equal(result("\x8B\xC1", 2, DECODE_64), -EOPNOTSUPP); /* no memory */
    assert_int_equal(result("\x63\x01", 2, DECODE_32), -EOPNOTSUPP); /* ARPL */
    assert_int_equal(result("\xF0\x8B\x01", 3, DECODE_64), -EINVAL); /* LOCK MOV */
    assert_int_equal(result("\xF0\x03\x01", 3, DECODE_64), -EINVAL); /* LOCK ADD reg, mem */
    assert_int_equal(
        result("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66", 16, DECODE_64),
        -EINVAL);
}

/* A bit number beyond the operand selects within it. */
static void test_bit_number(void **state)
{
    struct decode d;
    (void)state;
    assert_int_equal(decode_insn((const uint8_t *)"\x0F\xBA\x28\x2C", 4, DECODE_64, &d), 0);
    assert_int_equal(d.op, DECODE_BTS);
    assert_int_equal(d.immediate, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_forms),        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bit_number),        cmocka_unit_test(test_every_opcode),
        cmocka_unit_test(test_nothing_forgotten), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
