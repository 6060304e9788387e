/* links: emulate/operand.c emulate/breakpoint.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/bus.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Widths, segments and accesses of emulated instructions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "emulate/emulator.h"
#include "emulate/operand.h"
#include "mm/frame.h"
#include "tests/fakes/bus.h"
#include "tests/fakes/guest.h"

#define EXPAND_DOWN 4u

static int setup(void **state)
{
    (void)state;
    guest_start();
    bus_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static void test_widths(void **state)
{
    const uint64_t old = 0x1122334455667788, new = 0xa1b2c3d4e5f60718;

    (void)state;
    assert_int_equal(operand_merge(old, new, 1), 0x1122334455667718);
    assert_int_equal(operand_merge(old, new, 2), 0x1122334455660718);
    assert_int_equal(operand_merge(old, new, 4), 0xe5f60718);
    assert_int_equal(operand_merge(old, new, 8), new);
    assert_int_equal(operand_truncate(new, 1), 0x18);
    assert_int_equal(operand_truncate(new, 2), 0x0718);
    assert_int_equal(operand_truncate(new, 4), 0xe5f60718);
    assert_int_equal(operand_truncate(new, 8), new);
    assert_int_equal(operand_sign_extend(0x80, 1), 0xffffffffffffff80);
    assert_int_equal(operand_sign_extend(0x17f, 1), 0x7f);
    assert_int_equal(operand_sign_extend(0x8000, 2), 0xffffffffffff8000);
    assert_int_equal(operand_sign_extend(0xe5f60718, 4), 0xffffffffe5f60718);
    assert_int_equal(operand_sign_extend(new, 8), new);
}

static uint64_t linear(enum seg s, uint64_t offset, unsigned size, bool write)
{
    gva_t at = { 0 };

    assert_int_equal(operand_linear(&guest_vcpu.emulator, s, offset, size, write, &at), 0);
    return at.v;
}

static void refused(enum seg s, uint64_t offset, unsigned size, bool write)
{
    gva_t at;

    guest_vcpu.emulator.vector = 0;
    assert_int_equal(operand_linear(&guest_vcpu.emulator, s, offset, size, write, &at), -EACCES);
    assert_int_equal(guest_vcpu.emulator.vector, s == SEG_SS ? VECTOR_SS : VECTOR_GP);
}

static void test_base_and_limit(void **state)
{
    (void)state;
    cpu()->seg[SEG_DS].base = 0x10000;
    cpu()->seg[SEG_DS].limit = 0xfff;
    assert_int_equal(linear(SEG_DS, 0xffc, 4, true), 0x10ffc);
    refused(SEG_DS, 0xffd, 4, true);
    refused(SEG_DS, 0x1000, 1, false);
    refused(SEG_DS, 0xffffffff, 4, false); /* does not go round */
    cpu()->seg[SEG_ES].base = 0xfffff000;
    assert_int_equal(linear(SEG_ES, 0x1234, 4, false), 0x234); /* 32-bit linear addresses do */
    cpu()->seg[SEG_SS].limit = 0xff;
    refused(SEG_SS, 0x100, 1, true);
}

static void test_expand_down(void **state)
{
    struct segment *s = &cpu()->seg[SEG_SS];

    (void)state;
    s->ar |= EXPAND_DOWN;
    s->limit = 0xfff;
    refused(SEG_SS, 0xfff, 1, true);
    refused(SEG_SS, 0, 1, true);
    assert_int_equal(linear(SEG_SS, 0x1000, 4, true), 0x1000);
    assert_int_equal(linear(SEG_SS, 0xfffffffc, 4, true), 0xfffffffc);
    refused(SEG_SS, 0xfffffffd, 4, true);
    s->ar &= ~SEG_AR_DB; /* 64 KiB then */
    assert_int_equal(linear(SEG_SS, 0xfffe, 2, true), 0xfffe);
    refused(SEG_SS, 0xffff, 2, true);
}

static void test_types(void **state)
{
    struct segment *s = &cpu()->seg[SEG_DS];
    uint32_t rest = s->ar & ~0xfu;

    (void)state;
    for (unsigned type = 0; type < 16; type++) {
        bool code = type & 8, bit1 = type & 2;
        s->ar = rest | type;
        s->limit = type & 4 && !code ? 0 : ~0u; /* expand-down: all but the first byte */
        if (!code || bit1)
            linear(SEG_DS, 0x100, 4, false);
        else
            refused(SEG_DS, 0x100, 4, false);
        if (!code && bit1)
            linear(SEG_DS, 0x100, 4, true);
        else
            refused(SEG_DS, 0x100, 4, true);
    }
    s->ar = rest | 3 | SEG_AR_UNUSABLE;
    refused(SEG_DS, 0x100, 4, false);
}

static void test_64bit(void **state)
{
    (void)state;
    guest_mode(DECODE_64);
    cpu()->seg[SEG_DS] = (struct segment){ .base = 0x5000, .ar = SEG_AR_UNUSABLE };
    cpu()->seg[SEG_FS].base = 0xffff888000000000;
    cpu()->seg[SEG_GS].base = 0x7000;
    assert_int_equal(linear(SEG_DS, 0x1234, 8, true), 0x1234); /* neither base nor limit nor type */
    assert_int_equal(linear(SEG_FS, 0x1234, 8, true), 0xffff888000001234);
    assert_int_equal(linear(SEG_GS, -0x1000ul, 8, true), 0x6000);
    assert_int_equal(linear(SEG_DS, 0x7ffffffffff8, 8, false), 0x7ffffffffff8);
    assert_int_equal(linear(SEG_DS, 0xffff800000000000, 1, false), 0xffff800000000000);
    refused(SEG_DS, 0x800000000000, 1, false);
    refused(SEG_SS, 0xffff7fffffffffff, 1, false);
    refused(SEG_DS, 0x7ffffffffff9, 8, false); /* begins well, ends beyond */
}

static int access(uint64_t at, uint64_t *value, unsigned size, bool write)
{
    return operand_access(&guest_vcpu.emulator, gva(at), value, size, write);
}

static void test_access_ram_and_device(void **state)
{
    uint64_t value = 0x1122334455667788;

    (void)state;
    guest_mode(DECODE_64);
    assert_int_equal(access(0x5ffe, &value, 4, true), 0); /* across pages */
    assert_int_equal(guest_read64(0x5ffe), 0x55667788);
    value = 0;
    assert_int_equal(access(0x5ffe, &value, 2, false), 0);
    assert_int_equal(value, 0x7788);
    assert_int_equal(bus_count, 0);
    bus_register = 0xcafe;
    assert_int_equal(access(0xfec00010, &value, 4, false), 0);
    assert_int_equal(value, 0xcafe);
    value = 0x77;
    assert_int_equal(access(0xfec00020, &value, 2, true), 0);
    assert_int_equal(bus_count, 2);
    assert_int_equal(bus_log[1].at, 0xfec00020);
    assert_int_equal(bus_log[1].value, 0x77);
    assert_int_equal(bus_log[1].size, 2);
}

static void test_access_privilege(void **state)
{
    uint64_t value = 0;

    (void)state;
    guest_mode(DECODE_64);
    guest_write64(0x2000, 0x83); /* the first GiB is the supervisor's */
    assert_int_equal(access(0x5000, &value, 4, true), 0);
    guest_cpl(3);
    assert_int_equal(access(0x5000, &value, 4, true), -EFAULT);
    assert_int_equal(guest_vcpu.space.fault.error, GVA_PRESENT | GVA_WRITE | GVA_USER);
    assert_int_equal(access(0x5000, &value, 4, false), -EFAULT);
    assert_int_equal(guest_vcpu.space.fault.error, GVA_PRESENT | GVA_USER);
    guest_cpl(1);
    assert_int_equal(access(0x5000, &value, 4, true), 0);
}

/* Code of 32 bits under a 64-bit kernel: its operand's end is at 0, not at 4 GiB. */
static void test_round_4_gib(void **state)
{
    uint64_t value = 0x1122334455667788;

    (void)state;
    guest_mode(DECODE_64);
    cpu()->seg[SEG_CS].ar ^= SEG_AR_L | SEG_AR_DB;
    guest_write64(0x2018, 0x6000 | 7); /* the last page below 4 GiB is at 0x8000 */
    guest_write64(0x6ff8, 0x7000 | 7);
    guest_write64(0x7ff8, 0x8000 | 7);
    assert_int_equal(access(0xfffffffc, &value, 8, true), 0);
    assert_int_equal(guest_read64(0), 0x11223344);
    assert_int_equal(guest_read64(0x8ff8) >> 32, 0x55667788);
}

static void test_no_memory(void **state)
{
    uint64_t value = 0;

    (void)state;
    frame_fail_nth(1);
    assert_int_equal(access(0x5000, &value, 4, true), -ENOMEM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_widths),
        TEST(test_base_and_limit),
        TEST(test_expand_down),
        TEST(test_types),
        TEST(test_64bit),
        TEST(test_access_privilege),
        TEST(test_access_ram_and_device),
        TEST(test_round_4_gib),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
