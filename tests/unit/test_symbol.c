/* links: arch/x86/symbol.c */
/*
 * arch/x86/symbol.c with a table as tools/symbols makes it, of a text that is nowhere else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "arch/x86/symbol.h"

asm(".pushsection .rodata\n"
    ".globl text_start, text_end, symbol_start, symbol_end\n"
    "text_start: .skip 0x1234\n"
    "text_end:\n"
    "symbol_start:\n"
    /* 0x80 is "fr", 0x81 "me", 0x82 "ame" */
    ".ascii \"fr\", \"me\", \"a\\201\"\n .skip 256 - 6\n"
    ".byte 0, 0\n .ascii \"text_start\"\n"
    ".byte 0, 0x10\n .ascii \"\\200\\202_take\"\n"
    ".byte 6, 0x20\n .ascii \"release\"\n"
    ".byte 5, 0x80, 0x20\n"
    ".byte 5, 0x81, 0x01\n .ascii \"_end\"\n"
    "symbol_end:\n"
    ".popsection\n");

extern const uint8_t text_start[], text_end[];

static void expect(unsigned at, const char *name, unsigned offset)
{
    char found[SYMBOL_NAME];
    uint64_t from = 0;

    assert_true(symbol_find((uint64_t)text_start + at, found, &from));
    assert_string_equal(found, name);
    assert_int_equal(from, offset);
}

static void test_names(void **state)
{
    (void)state;
    expect(0, "text_start", 0);
    expect(0xF, "text_start", 0xF);
    expect(0x10, "frame_take", 0);
    expect(0x2F, "frame_take", 0x1F);
    expect(0x30, "frame_release", 0);
    expect(0x102F, "frame_release", 0xFFF);
    expect(0x1030, "frame", 0);
    expect(0x10B0, "frame", 0x80);
    expect(0x10B1, "frame_end", 0);
    expect(0x1233, "frame_end", 0x182);
}

static void test_outside(void **state)
{
    char found[SYMBOL_NAME];
    uint64_t from;

    (void)state;
    assert_false(symbol_find((uint64_t)text_start - 1, found, &from));
    assert_false(symbol_find((uint64_t)text_end, found, &from));
    assert_false(symbol_find(0, found, &from));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
