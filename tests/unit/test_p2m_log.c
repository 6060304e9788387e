/* links: guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The log of what is written to a guest's memory, beside a plain list of who has written where: a
 * guest, Caisson for it, and who has pinned a page. Nothing is missing in it, and nothing is too
 * much but what a larger mapping brings.
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

#define OWNER   9
#define WINDOWS 6 /* the RAM, and one without any */
#define PLACES  ((WINDOWS - 1) * P2M_LOG_PLACES)

static struct p2m p;
static bool written[WINDOWS * P2M_LOG_PLACES];
static mfn_t pinned[WINDOWS * P2M_LOG_PLACES];

static int setup(void **state)
{
    (void)state;
    fake_virt_reset();
    guest_mtrr_type = 6;
    memset(written, 0, sizeof(written));
    memset(pinned, 0, sizeof(pinned));
    assert_int_equal(p2m_init(&p, OWNER), 0);
    assert_int_equal(p2m_add_ram(&p, gfn(0), PLACES), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    frame_fail_nth(0);
    for (unsigned g = 0; g < PLACES; g++)
        if (pinned[g].v)
            frame_unpin(pinned[g]);
    while (!p2m_destroy(&p))
        ;
    assert_int_equal(frame_count(OWNER), 0);
    promise_end(OWNER);
    return 0;
}

static void populate_all(void)
{
    gfn_t next = { 0 };
    int err;

    do
        err = p2m_populate_some(&p, &next);
    while (err == -EAGAIN);
    assert_int_equal(err, 0);
    memset(written, true, PLACES);
}

/* As a vCPU does: by what the tables say, and after an exit, if it may not. */
static void guest_writes(uint64_t g)
{
    struct slat_entry e;

    assert_int_equal(slat_lookup(&p.slat, gfn(g), &e), 0);
    if (!(e.rights & SLAT_W))
        assert_true(p2m_log_guest_write(&p, gfn(g)));
    assert_int_equal(slat_lookup(&p.slat, gfn(g), &e), 0);
    assert_true(e.rights & SLAT_W);
    written[g] = true;
}

static void caisson_writes(uint64_t g)
{
    char byte = 1;

    assert_int_equal(gmem_write(&p, gpa(g << PAGE_SHIFT), &byte, 1), 0);
    written[g] = true;
}

static void caisson_reads(uint64_t g)
{
    char byte;

    assert_int_equal(gmem_read(&p, gpa(g << PAGE_SHIFT), &byte, 1), 0);
}

static void pin(uint64_t g)
{
    if (pinned[g].v) {
        frame_unpin(pinned[g]);
        pinned[g].v = 0;
    } else {
        bool readonly = rand() % 2; /* it is a guest's that may not write; a tool may */
        assert_int_equal(p2m_pin_own(&p, gfn(g), readonly, &pinned[g]), 0);
        written[g] |= !readonly;
    }
}

static bool bit(const uint64_t *bits, unsigned i)
{
    return bits[i / 64] >> i % 64 & 1;
}

/* What the log says of a window; false: it has more places than were written. */
static bool check(unsigned w, uint64_t *bits)
{
    unsigned n = p2m_log_read(&p, gfn((uint64_t)w * P2M_LOG_PLACES), bits), counted = 0;
    bool exact = true;

    for (unsigned i = 0; i < P2M_LOG_PLACES; i++) {
        bool is = bit(bits, i);
        counted += is;
        if (written[w * P2M_LOG_PLACES + i] || pinned[w * P2M_LOG_PLACES + i].v)
            assert_true(is);
        else
            exact &= !is;
    }
    assert_int_equal(n, counted);
    return exact;
}

static void clean(unsigned w, const uint64_t *bits)
{
    p2m_log_clean(&p, gfn((uint64_t)w * P2M_LOG_PLACES), bits);
    for (unsigned i = 0; i < P2M_LOG_PLACES; i++)
        if (bit(bits, i))
            written[w * P2M_LOG_PLACES + i] &= pinned[w * P2M_LOG_PLACES + i].v != 0;
}

static void clean_all(void)
{
    uint64_t bits[P2M_LOG_WORDS];

    for (unsigned w = 0; w < WINDOWS; w++) {
        (void)check(w, bits);
        clean(w, bits);
    }
}

static void act_at_random(void)
{
    uint64_t g = (uint64_t)rand() % PLACES;

    switch (rand() % 8) {
    case 0:
        pin(g);
        break;
    case 1:
        caisson_writes(g);
        break;
    case 2:
    case 3:
        caisson_reads(g);
        break;
    default:
        guest_writes(g);
    }
}

static void go_at_random(bool large)
{
    uint64_t bits[P2M_LOG_WORDS];

    virt_caps.slat_2m = large;
    populate_all();
    clean_all();
    for (unsigned round = 0; round < 400; round++) {
        for (unsigned i = 0; i < 40; i++)
            act_at_random();
        for (unsigned w = 0; w < WINDOWS; w++) {
            assert_true(check(w, bits));
            if (rand() % 2)
                clean(w, bits);
        }
    }
}

static void test_small(void **state)
{
    (void)state;
    go_at_random(false);
}

/* They are cut by the first write, or a pin. */
static void test_large(void **state)
{
    (void)state;
    go_at_random(true);
}

static void test_giant(void **state)
{
    uint64_t bits[P2M_LOG_WORDS];
    struct slat_entry e;

    (void)state;
    virt_caps.slat_2m = virt_caps.slat_1g = true;
    assert_int_equal(p2m_add_ram(&p, gfn(1ul << ORDER_1G), 1ul << ORDER_1G), 0);
    populate_all();
    assert_int_equal(slat_lookup(&p.slat, gfn(1ul << ORDER_1G), &e), 0);
    assert_int_equal(e.order, ORDER_1G);
    assert_int_equal(p2m_log_read(&p, gfn(1ul << ORDER_1G), bits), P2M_LOG_PLACES);
    p2m_log_clean(&p, gfn(1ul << ORDER_1G), bits);
    assert_int_equal(p2m_log_read(&p, gfn(1ul << ORDER_1G), bits), 0);
    assert_int_equal(p2m_log_read(&p, gfn((1ul << ORDER_1G) + P2M_LOG_PLACES), bits),
                     P2M_LOG_PLACES); /* the rest is as it was */
}

/* What comes is written, what goes is not, and what is lent is not the domain's. */
static void test_change(void **state)
{
    uint64_t bits[P2M_LOG_WORDS];
    mfn_t m;

    (void)state;
    virt_caps.slat_2m = false;
    assert_int_equal(p2m_log_read(&p, gfn(0), bits), 0);
    assert_int_equal(p2m_populate(&p, gfn(17), &m), 0);
    assert_int_equal(p2m_log_read(&p, gfn(0), bits), 1u << P2M_FEW_ORDER);
    p2m_log_clean(&p, gfn(0), bits);
    assert_int_equal(p2m_log_read(&p, gfn(0), bits), 0);
    guest_writes(17);
    assert_int_equal(p2m_remove(&p, gfn(17)), 0);
    assert_int_equal(p2m_log_read(&p, gfn(0), bits), 0);
    assert_false(p2m_log_guest_write(&p, gfn(17)));
    assert_int_equal(p2m_lend(&p, gfn(17), m, SLAT_R | SLAT_W), 0);
    assert_int_equal(p2m_log_read(&p, gfn(0), bits), 0);
    assert_false(p2m_log_guest_write(&p, gfn(17))); /* whatever it was, the log it was not */
}

/* Without a table to cut it with, a large mapping is written as a whole. */
static void test_no_memory(void **state)
{
    uint64_t bits[P2M_LOG_WORDS];
    struct slat_entry e;

    (void)state;
    virt_caps.slat_2m = true;
    populate_all();
    clean_all();
    frame_fail_nth(1);
    guest_writes(5);
    assert_int_equal(p2m_log_read(&p, gfn(0), bits), P2M_LOG_PLACES);
    pin(7);
    frame_fail_nth(1);
    p2m_log_clean(&p, gfn(0), bits);
    assert_int_equal(p2m_log_read(&p, gfn(0), bits), P2M_LOG_PLACES); /* it stays so */
    bits[3] = 0; /* somebody asked for part of it */
    pin(7);
    p2m_log_clean(&p, gfn(0), bits);
    assert_int_equal(slat_lookup(&p.slat, gfn(0), &e), 0);
    assert_int_equal(e.order, ORDER_2M);
    assert_true(e.rights & SLAT_W);
}

static void test_open(void **state)
{
    uint64_t bits[P2M_LOG_WORDS];

    (void)state;
    virt_caps.slat_2m = true;
    populate_all();
    clean_all();
    guest_writes(P2M_LOG_PLACES + 3); /* one window of two is in pieces */
    for (unsigned w = 0; w < WINDOWS; w++)
        p2m_log_open(&p, gfn((uint64_t)w * P2M_LOG_PLACES));
    for (unsigned w = 0; w < WINDOWS - 1; w++)
        assert_int_equal(p2m_log_read(&p, gfn((uint64_t)w * P2M_LOG_PLACES), bits), P2M_LOG_PLACES);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_small),  TEST(test_large),     TEST(test_giant),
        TEST(test_change), TEST(test_no_memory), TEST(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
