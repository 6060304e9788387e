/* links: guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * A guest's RAM: when frames arrive, in which size, what happens at its edges and without memory,
 * and that all of it comes back; then copies to and from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "guestmem/gmem.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/panic.h"

#define OWNER 9
#define FEW   (1u << P2M_FEW_ORDER)

static struct p2m p;

static int setup(void **state)
{
    (void)state;
    fake_virt_reset();
    guest_mtrr_type = 6;
    assert_int_equal(p2m_init(&p, OWNER), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    frame_fail_nth(0);
    while (!p2m_destroy(&p))
        ;
    assert_int_equal(p.populated, 0);
    assert_int_equal(frame_count(OWNER), 0);
    promise_end(OWNER);
    return 0;
}

static void add(uint64_t start, uint64_t frames)
{
    assert_int_equal(p2m_add_ram(&p, gfn(start), frames), 0);
}

static uint64_t populate(uint64_t g)
{
    mfn_t m = { 0 };

    assert_int_equal(p2m_populate(&p, gfn(g), &m), 0);
    return m.v;
}

static unsigned order_at(uint64_t g)
{
    struct slat_entry e;

    assert_int_equal(slat_lookup(&p.slat, gfn(g), &e), 0);
    assert_int_equal(e.rights, SLAT_RWX);
    return e.order;
}

static void test_ranges(void **state)
{
    (void)state;
    add(0x10, 0x20);
    add(0x100, 1);
    assert_int_equal(p.promised, 0x21);
    assert_false(p2m_is_ram(&p, gfn(0x0f)));
    assert_true(p2m_is_ram(&p, gfn(0x10)));
    assert_true(p2m_is_ram(&p, gfn(0x2f)));
    assert_false(p2m_is_ram(&p, gfn(0x30)));
    assert_false(p2m_is_ram(&p, gfn(UINT64_MAX))); /* wraps */
    assert_false(p2m_is_ram(&p, gfn(0xff)));
    assert_true(p2m_is_ram(&p, gfn(0x100)));
    assert_false(p2m_is_ram(&p, gfn(0x101)));
    assert_false(p2m_is_ram(&p, gfn(UINT64_MAX >> PAGE_SHIFT)));
    assert_int_equal(p.populated, 0); /* nobody has touched anything */
}

static void test_range_limits(void **state)
{
    (void)state;
    assert_int_equal(p2m_add_ram(&p, gfn(UINT64_MAX), 2), -EINVAL);
    assert_int_equal(p2m_add_ram(&p, gfn(2), UINT64_MAX), -EINVAL);
    for (unsigned i = 0; i < P2M_RAM_RANGES; i++)
        add(0x1000 * i, 1);
    assert_int_equal(p2m_add_ram(&p, gfn(0x100000), 1), -ENOSPC);
    assert_int_equal(p.promised, P2M_RAM_RANGES);
    assert_false(p2m_is_ram(&p, gfn(0x100000)));
}

static void test_4k_where_2m_does_not_fit(void **state)
{
    (void)state;
    add(0, 0xa0);
    add(0x100, 0x200);
    populate(0x9f);
    populate(0x100);
    populate(0x1ff);
    populate(0x200); /* its block ends at 0x400, the RAM at 0x300 */
    assert_int_equal(p.populated, 4 * FEW);
    assert_int_equal(order_at(0x9f), ORDER_4K);
    assert_int_equal(order_at(0x200), ORDER_4K);
}

static void test_2m(void **state)
{
    (void)state;
    add(0x200, 0x400);
    uint64_t m = populate(0x201);
    assert_int_equal(order_at(0x200), ORDER_2M);
    assert_int_equal(p.populated, 512);
    assert_int_equal(m % 512, 1);
    assert_int_equal(populate(0x3ff), m + 0x1fe); /* arrived with it */
    assert_int_equal(p.populated, 512);
    populate(0x5ff); /* the last block that fits */
    assert_int_equal(order_at(0x400), ORDER_2M);
    assert_int_equal(p.populated, 1024);
}

static void test_again_is_the_same(void **state)
{
    (void)state;
    add(0, 0x10);
    uint64_t m = populate(3);
    assert_int_equal(populate(3), m);
    assert_int_not_equal(populate(4), m);
    assert_int_not_equal(populate(8), m);
    assert_int_equal(p.populated, 2 * FEW);
}

/* A few come together if all of them are RAM and missing; no hole is filled. */
static void test_a_few(void **state)
{
    mfn_t m;

    (void)state;
    add(0, 5 * FEW + 3);
    uint64_t first = populate(FEW + 1) - 1;
    for (unsigned i = 0; i < FEW; i++)
        assert_int_equal(populate(FEW + i), first + i);
    assert_int_equal(p.populated, FEW);
    populate(5 * FEW); /* the RAM ends among them */
    populate(5 * FEW + 2);
    assert_int_equal(p.populated, FEW + 2);
    assert_int_equal(p2m_remove(&p, gfn(2)), 0);
    assert_int_equal(p2m_remove(&p, gfn(FEW + 1)), 0);
    assert_int_equal(p.populated, FEW + 1);
    populate(3);
    assert_int_equal(p.populated, FEW + 2);
    assert_int_equal(p2m_populate(&p, gfn(2), &m), -EFAULT);
    assert_int_equal(p2m_populate(&p, gfn(FEW + 1), &m), -EFAULT);
    assert_int_equal(p2m_fill(&p, gfn(2)), 0);
    populate(4);
    assert_int_equal(p.populated, FEW + 4);
    frame_fail_nth(1); /* no few to be had: then one */
    populate(2 * FEW);
    assert_int_equal(p.populated, FEW + 5);
    populate(2 * FEW + 1);
    assert_int_equal(p.populated, FEW + 6);
    p2m_reap(&p, 0);
}

/* What has been looked up once is remembered, but not over a change. */
static void test_remembered(void **state)
{
    mfn_t m, other = mfn(0x77777);

    (void)state;
    add(0, 64);
    uint64_t first = populate(5);
    populate(5 + P2M_RECENT); /* takes its place */
    assert_int_equal(populate(5), first);
    assert_int_equal(p2m_remove(&p, gfn(5)), 0);
    assert_int_equal(p2m_populate(&p, gfn(5), &m), -EFAULT);
    assert_int_equal(p2m_lend(&p, gfn(5), other, SLAT_R), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(populate(5), other.v);
        assert_int_equal(p2m_populate_writable(&p, gfn(5), &m), -EFAULT);
    }
    assert_int_equal(p2m_remove(&p, gfn(5)), 0);
    assert_int_equal(p2m_fill(&p, gfn(5)), 0);
    assert_int_not_equal(populate(5), other.v);
    assert_int_equal(p2m_populate_writable(&p, gfn(5), &m), 0);
    uint64_t moved = populate(6);
    assert_int_equal(p2m_remove(&p, gfn(9)), 0);
    assert_int_equal(p2m_move(&p, gfn(6), gfn(9)), 0);
    assert_int_equal(populate(9), moved);
    assert_int_equal(p2m_populate(&p, gfn(6), &m), -EFAULT);
    assert_int_equal(p2m_move(&p, gfn(9), gfn(0x2000)), 0); /* whoever saves it looks so far */
    assert_int_equal(p2m_highest(&p).v, 0x2000);
}

/* A place of several, in three tables, some of which share a slot of what is remembered. */
static gfn_t some_place(void)
{
    return gfn((uint64_t)(lrand48() % 3 + lrand48() % 3 * P2M_RECENT + lrand48() % 3 * 512));
}

/* Something becomes of a place, if it can. */
static void change_something(gfn_t g)
{
    const mfn_t other = mfn(0x77000 + (uint64_t)(lrand48() % 2));

    switch (lrand48() % 7) {
    case 0:
        (void)!p2m_remove(&p, g);
        break;
    case 1:
        (void)!p2m_fill(&p, g);
        break;
    case 2:
        (void)!p2m_lend(&p, g, other, lrand48() % 2 ? SLAT_R : SLAT_R | SLAT_W);
        break;
    case 3:
        p2m_take_back(&p, g, other);
        break;
    case 4:
        (void)!p2m_move(&p, g, some_place());
        break;
    case 5:
        p2m_log_clean(&p, gfn(g.v & -(uint64_t)P2M_LOG_PLACES),
                      &(uint64_t[P2M_LOG_WORDS]){ ~0ul }[0]);
        break;
    default:
        break;
    }
    p2m_reap(&p, 1);
}

/* What is remembered is what is there, whatever has changed at this place or another. */
static void test_remembered_at_random(void **state)
{
    unsigned known = 0;

    (void)state;
    add(0, 2 * 512);
    virt_caps.slat_2m = false;
    for (unsigned i = 0; i < 20000; i++) {
        struct slat_entry e;
        mfn_t m = { 0 };
        gfn_t g = some_place();
        bool writable = lrand48() % 2;
        uint64_t epoch = p.epoch, cache_epoch = p.cache_epoch;

        change_something(some_place());
        known += p.epoch != epoch && p.cache_epoch == cache_epoch;
        int err = writable ? p2m_populate_writable(&p, g, &m) : p2m_populate(&p, g, &m);
        bool there = slat_lookup(&p.slat, g, &e) == 0 && (!writable || e.rights & SLAT_W);
        assert_int_equal(err, there ? 0 : -EFAULT);
        if (there)
            assert_int_equal(m.v, e.mfn.v);
    }
    assert_true(known > 100); /* and most changes end nothing that is */
    virt_caps.slat_2m = true;
}

/* For who saves it: RAM that has arrived, or may; so many places alike follow. */
static void test_what_is_its_own(void **state)
{
    static const struct {
        uint64_t at, alike;
        bool own;
    } places[] = { { 0, 0x10, false },    { 0x10, 0x20, true },   { 0x2f, 1, true },
                   { 0x30, 0xd0, false }, { 0x100, 5, true },     { 0x105, 1, false },
                   { 0x106, 0xa, true },  { 0x110, 0xf0, false }, { 0x200, 0x200, true },
                   { 0x250, 0x1b0, true } };
    uint64_t alike;

    (void)state;
    add(0x10, 0x20);
    add(0x100, 0x10);
    add(0x200, 0x200);
    assert_int_equal(p2m_remove(&p, gfn(0x105)), 0);
    populate(0x250);
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        for (uint64_t g = places[i].at, end = g + places[i].alike; g < end; g += alike) {
            assert_int_equal(p2m_has_own(&p, gfn(g), &alike), places[i].own);
            assert_in_range(alike, 1, end - g);
        }
    assert_false(p2m_has_own(&p, gfn(UINT64_MAX), &alike));
}

/* Frames far apart, large pages in pieces, then all of the RAM singly: more tables than that there
 * cannot be, and RAM never lacks one. */
static void test_tables_have_an_end(void **state)
{
    uint64_t frames = 8 * 512, places = 0;
    mfn_t other;

    (void)state;
    add(0, frames);
    assert_int_equal(frame_alloc(ORDER_4K, OWNER + 1, &other), 0);
    for (uint64_t g = 1ul << 27; places < 1000; g += 1ul << 18, places++) {
        int err = p2m_lend(&p, gfn(g), other, SLAT_R);
        if (err)
            assert_int_equal(err, -ENOMEM);
        if (err)
            break;
    }
    assert_in_range(places, 20, 100);
    for (uint64_t g = 0; g < frames; g += 512) {
        assert_int_equal(p2m_remove(&p, gfn(g)), 0);
        assert_int_equal(p2m_fill(&p, gfn(g)), 0); /* a place that has its tables */
    }
    for (uint64_t g = 0; g < frames; g++)
        populate(g);
    assert_in_range(p.slat.tables, 8, p2m_tables_most(p.tables_for_ram));
    frame_free(other, ORDER_4K, OWNER + 1);
}

static void test_outside(void **state)
{
    mfn_t m = { 42 };

    (void)state;
    add(0x10, 0x10);
    assert_int_equal(p2m_populate(&p, gfn(0x20), &m), -EFAULT);
    assert_int_equal(p2m_populate(&p, gfn(0x0f), &m), -EFAULT);
    assert_int_equal(p2m_populate(&p, gfn(1ul << 51), &m), -EFAULT);
    assert_int_equal(m.v, 42);
    assert_int_equal(p.populated, 0);
}

static void test_memory_type(void **state)
{
    struct slat_entry e;

    (void)state;
    add(0, 0x10);
    guest_mtrr_type = 4;
    populate(1);
    assert_int_equal(slat_lookup(&p.slat, gfn(1), &e), 0);
    assert_int_equal(e.type, SLAT_WT);
}

/* The first allocation is that of the 2 MiB: when it fails, single frames do. */
static void test_2m_is_not_to_be_had(void **state)
{
    (void)state;
    add(0x200, 0x200);
    frame_fail_nth(1);
    uint64_t first = populate(0x210);
    assert_int_equal(order_at(0x210), ORDER_4K);
    assert_int_equal(p.populated, FEW);
    uint64_t held = frame_count(OWNER);
    populate(0x220); /* 2 MiB would come in the way of what is there */
    assert_int_equal(order_at(0x220), ORDER_4K);
    assert_int_equal(frame_count(OWNER), held + FEW);
    assert_int_equal(populate(0x210), first);
}

static void test_no_2m_in_ept(void **state)
{
    (void)state;
    virt_caps.slat_2m = false;
    add(0x200, 0x200);
    populate(0x200);
    assert_int_equal(order_at(0x200), ORDER_4K);
    assert_int_equal(p.populated, FEW);
}

/* Whatever allocation fails: an error or success, nothing lost, and the next try goes well. */
static void test_each_allocation_fails(void **state)
{
    static const uint64_t wanted[] = { 0x3, 0x201, 0x40000 };
    unsigned failures = 0;

    (void)state;
    add(0, 0x10);
    add(0x200, 0x200);
    add(0x40000, 1);
    for (unsigned n = 1; n < 12; n++) {
        for (size_t i = 0; i < 3; i++) {
            mfn_t m;
            uint64_t populated = p.populated;
            frame_fail_nth(n);
            int err = p2m_populate(&p, gfn(wanted[i]), &m);
            frame_fail_nth(0);
            assert_true(err == 0 || err == -ENOMEM);
            failures += err != 0;
            if (err)
                assert_int_equal(p.populated, populated);
            assert_int_equal(frame_count(OWNER), p.populated + p.slat.tables);
            assert_int_equal(p2m_populate(&p, gfn(wanted[i]), &m), 0);
        }
        teardown(NULL);
        assert_int_equal(p2m_init(&p, OWNER), 0);
        add(0, 0x10);
        add(0x200, 0x200);
        add(0x40000, 1);
    }
    assert_in_range(failures, 3, 30);
}

/* No step may bring more than a large page, or P2M_PIECE small ones. */
static void populate_all(unsigned least_steps)
{
    gfn_t next = gfn(0);
    uint64_t before = p.populated;
    unsigned steps = 0;
    int err;

    while ((err = p2m_populate_some(&p, &next)) == -EAGAIN) {
        assert_true(p.populated - before <= P2M_PIECE + 512 || p.populated == 1UL << ORDER_1G);
        before = p.populated;
        steps++;
    }
    assert_int_equal(err, 0);
    assert_true(steps >= least_steps);
}

/* An end in pieces: each gives back a bounded number of frames, whatever their order of arrival. */
static void test_end_in_pieces(void **state)
{
    (void)state;
    add(0, 0x10000);
    for (unsigned i = 0; i < 500; i++)
        populate(rand() % 0x10000);
    for (uint64_t g = 0x200; g < 0x400; g++) /* a table of holes, and of frames */
        assert_int_equal(p2m_remove(&p, gfn(g)), p.limbo_count == P2M_LIMBO ? -EAGAIN : 0);
    uint64_t before = frame_count(OWNER);
    unsigned steps = 0;
    while (!p2m_destroy(&p)) {
        uint64_t now = frame_count(OWNER);
        assert_true(before - now <= P2M_END_PIECE + 512);
        before = now;
        steps++;
    }
    assert_true(steps > 10);
}

static void test_all_at_once(void **state)
{
    (void)state;
    add(0, 0xa0);
    add(0x100, 0x500);
    populate(0x105);
    populate_all(3);
    assert_int_equal(p.populated, p.promised);
    assert_int_equal(order_at(0x9f), ORDER_4K);
    assert_int_equal(order_at(0x1ff), ORDER_4K);
    assert_int_equal(order_at(0x200), ORDER_2M);
    assert_int_equal(order_at(0x400), ORDER_2M);
    populate_all(0); /* nothing is left to do but to look */
    assert_int_equal(p.populated, p.promised);
}

/* 1 GiB at once, but scrubbed by 2 MiB; and an end in the middle of that. */
static void test_giant(void **state)
{
    gfn_t next = gfn(0);
    uint8_t byte = 1;

    (void)state;
    virt_caps.slat_1g = true;
    add(0, 1UL << ORDER_1G);
    assert_int_equal(p2m_populate_some(&p, &next), -EAGAIN);
    assert_int_equal(p.populated, 0);
    teardown(NULL);
    assert_int_equal(p2m_init(&p, OWNER), 0);
    add(0, (1UL << ORDER_1G) + 1);
    populate_all(512);
    assert_int_equal(p.populated, p.promised);
    assert_int_equal(order_at(0), ORDER_1G);
    assert_int_equal(order_at(1UL << ORDER_1G), ORDER_4K);
    assert_int_equal(gmem_read(&p, gpa(0), &byte, 1), 0);
    assert_int_equal(byte, 0);
    for (uint64_t before = frame_count(OWNER), now; !p2m_destroy(&p); before = now) {
        now = frame_count(OWNER);
        assert_true(before - now <= P2M_END_PIECE + 512); /* it goes as it came */
    }
}

/* A table that gave way to a large mapping may be known to the TLB of a vCPU that is in the guest:
 * it is nobody else's before that has come in again. */
static void test_table_waits(void **state)
{
    uint64_t tables, frames;

    (void)state;
    p2m_set_most(&p, 4096, 64);
    assert_int_equal(p2m_fill(&p, gfn(0x1000)), 0);
    assert_int_equal(p2m_remove(&p, gfn(0x1000)), 0);
    assert_int_equal(p2m_fill(&p, gfn(0x2000)), 0);
    assert_int_equal(p2m_remove(&p, gfn(0x2000)), 0);
    p2m_reap(&p, 1);
    tables = p.slat.tables;
    frames = frame_count(OWNER);
    p.inside[0] = p.epoch; /* it has come in */
    assert_int_equal(p2m_fill_block(&p, gfn(0x1000), ORDER_2M), 0);
    p2m_reap(&p, 1);
    assert_int_equal(p.slat.tables, tables);
    assert_int_equal(p2m_fill_block(&p, gfn(0x2000), ORDER_2M), -EAGAIN); /* one at a time */
    assert_int_equal(frame_count(OWNER), frames + 512);
    p.inside[0] = p.epoch; /* and once more */
    p2m_reap(&p, 1);
    assert_int_equal(p.slat.tables, tables - 1);
    assert_int_equal(frame_count(OWNER), frames + 511);
    assert_int_equal(p2m_fill_block(&p, gfn(0x2000), ORDER_2M), 0);
    assert_int_equal(p.limbo_count, 1); /* and its end comes */
}

/* The same where RAM arrives: a touch that found no frame has left its tables. */
static void test_table_waits_in_ram(void **state)
{
    struct slat_entry place;
    gfn_t next = gfn(0);

    (void)state;
    add(0, 0x400);
    assert_int_equal(slat_lookup(&p.slat, gfn(0), &place), -ENOENT);
    assert_int_equal(slat_reach(&p.slat, gfn(0), &place), 0);
    assert_int_equal(p.slat.tables, 4);
    p.inside[0] = p.epoch;
    assert_int_equal(p2m_populate_some(&p, &next), -EAGAIN);
    assert_int_equal(order_at(0), ORDER_2M);
    p2m_reap(&p, 1);
    assert_int_equal(p.slat.tables, 4);
    p.inside[0] = 0;
    p2m_reap(&p, 1);
    assert_int_equal(p.slat.tables, 3);
}

static void expect_lock(void)
{
    assert_true(spin_is_locked(&p.lock));
}

/* While a vCPU that comes out lets a table go, another one may touch RAM, and makes one: it does so
 * without the domain's lock. */
static void test_tables_have_a_lock(void **state)
{
    (void)state;
    p2m_set_most(&p, 4096, 64);
    assert_int_equal(p2m_fill(&p, gfn(0x1000)), 0);
    assert_int_equal(p2m_remove(&p, gfn(0x1000)), 0);
    p2m_reap(&p, 1);
    assert_int_equal(p2m_fill_block(&p, gfn(0x1000), ORDER_2M), 0);
    uint64_t tables = p.slat.tables;
    fake_heap_freed = expect_lock;
    p2m_reap(&p, 1);
    fake_heap_freed = NULL;
    assert_int_equal(p.slat.tables, tables - 1);
    assert_false(spin_is_locked(&p.lock));
}

/* ---- On demand ---- */

/* 1,024 places, which it is to be promised 600 frames for, of 700. */
static void add_on_demand(void)
{
    const struct promise all = { .ram = 0, .heap = 1000 };

    assert_int_equal(promise_make(OWNER, all), 0);
    p2m_set_most(&p, 700, 64);
    assert_int_equal(p2m_set_pool(&p, 600), 0);
    assert_int_equal(p.promised, 600);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(p2m_add_on_demand(&p, gfn(0x200 + i), ORDER_4K), 0);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x400), ORDER_2M), 0);
    assert_int_equal(p.range_count, 1);
    assert_int_equal(p2m_places(&p), 1024);
    assert_int_equal(p2m_highest(&p).v, 0x5ff);
    assert_int_equal(p.lacking, 424);
    assert_int_equal(p.populated, 0);
}

/* As many arrive as there are promised, large ones first. */
static void test_on_demand(void **state)
{
    mfn_t m;

    (void)state;
    add_on_demand();
    populate(0x201);
    assert_int_equal(order_at(0x201), ORDER_2M);
    for (unsigned i = 0; i < 88; i++)
        populate(0x400 + i);
    assert_int_equal(p2m_populate(&p, gfn(0x500), &m), -ENOMEM);
    assert_int_equal(promise_taken(OWNER).ram, 600);
}

/* What a balloon takes from places that lack a frame is nothing; what it takes from others goes to
 * those. In the end no place lacks one. */
static void test_balloon_on_demand(void **state)
{
    mfn_t m;

    (void)state;
    add_on_demand();
    populate(0x200);
    for (unsigned i = 0; i < 88; i++)
        populate(0x400 + i);
    assert_int_equal(p2m_populate(&p, gfn(0x500), &m), -ENOMEM);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(p2m_remove(&p, gfn(0x210 + i)), 0);
    p2m_reap(&p, 1);
    assert_int_equal(p.promised, 600);
    assert_int_equal(p.lacking, 414);
    populate(0x500);
    for (unsigned i = 0x5ff; p.lacking; i--)
        if (i < 0x500 || i >= 0x500 + FEW)
            assert_int_equal(p2m_remove(&p, gfn(i)), 0);
    assert_int_equal(p.promised, 600);
    assert_int_equal(promise_of(OWNER).ram, 600);
    assert_int_equal(p2m_remove(&p, gfn(0x458)), 0); /* from now on it has less */
    assert_int_equal(p.promised, 599);
    assert_int_equal(promise_of(OWNER).ram, 599);
    assert_int_equal(p2m_populate(&p, gfn(0x5ff), &m), -EFAULT); /* a hole */
    assert_int_equal(p2m_fill(&p, gfn(0x5ff)), 0);
    assert_int_equal(p.promised, 600);
}

/* If it may have less by now, what it gives back is not kept for it. */
static void test_less_on_demand(void **state)
{
    (void)state;
    add_on_demand();
    populate(0x200);
    p2m_set_most(&p, 400, 64);
    assert_int_equal(p.most, 600);
    assert_int_equal(p2m_remove(&p, gfn(0x200)), 0);
    p2m_set_most(&p, 400, 64);
    p2m_reap(&p, 1);
    assert_int_equal(promise_of(OWNER).ram, 600); /* it still may */
    p.most = 500;
    assert_int_equal(p2m_remove(&p, gfn(0x201)), 0);
    p2m_reap(&p, 1);
    assert_int_equal(promise_of(OWNER).ram, 599);
    assert_int_equal(p.promised, 599);
}

static void test_places_of_others(void **state)
{
    const struct promise all = { .ram = 0, .heap = 1000 };

    (void)state;
    assert_int_equal(promise_make(OWNER, all), 0);
    p2m_set_most(&p, 2048, 64);
    assert_int_equal(p2m_fill(&p, gfn(0x205)), 0);
    assert_int_equal(p2m_fill_block(&p, gfn(0x400), ORDER_2M), 0);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x205), ORDER_4K), -EEXIST);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x200), ORDER_2M), -EEXIST);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x400), ORDER_2M), -EEXIST);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x401), ORDER_4K), -EEXIST);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x601), ORDER_2M), -EINVAL);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x600), ORDER_2M), 0);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x7ff), ORDER_4K), -EEXIST);
    assert_int_equal(p2m_fill_block(&p, gfn(0x600), ORDER_2M), -EEXIST);
    assert_int_equal(p2m_set_pool(&p, 2049), -ENOMEM);
    for (unsigned i = 1; i < P2M_RAM_RANGES; i++)
        assert_int_equal(p2m_add_on_demand(&p, gfn(0x1000 * i), ORDER_4K), 0);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x10000), ORDER_4K), -ENOSPC);
    assert_int_equal(p2m_add_on_demand(&p, gfn(0x1001), ORDER_4K), 0);
}

/* Where large mappings must not be executable, none is, however its RAM has come; what is fetched
 * from becomes small, and takes no more tables than RAM in single frames would. */
static void test_small_code(void **state)
{
    gfn_t next = gfn(0);
    struct slat_entry e;

    (void)state;
    virt_caps.small_code = virt_caps.slat_1g = true;
    add(0, (1UL << ORDER_1G) + 513);
    while (p2m_populate_some(&p, &next) == -EAGAIN)
        ;
    add(1UL << 20, 512);
    populate(1UL << 20);
    for (uint64_t g = 0; g < (1UL << 20) + 512; g += 256) {
        if (slat_lookup(&p.slat, gfn(g), &e))
            continue;
        assert_int_equal(e.rights & SLAT_X, e.order == ORDER_4K ? SLAT_X : 0);
        assert_int_equal(p2m_execute(&p, gfn(g)), 0);
        assert_int_equal(order_at(g), ORDER_4K); /* which has all rights */
    }
    assert_true(p.slat.tables <= p.tables_for_ram);
    assert_int_equal(p2m_execute(&p, gfn((1UL << ORDER_1G) + 513)), -EFAULT); /* beyond */
    virt_caps.small_code = false;
}

/* How many calls it takes. */
static unsigned take(uint64_t at, mfn_t first, uint64_t frames)
{
    struct p2m_registers r = { gfn(at), first, frames, 0 };
    unsigned calls = 1;

    while (!p2m_take_device(&p, &r))
        calls++;
    return calls;
}

/* A device with many: they go some at a time, and TLBs hear of it once. */
static void test_many_registers(void **state)
{
    const mfn_t device = mfn(1UL << 24);
    mfn_t m;

    (void)state;
    for (unsigned i = 0; i < 0x200; i++)
        assert_int_equal(p2m_lend_device(&p, gfn(0x1000 + i), mfn(device.v + i)), 0);
    uint64_t epoch = p.epoch;
    struct p2m_registers r = { gfn(0x1000), device, 0x200, 0 };
    assert_false(p2m_take_device(&p, &r));
    assert_int_equal(p2m_lookup(&p, gfn(0x1000 + P2M_PIECE - 1), &m, &(bool){ 0 }), -ENOENT);
    assert_int_equal(p2m_lookup(&p, gfn(0x1000 + P2M_PIECE), &m, &(bool){ 0 }), 0);
    assert_int_equal(p.epoch, epoch);
    assert_int_equal(take(0x1000 + P2M_PIECE, mfn(device.v + P2M_PIECE), 0x200 - P2M_PIECE),
                     0x200 / P2M_PIECE - 1);
    assert_int_equal(p.epoch, epoch + 1);
    assert_int_equal(p2m_lookup(&p, gfn(0x11FF), &m, &(bool){ 0 }), -ENOENT);
}

/* Registers of a device, which are no memory, in large pieces: each goes as it came. */
static void test_registers(void **state)
{
    const mfn_t device = mfn(1UL << 24);
    struct slat_entry e;
    mfn_t m;

    (void)state;
    virt_caps.small_code = virt_caps.slat_1g = true;
    p2m_set_most(&p, 4096, 64);
    add(0, 0x400);
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x200), device, ORDER_2M), -EEXIST); /* RAM */
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1001), device, ORDER_2M), -EINVAL);
    assert_int_equal(p2m_fill(&p, gfn(0x1201)), 0);
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1200), device, ORDER_2M), -EEXIST);
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1000), device, ORDER_2M), 0);
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1400), mfn(device.v + 0x400), ORDER_2M), 0);
    assert_int_equal(p2m_lend_device_block(&p, gfn(1UL << 20), device, ORDER_1G), 0);
    assert_int_equal(slat_lookup(&p.slat, gfn(0x10FF), &e), 0);
    assert_true(p2m_is_device(&e) && e.type == SLAT_UC && e.mfn.v == device.v + 0xFF);
    assert_int_equal(p2m_populate(&p, gfn(0x10FF), &m), -EFAULT);
    assert_int_equal(p2m_pin_own(&p, gfn(0x10FF), true, &m), -EINVAL);
    assert_int_equal(p2m_execute(&p, gfn(0x10FF)), -EFAULT);
    assert_int_equal(p2m_fill(&p, gfn(0x10FF)), -EEXIST);
    assert_int_equal(p2m_move(&p, gfn(0x10FF), gfn(0x3000)), -ENOENT);
    uint64_t tables = p.slat.tables;
    assert_int_equal(p2m_remove(&p, gfn(0x10FF)), 0); /* by the guest */
    assert_int_equal(p2m_lookup(&p, gfn(0x1000), &m, &(bool){ 0 }), -ENOENT);
    assert_int_equal(p.slat.tables, tables);
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1000), device, ORDER_2M), 0);
    take(0x1000, device, 0x600);
    assert_int_equal(p2m_lookup(&p, gfn(0x1000), &m, &(bool){ 0 }), -ENOENT);
    assert_int_equal(p2m_lookup(&p, gfn(0x1201), &m, &(bool){ 0 }), 0); /* it stays */
    assert_int_equal(p2m_lookup(&p, gfn(0x1400), &m, &(bool){ 0 }), -ENOENT);
    take(1UL << 20, device, 1UL << ORDER_1G);
    assert_int_equal(p2m_lookup(&p, gfn(1UL << 20), &m, &(bool){ 0 }), -ENOENT);
    assert_int_equal(p2m_lend_device_block(&p, gfn(1UL << 21), device, ORDER_1G),
                     0); /* for the end */
    virt_caps.small_code = false;
}

/* Tables that single pages have left behind go first. */
static void test_registers_wait(void **state)
{
    const mfn_t device = mfn(1UL << 24);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(p2m_lend_device(&p, gfn(0x1000 + 0x200 * i), device), 0);
        take(0x1000 + 0x200 * i, device, 1);
    }
    p.inside[0] = p.epoch;
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1000), device, ORDER_2M), 0);
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1200), device, ORDER_2M), -EAGAIN);
    p.inside[0] = 0;
    p2m_reap(&p, 1);
    assert_int_equal(p2m_lend_device_block(&p, gfn(0x1200), device, ORDER_2M), 0);
}

static void test_init_without_memory(void **state)
{
    struct p2m q;

    (void)state;
    frame_fail_nth(1);
    assert_int_equal(p2m_init(&q, OWNER + 1), -ENOMEM);
    assert_true(p2m_destroy(&q)); /* harmless */
    assert_int_equal(frame_count(OWNER + 1), 0);
}

static void test_lock_is_let_go(void **state)
{
    mfn_t m;

    (void)state;
    add(0, 0x10);
    frame_fail_nth(1);
    assert_int_equal(p2m_populate(&p, gfn(1), &m), -ENOMEM);
    assert_false(spin_is_locked(&p.lock));
    populate(1);
    assert_false(spin_is_locked(&p.lock));
}

/* ---- gmem ---- */

static void test_copy_across_pages(void **state)
{
    static char out[3 * PAGE_SIZE], in[3 * PAGE_SIZE];

    (void)state;
    add(0, 0x10);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 7 + i / 256);
    assert_int_equal(gmem_write(&p, gpa(0xff5), out, sizeof(out) - 100), 0);
    assert_int_equal(p.populated, FEW);
    assert_int_equal(gmem_read(&p, gpa(0xff5), in, sizeof(in) - 100), 0);
    assert_memory_equal(in, out, sizeof(in) - 100);
    assert_int_equal(gmem_read(&p, gpa(0x1000), in, 5), 0);
    assert_memory_equal(in, out + 11, 5);
    assert_int_equal(gmem_zero(&p, gpa(0xffe), 4), 0);
    assert_int_equal(gmem_read(&p, gpa(0xffd), in, 6), 0);
    assert_memory_equal(in + 1, "\0\0\0\0", 4);
    assert_int_equal(in[0], out[8]);
    assert_int_equal(in[5], out[13]);
}

static void test_fresh_ram_is_zero(void **state)
{
    char page[64];
    static const char zero[64];

    (void)state;
    add(0, 0x10);
    assert_int_equal(gmem_read(&p, gpa(0x5010), page, sizeof(page)), 0);
    assert_memory_equal(page, zero, sizeof(page));
}

static void test_copy_off_the_end(void **state)
{
    char byte[32];

    (void)state;
    add(0, 2);
    assert_int_equal(gmem_read(&p, gpa(0x1fff), byte, 1), 0);
    assert_int_equal(gmem_read(&p, gpa(0x1fff), byte, 2), -EFAULT);
    assert_int_equal(gmem_write(&p, gpa(0x2000), byte, 1), -EFAULT);
    assert_int_equal(gmem_zero(&p, gpa(0x1ff0), 32), -EFAULT);
    assert_int_equal(gmem_write(&p, gpa(UINT64_MAX), byte, 1), -EFAULT);
    assert_int_equal(gmem_write(&p, gpa(UINT64_MAX), byte, 2), -EFAULT);
    assert_int_equal(gmem_read(&p, gpa(UINT64_MAX - 30), byte, 32), -EFAULT);
    assert_int_equal(gmem_write(&p, gpa(1), byte, SIZE_MAX), -EFAULT); /* wraps */
}

static void test_copy_of_nothing(void **state)
{
    (void)state;
    add(0, 2);
    assert_int_equal(gmem_read(&p, gpa(0x5000), NULL, 0), 0);
    assert_int_equal(p.populated, 0);
}

static void test_copy_without_memory(void **state)
{
    char bytes[16] = "0123456789abcde";

    (void)state;
    add(0, 2);
    assert_int_equal(gmem_write(&p, gpa(0xff0), bytes, 1), 0);
    frame_fail_nth(1);
    assert_int_equal(gmem_write(&p, gpa(0xff8), bytes, 16), -ENOMEM);
    assert_int_equal(gmem_write(&p, gpa(0xff8), bytes, 16), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ranges),
        TEST(test_what_is_its_own),
        TEST(test_tables_have_an_end),
        TEST(test_table_waits),
        TEST(test_table_waits_in_ram),
        TEST(test_range_limits),
        TEST(test_4k_where_2m_does_not_fit),
        TEST(test_2m),
        TEST(test_again_is_the_same),
        TEST(test_a_few),
        TEST(test_remembered),
        TEST(test_remembered_at_random),
        TEST(test_outside),
        TEST(test_memory_type),
        TEST(test_2m_is_not_to_be_had),
        TEST(test_no_2m_in_ept),
        TEST(test_each_allocation_fails),
        TEST(test_all_at_once),
        TEST(test_end_in_pieces),
        TEST(test_giant),
        TEST(test_tables_have_a_lock),
        TEST(test_on_demand),
        TEST(test_balloon_on_demand),
        TEST(test_less_on_demand),
        TEST(test_places_of_others),
        TEST(test_small_code),
        TEST(test_registers),
        TEST(test_many_registers),
        TEST(test_registers_wait),
        TEST(test_init_without_memory),
        TEST(test_lock_is_let_go),
        TEST(test_copy_across_pages),
        TEST(test_fresh_ram_is_zero),
        TEST(test_copy_off_the_end),
        TEST(test_copy_of_nothing),
        TEST(test_copy_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
