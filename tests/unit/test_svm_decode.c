/* links: svm/decode.c */
/*
 * svm/decode.c: the instructions that exit, with every prefix that an assembler may put before
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "svm/decode.h"
#include "virt/virt.h"

struct form {
    uint8_t bytes[DECODE_BYTES];
    unsigned count, size;
    struct decoded want;
};

static void test_forms(void **state)
{
    static const struct form forms[] = {
        /* MOV CR4, RAX; MOV R9, CR0; MOV CR8, R15 */
        { { 0x0F, 0x22, 0xE0 }, 3, 8, { .length = 3, .opcode = 0x0F22, .reg = 4, .rm = 0 } },
        { { 0x41, 0x0F, 0x20, 0xC1 }, 4, 8, { .length = 4, .opcode = 0x0F20, .reg = 0, .rm = 9 } },
        { { 0x45, 0x0F, 0x22, 0xC7 }, 4, 8, { .length = 4, .opcode = 0x0F22, .reg = 8, .rm = 15 } },
        /* in 32-bit code 0x41 is INC ECX */
        { { 0x0F, 0x22, 0xE3 }, 3, 4, { .length = 3, .opcode = 0x0F22, .reg = 4, .rm = 3 } },
        { { 0x41, 0x0F, 0x20, 0xC1 }, 4, 4, { .length = 1, .opcode = 0x41 } },
        /* whatever mod says */
        { { 0x0F, 0x22, 0x25 }, 3, 8, { .length = 3, .opcode = 0x0F22, .reg = 4, .rm = 5 } },
        { { 0x66, 0xF3, 0x0F, 0xA2 }, 4, 8, { .length = 4, .opcode = 0x0FA2 } }, /* CPUID */
        { { 0xF4 }, 1, 2, { .length = 1, .opcode = 0xF4 } },
        { { 0x0F, 0x01, 0xC1 }, 3, 8, { .length = 3, .opcode = 0x0F01, .reg = 0, .rm = 1 } },
        { { 0x0F, 0x01, 0xF0 }, 3, 2, { .length = 3, .opcode = 0x0F01, .reg = 6, .rm = 0 } },
        { { 0x0F, 0x01, 0x30 }, 3, 4, { .length = 0, .opcode = 0x0F01, .reg = 6, .rm = 0 } },
        { { 0xE4, 0x60 }, 2, 4, { .length = 2, .opcode = 0xE4 } },
        /* REX counts right before the opcode only, and the last one of two */
        { { 0x41, 0x66, 0x0F, 0x20, 0xC1 },
          5,
          8,
          { .length = 5, .opcode = 0x0F20, .reg = 0, .rm = 1 } },
        { { 0x44, 0x41, 0x0F, 0x20, 0xC1 },
          5,
          8,
          { .length = 5, .opcode = 0x0F20, .reg = 0, .rm = 9 } },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct decoded d = decode_exiting(forms[i].bytes, forms[i].count, forms[i].size);
        assert_int_equal(d.length, forms[i].want.length);
        assert_int_equal(d.opcode, forms[i].want.opcode);
        assert_int_equal(d.reg, forms[i].want.reg);
        assert_int_equal(d.rm, forms[i].want.rm);
    }
}

/* Address size and segment of OUTS. */
static void test_strings(void **state)
{
    static const struct {
        uint8_t bytes[4];
        unsigned count, size, addr_size, length;
        enum seg segment;
    } rows[] = {
        { { 0x6E }, 1, 8, 8, 1, SEG_DS },
        { { 0x67, 0x6E }, 2, 8, 4, 2, SEG_DS },
        { { 0xF3, 0x64, 0x6F }, 3, 8, 8, 3, SEG_FS },
        { { 0x2E, 0x6F }, 2, 8, 8, 2, SEG_DS },
        { { 0x2E, 0x6F }, 2, 4, 4, 2, SEG_CS },
        { { 0x67, 0x36, 0x6E }, 3, 4, 2, 3, SEG_SS },
        { { 0x67, 0x26, 0x6E }, 3, 2, 4, 3, SEG_ES },
        { { 0x48, 0xF3, 0x64, 0x6F }, 4, 8, 8, 4, SEG_FS },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct decoded d = decode_exiting(rows[i].bytes, rows[i].count, rows[i].size);
        assert_int_equal(d.length, rows[i].length);
        assert_int_equal(d.addr_size, rows[i].addr_size);
        assert_int_equal(d.segment, rows[i].segment);
    }
}

/* What leads to another task, in 16- and 32-bit code: its length, and what it is taken for. */
static void test_tasks(void **state)
{
    static const struct {
        uint8_t bytes[12];
        unsigned count, size, length;
        bool far, interrupt;
    } rows[] = {
        { { 0xEA, 0, 0, 0, 0, 0x30, 0 }, 7, 4, 7, true, false }, /* JMP 0x30:0 */
        { { 0x66, 0xEA, 0, 0, 0x30, 0 }, 6, 4, 6, true, false },
        { { 0x9A, 0, 0, 0x30, 0 }, 5, 2, 5, true, false }, /* CALL */
        { { 0x66, 0x9A, 0, 0, 0, 0, 0x30, 0 }, 8, 2, 8, true, false },
        { { 0xCF }, 1, 4, 1, true, false }, /* IRET */
        { { 0xCD, 0x80 }, 2, 4, 2, false, true },
        { { 0xCC }, 1, 4, 1, false, true },
        { { 0xCE }, 1, 4, 1, false, true },
        { { 0xF4 }, 1, 4, 1, false, false },
        { { 0xFF, 0x18 }, 2, 4, 2, true, false },                   /* CALL FAR [EAX] */
        { { 0x2E, 0xFF, 0x2D, 1, 2, 3, 4 }, 7, 4, 7, true, false }, /* JMP FAR [moffs] */
        { { 0xFF, 0x58, 4 }, 3, 4, 3, true, false },                /* [EAX+4] */
        { { 0xFF, 0x9B, 1, 2, 3, 4 }, 6, 4, 6, true, false },       /* [EBX+disp32] */
        { { 0xFF, 0x1C, 0x24 }, 3, 4, 3, true, false },             /* [ESP] */
        { { 0xFF, 0x5C, 0x24, 8 }, 4, 4, 4, true, false },          /* [ESP+8] */
        { { 0xFF, 0x1C, 0x8D, 1, 2, 3, 4 }, 7, 4, 7, true, false }, /* [ECX*4+disp32] */
        { { 0xFF, 0x1F }, 2, 2, 2, true, false },                   /* [BX] */
        { { 0xFF, 0x1E, 1, 2 }, 4, 2, 4, true, false },             /* [moffs] */
        { { 0xFF, 0x5E, 1 }, 3, 2, 3, true, false },                /* [BP+1] */
        { { 0xFF, 0x9F, 1, 2 }, 4, 2, 4, true, false },             /* [BX+disp16] */
        { { 0x67, 0xFF, 0x1F }, 3, 4, 3, true, false },             /* [BX] */
        { { 0xFF, 0x10 }, 2, 4, 2, false, false },                  /* near CALL [EAX] */
        { { 0xFF, 0xD8 }, 2, 4, 2, false, false },                  /* no far register */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct decoded d = decode_exiting(rows[i].bytes, rows[i].count, rows[i].size);
        assert_int_equal(d.length, rows[i].length);
        assert_int_equal(decode_is_far(&d), rows[i].far);
        assert_int_equal(decode_is_int(&d), rows[i].interrupt);
        for (unsigned n = 0; n < rows[i].count; n++)
            assert_true(decode_exiting(rows[i].bytes, n, rows[i].size).length <= n);
    }
}

/* Cut short anywhere, or nothing but prefixes: no length beyond what was given. */
static void test_cut_short(void **state)
{
    const uint8_t mov[] = { 0x66, 0x45, 0x0F, 0x22, 0xC7 };
    uint8_t prefixes[DECODE_BYTES];

    (void)state;
    for (unsigned n = 0; n < sizeof(mov); n++)
        assert_true(decode_exiting(mov, n, 8).length <= n);
    assert_int_equal(decode_exiting(mov, 4, 8).length, 0);
    memset(prefixes, 0x66, sizeof(prefixes));
    assert_true(decode_exiting(prefixes, sizeof(prefixes), 8).length <= DECODE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
