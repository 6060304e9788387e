/* clang-format off */
/* links: mm/promise.c mm/audit_debug.c mm/heap.c mm/aspace.c mm/frame.c mm/account.c mm/frame_map.c mm/block.c mm/buddy.c mm/fill_debug.c lib/bitmap.c lib/fmt.c tests/fakes/window.c tests/fakes/machine.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Promises of memory: whatever one domain does, another gets what it was promised, and nobody more
 * than that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "mm/aspace.h"
#include "mm/audit.h"
#include "mm/frame_table.h"
#include "mm/heap.h"
#include "mm/promise.h"
#include "tests/fakes/machine.h"
#include "tests/fakes/panic.h"

#define A 1
#define B 2

static int set_up(void **state)
{
    const struct mem_region whole = { { MACHINE_BASE }, MACHINE_SIZE, MEM_USABLE };
    struct frame_table t;

    (void)state;
    fake_machine_map();
    frame_fail_nth(0);
    assert_int_equal(frame_init(&whole, 1, NULL, 0), 0);
    t = frame_table_place();
    fake_machine_alias(FRAMES_BASE, t.start.v, t.bytes);
    assert_int_equal(aspace_init(&fake_machine_image), 0);
    return 0;
}

static int promise(uint16_t owner, uint64_t ram, uint64_t heap)
{
    return promise_make(owner, (struct promise){ ram, heap });
}

/* How many frames, or pages of the heap, owner gets until there is an error. */
static uint64_t take_ram(uint16_t owner)
{
    uint64_t n = 0;
    mfn_t m;

    while (frame_alloc(ORDER_4K, owner, &m) == 0)
        n++;
    return n;
}

static uint64_t take_heap(uint16_t owner)
{
    uint64_t n = 0;

    while (heap_pages(0, owner))
        n++;
    return n;
}

static void test_all_and_no_more(void **state)
{
    uint64_t free = frame_available();

    (void)state;
    assert_int_equal(promise(A, 3000, 700), 0);
    assert_int_equal(promise(B, 2000, 100), 0);
    assert_true(frame_available() <= free - 5000 - 800 + 512); /* the heap grew by 2 MiB each */
    assert_int_equal(take_ram(B), 2000);
    assert_int_equal(take_heap(B), 100);
    assert_true(take_heap(OWNER_CAISSON) > 0 && take_ram(OWNER_CAISSON) == 0);
    assert_int_equal(frame_available(), 0);
    assert_int_equal(take_heap(A), 700);
    assert_int_equal(take_ram(A), 3000);
    assert_int_equal(frame_count(OWNER_FREE), 0);
}

static void test_too_much_is_refused(void **state)
{
    uint64_t free = frame_available(), all = frame_count(OWNER_FREE);

    (void)state;
    assert_int_equal(promise(A, free + 1, 0), -ENOMEM);
    assert_int_equal(promise(A, free - 100, 101), -ENOMEM);
    assert_int_equal(frame_count(OWNER_FREE), all);
    assert_int_equal(frame_available(), free); /* nor has the heap grown */
    assert_int_equal(promise(A, free - 600, 100), 0);
    assert_int_equal(promise(B, 600, 0), -ENOMEM);
    promise_end(A);
    assert_int_equal(promise(B, 600, 0), 0);
}

/* Memory is in shreds: the heap grows frame by frame, and takes none that is promised. */
static void test_heap_of_shreds(void **state)
{
    mfn_t first;

    (void)state;
    while (frame_take(ZONE_DOMAIN, 0, 9, &first))
        ;
    for (uint64_t n = MACHINE_BASE >> PAGE_SHIFT; n < frame_table_size(); n += 3)
        if (frame_owner(mfn(n)) == 9)
            frame_give(ZONE_DOMAIN, mfn(n), 0, 9);
    assert_int_equal(promise(A, 5000, 300), 0);
    take_heap(OWNER_CAISSON);
    assert_int_equal(take_heap(A), 300);
    assert_int_equal(take_ram(A), 5000);
}

/* All memory is A's or in single frames; A has let go of its blocks, and will come back. Whatever B
 * takes meanwhile, A finds blocks of their sizes again. */
static void test_blocks_are_kept(void **state)
{
    static const unsigned orders[] = { 2, 1, 1, 2 };
    void *blocks[4];
    mfn_t m;

    (void)state;
    assert_int_equal(promise(A, 0, 12), 0);
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(blocks[i] = heap_pages(orders[i], A));
    while (frame_take(ZONE_DOMAIN, 0, 9, &m))
        ;
    for (uint64_t n = MACHINE_BASE >> PAGE_SHIFT; n < frame_table_size(); n += 3)
        if (frame_owner(mfn(n)) == 9)
            frame_give(ZONE_DOMAIN, mfn(n), 0, 9);
    while (frame_take(ZONE_HEAP, 0, 9, &m))
        ;
    assert_int_equal(promise(B, 0, 12), 0);
    for (unsigned i = 0; i < 4; i++)
        heap_free_pages(blocks[i], orders[i], A);
    assert_int_equal(heap_kept(A), 12);
    assert_null(heap_pages(1, B));
    assert_int_equal(take_heap(B), 12);
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(blocks[i] = heap_pages(orders[i], A));
    assert_int_equal(heap_kept(A), 0);
    for (unsigned i = 0; i < 4; i++)
        heap_free_pages(blocks[i], orders[i], A);
    promise_end(A);
    assert_int_equal(frame_count(A), 0);
}

static void test_what_is_given_back(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(promise(A, 100, 10), 0);
    assert_int_equal(frame_alloc(ORDER_4K, A, &m), 0);
    uint64_t free = frame_available();
    frame_return(m, A);
    assert_int_equal(promise_of(A).ram, 99);
    assert_int_equal(frame_available(), free + 1);
    promise_less(A, 1); /* one that it never had */
    assert_int_equal(promise_of(A).ram, 98);
    assert_int_equal(take_ram(A), 98);
    assert_int_equal(promise_more(A, 1), 0);
    assert_int_equal(promise(B, frame_available(), 0), 0);
    assert_int_equal(promise_more(A, 1), -ENOMEM); /* B has been promised it */
    assert_int_equal(take_ram(A), 1);
}

/* Given back, and pinned still: it is A's until the last pin goes. */
static void test_pinned_counts(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(promise(A, 10, 0), 0);
    assert_int_equal(frame_alloc(ORDER_4K, A, &m), 0);
    frame_pin(m);
    frame_return(m, A);
    assert_int_equal(promise_taken(A).ram, 1);
    assert_int_equal(promise_of(A).ram, 10);
    assert_int_equal(take_ram(A), 9);
    EXPECT_PANIC(frame_free(m, ORDER_4K, A)); /* not twice */
    frame_unpin(m);
    assert_int_equal(promise_of(A).ram, 9);
    assert_int_equal(take_ram(A), 0);
}

/* A ends, others hold a frame of its: that is nobody's promise any more. */
static void test_abandoned(void **state)
{
    uint64_t free = frame_count(OWNER_FREE);
    mfn_t m[2];

    (void)state;
    assert_int_equal(promise(A, 2, 0), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(frame_alloc(ORDER_4K, A, &m[i]), 0);
        frame_pin(m[i]);
    }
    frame_return(m[0], A);
    frame_abandon(m[1], A); /* it has it still: no difference */
    assert_int_equal(frame_count(A), 2);
    frame_abandon(m[0], A);
    frame_free(m[1], ORDER_4K, A);
    assert_int_equal(frame_count(A), 0);
    assert_int_equal(frame_count(OWNER_PINNED), 2);
    assert_int_equal(promise_of(A).ram, 0);
    promise_end(A);
    frame_unpin(m[0]);
    frame_unpin(m[1]);
    assert_int_equal(frame_count(OWNER_FREE), free);
}

/* The promise outlives a reboot, and can be made whole again. */
static void test_kept_over_a_reboot(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(promise(A, 1000, 50), 0);
    assert_int_equal(frame_alloc(ORDER_4K, A, &m), 0);
    frame_return(m, A);
    assert_int_equal(promise(B, frame_available() - 1, 0), 0);
    assert_int_equal(promise(A, 1000, 50), 0); /* the last free one */
    assert_int_equal(take_ram(A), 1000);
    assert_int_equal(take_heap(A), 50);
}

/* Three domains and Caisson do anything for long; no promise is ever short of frames. */
static void test_model(void **state)
{
    static mfn_t have[3][400];
    unsigned count[3] = { 0 };
    const uint64_t most[] = { 400, 300, 200 };

    (void)state;
    srand(11);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(promise((uint16_t)(i + 1), most[i], 20), 0);
    (void)take_heap(OWNER_CAISSON);
    for (unsigned round = 0; round < 100000; round++) {
        unsigned i = (unsigned)rand() % 3;
        uint16_t owner = (uint16_t)(i + 1);
        struct promise p = promise_of(owner), taken = promise_taken(owner);
        mfn_t m;

        assert_true(taken.ram <= p.ram && p.ram <= most[i] && taken.ram == count[i]);
        switch (rand() % 4) {
        case 0:
            if (p.ram < most[i])
                (void)!promise_more(owner, 1);
            break;
        case 1:
            assert_int_equal(frame_alloc(ORDER_4K, owner, &m), taken.ram < p.ram ? 0 : -ENOMEM);
            if (taken.ram < p.ram)
                have[i][count[i]++] = m;
            break;
        case 2:
            if (count[i])
                frame_return(have[i][--count[i]], owner);
            break;
        default:
            if (frame_alloc(ORDER_4K, OWNER_CAISSON, &m) == 0 && rand() % 2)
                frame_free(m, ORDER_4K, OWNER_CAISSON);
        }
    }
}

/* After each test all is as the accounts say. */
static int tear_down(void **state)
{
    (void)state;
    assert_true(audit_machine());
    return 0;
}

static uint64_t *broken; /* a number that is made one more */

static void find_owed(const struct buddy *b, struct accounts *as, void *ctx)
{
    (void)b;
    (void)ctx;
    broken = &as->owed[ZONE_DOMAIN];
}

static void find_frames(const struct buddy *b, struct accounts *as, void *ctx)
{
    (void)b;
    (void)ctx;
    broken = &account_of(as, A)->of[ZONE_HEAP].frames;
}

static void find_promised(const struct buddy *b, struct accounts *as, void *ctx)
{
    (void)b;
    (void)ctx;
    broken = &account_of(as, A)->of[ZONE_HEAP].promised;
}

/* Whatever is wrong in the accounts, the audit finds it. */
static void test_audit(void **state)
{
    void (*const find[])(const struct buddy *, struct accounts *,
                         void *) = { find_owed, find_frames, find_promised };

    (void)state;
    assert_int_equal(promise(A, 100, 10), 0);
    assert_non_null(heap_pages(0, A));
    for (unsigned i = 0; i < 3; i++) {
        frame_look(find[i], NULL);
        ++*broken;
        EXPECT_PANIC(audit_machine());
        --*broken;
        assert_true(audit_machine());
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_and_no_more), TEST(test_too_much_is_refused), TEST(test_heap_of_shreds),
        TEST(test_blocks_are_kept), TEST(test_what_is_given_back),  TEST(test_pinned_counts),
        TEST(test_abandoned),       TEST(test_kept_over_a_reboot),  TEST(test_model),
        TEST(test_audit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
