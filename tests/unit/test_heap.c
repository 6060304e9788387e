/* clang-format off */
/* links: mm/heap.c mm/aspace.c mm/frame.c mm/account.c mm/frame_map.c mm/block.c mm/buddy.c mm/fill_debug.c lib/bitmap.c tests/fakes/window.c tests/fakes/machine.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * The heap, on real page tables (that the host does not use) and a pretended machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "mm/aspace.h"
#include "mm/fill.h"
#include "mm/frame_table.h"
#include "mm/heap.h"
#include "tests/fakes/machine.h"
#include "tests/fakes/panic.h"
#include "tests/fakes/window.h"

static void set_up_with(uint64_t size)
{
    const struct mem_region whole = { { MACHINE_BASE }, size, MEM_USABLE };
    struct frame_table t;

    fake_machine_map();
    frame_fail_nth(0);
    assert_int_equal(frame_init(&whole, 1, NULL, 0), 0);
    t = frame_table_place();
    fake_machine_alias(FRAMES_BASE, t.start.v, t.bytes);
    assert_int_equal(aspace_init(&fake_machine_image), 0);
}

static int set_up(void **state)
{
    (void)state;
    set_up_with(MACHINE_SIZE);
    return 0;
}

static bool is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

static void test_pages(void **state)
{
    uint64_t before = frame_count(OWNER_FREE);
    unsigned char *p, *q;

    (void)state;
    assert_int_equal(frame_available(), before);
    p = heap_pages(1, 5);
    q = heap_pages(0, 6);
    assert_non_null(p);
    assert_non_null(q);
    assert_true(is_zero(p, 2 * PAGE_SIZE));
    assert_int_equal((uintptr_t)p % (2 * PAGE_SIZE), 0);
    assert_int_equal(frame_count(5), 2);
    assert_int_equal(frame_count(6), 1);
    assert_ptr_equal(heap_from_maddr(heap_to_maddr(p)), p);
    memset(p, 0x55, 2 * PAGE_SIZE);
    heap_free_pages(p, 1, 5);
    assert_int_equal(p[100], FILL_FREED);
    p = heap_pages(1, OWNER_CAISSON);
    assert_true(is_zero(p, 2 * PAGE_SIZE));
    heap_free_pages(p + PAGE_SIZE, 0, OWNER_CAISSON); /* a piece alone */
    heap_free_pages(p, 0, OWNER_CAISSON);
    EXPECT_PANIC(heap_free_pages(q, 0, 5));
    heap_free_pages(q, 0, 6);
    EXPECT_PANIC(heap_free_pages(q, 0, 6));
    EXPECT_PANIC(heap_to_maddr(&before));
    assert_int_equal(frame_count(OWNER_FREE), before); /* not even a table was needed */
    assert_int_equal(frame_available(), before - (1UL << ORDER_2M)); /* the heap keeps its own */
}

static void test_pages_large(void **state)
{
    unsigned char *p = heap_pages(10, 1);

    (void)state;
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % (4UL << 20), 0);
    p[(4UL << 20) - 1] = 1;
    heap_free_pages(p, 10, 1);
}

/* Until nothing is left, with the domains' zone in shreds; and all of it back. */
static void test_pages_exhaustion(void **state)
{
    static void *taken[4096];
    unsigned count = 0;
    uint64_t before, tables;
    mfn_t m;

    (void)state;
    set_up_with(8UL << 20);
    while (frame_take(ZONE_DOMAIN, 0, 9, &m))
        ;
    for (uint64_t n = MACHINE_BASE >> PAGE_SHIFT; n < frame_table_size(); n += 3) {
        if (frame_owner(mfn(n)) == 9)
            frame_give(ZONE_DOMAIN, mfn(n), 0, 9);
    }
    before = frame_count(OWNER_FREE);
    tables = frame_count(OWNER_CAISSON);
    while ((taken[count] = heap_pages(0, 1)))
        count++;
    assert_int_equal(frame_count(1), count);
    tables = frame_count(OWNER_CAISSON) - tables;
    assert_true(tables > 0 && tables <= 4); /* a page table for each 2 MiB */
    assert_int_equal(frame_count(OWNER_FREE), 0);
    assert_int_equal(count + tables, before);
    while (count)
        heap_free_pages(taken[--count], 0, 1);
    assert_int_equal(frame_count(OWNER_FREE), before - tables);
    assert_int_equal(fake_windows_open, 0);
    assert_true(aspace_check() > 0);
}

static void test_pages_fail_nth(void **state)
{
    void *p;

    (void)state;
    frame_fail_nth(2);
    p = heap_pages(0, 1);
    assert_non_null(p);
    assert_null(heap_pages(0, 1));
    heap_free_pages(p, 0, 1);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages),
        TEST(test_pages_large),
        TEST(test_pages_exhaustion),
        TEST(test_pages_fail_nth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
