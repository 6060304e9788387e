/* links: loader/memmap.c tests/fakes/panic.c */
/*
 * loader/memmap.c: the PC's map for small, middling and large guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "loader/memmap.h"

static struct memmap m;

static uint64_t backed_bytes(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < m.backed_count; i++)
        sum += m.backed[i].size;
    return sum;
}

/* What must hold of every map. */
static void check(uint64_t ram)
{
    assert_int_equal(memmap_build(&m, ram), 0);
    for (unsigned i = 1; i < m.e820_count; i++)
        assert_true(m.e820[i - 1].start + m.e820[i - 1].size <= m.e820[i].start);
    assert_int_equal(backed_bytes(), ram - (MEMMAP_BIOS - MEMMAP_LOW_END));
    assert_true(memmap_is_ram(m.e820, m.e820_count, 0, 0x9FC00));
    assert_false(memmap_is_ram(m.e820, m.e820_count, 0, 0x9FC01));
    assert_false(memmap_is_ram(m.e820, m.e820_count, MEMMAP_ACPI, 1));
    assert_false(memmap_is_ram(m.e820, m.e820_count, m.low_end, 1));
    assert_false(memmap_is_ram(m.e820, m.e820_count, 0x100000, 0));
    assert_false(memmap_is_ram(m.e820, m.e820_count, 0x100000, UINT64_MAX));
    assert_false(memmap_is_ram(m.e820, m.e820_count, UINT64_MAX, 2));
    assert_true(memmap_is_ram(m.e820, m.e820_count, 0x100000, m.low_end - 0x100000));
    assert_true(m.low_end <= MEMMAP_HOLE);
}

static void test_sizes(void **state)
{
    (void)state;
    check(2UL << 20);
    check(130UL << 20);
    check(256UL << 20);
    assert_int_equal(m.low_end, 256 << 20);
    check(MEMMAP_HOLE);
    assert_int_equal(m.backed_count, 2);
    check(MEMMAP_HOLE + PAGE_SIZE);
    assert_int_equal(m.backed_count, 3);
    assert_true(memmap_is_ram(m.e820, m.e820_count, MEMMAP_HIGH, PAGE_SIZE));
    assert_false(memmap_is_ram(m.e820, m.e820_count, MEMMAP_HIGH, PAGE_SIZE + 1));
    check(3073UL << 20);
    assert_true(memmap_is_ram(m.e820, m.e820_count, MEMMAP_HIGH, 1 << 20));
    check(MEMMAP_MAX_BYTES);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_int_equal(memmap_build(&m, 0), -EINVAL);
    assert_int_equal(memmap_build(&m, MEMMAP_MIN_BYTES - PAGE_SIZE), -EINVAL);
    assert_int_equal(memmap_build(&m, MEMMAP_MAX_BYTES + PAGE_SIZE), -EINVAL);
    assert_int_equal(memmap_build(&m, UINT64_MAX), -EINVAL);
    assert_int_equal(memmap_build(&m, (64 << 20) + 1), -EINVAL);
}

/* Its own firmware: all from 0 on, and so much below 4 GiB. */
static void test_firmware(void **state)
{
    (void)state;
    assert_int_equal(memmap_build(&m, 64 << 20), 0);
    memmap_add_firmware(&m, 0); /* an empty file, which is refused elsewhere */
    memmap_add_firmware(&m, 0x40000);
    assert_int_equal(m.backed_count, 2);
    assert_int_equal(m.backed[0].start.v, 0);
    assert_int_equal(m.backed[0].size, 64 << 20);
    assert_int_equal(m.backed[1].start.v, 0xFFFC0000);
    assert_int_equal(m.backed[1].size, 0x40000);
    assert_int_equal(memmap_build(&m, 5UL << 30), 0);
    memmap_add_firmware(&m, 16 << 20);
    assert_int_equal(m.backed_count, 3);
    assert_int_equal(m.backed[1].start.v, 0xFF000000);
    assert_true(m.backed[2].start.v == MEMMAP_HIGH);
    assert_int_equal(m.backed[2].size, 2UL << 30);
}

/* A frame in the hole below 4 GiB, in its place among the others. */
static void test_back_page(void **state)
{
    (void)state;
    assert_int_equal(memmap_build(&m, 64 << 20), 0);
    memmap_back_page(&m, 0xFEFFC000);
    assert_int_equal(m.backed_count, 3);
    assert_int_equal(m.backed[2].start.v, 0xFEFFC000);
    assert_int_equal(m.backed[2].size, PAGE_SIZE);
    assert_int_equal(memmap_build(&m, 5UL << 30), 0);
    memmap_back_page(&m, 0xFEFFC000);
    assert_int_equal(m.backed_count, 4);
    assert_int_equal(m.backed[2].start.v, 0xFEFFC000);
    assert_true(m.backed[3].start.v == MEMMAP_HIGH);
    assert_false(memmap_is_ram(m.e820, m.e820_count, 0xFEFFC000, PAGE_SIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_firmware),
        cmocka_unit_test(test_back_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
