/* clang-format off */
/* links: mm/frame.c mm/account.c mm/frame_map.c mm/block.c mm/buddy.c mm/fill_debug.c lib/bitmap.c tests/fakes/window.c tests/fakes/machine.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Frames: memory maps good and bad, and the allocator against a model of itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/spinlock.h"
#include "mm/fill.h"
#include "mm/frame.h"
#include "mm/frame_table.h"
#include "tests/fakes/log.h"
#include "tests/fakes/machine.h"
#include "tests/fakes/panic.h"
#include "tests/fakes/window.h"

#define MIB   0x100000UL
#define FIRST (MACHINE_BASE >> PAGE_SHIFT)
#define END   (MACHINE_END >> PAGE_SHIFT)
#define COUNT (END - FIRST)

static const struct mem_region whole[] = {
    { { MACHINE_BASE }, MACHINE_SIZE, MEM_USABLE },
};

static int set_up(void **state)
{
    (void)state;
    fake_machine_map();
    fake_log_reset();
    frame_fail_nth(0);
    return frame_init(whole, 1, NULL, 0);
}

static uint64_t table_frames(void)
{
    return frame_table_place().bytes >> PAGE_SHIFT;
}

static unsigned order_of(union frame f)
{
    assert_int_not_equal(f.head.state, FRAME_INSIDE);
    if (f.head.state != FRAME_USED)
        return (f.head.state - FRAME_HEAD) % (FRAME_MAX_ORDER + 1);
    assert_true(f.used.order == 0 || f.used.pins == 0);
    return f.used.order;
}

/* All of the table is in blocks, one behind the other; but for their first frames it is zero. */
static void check_blocks(void)
{
    const union frame *table = (const union frame *)frame_table_place().start.v;
    uint64_t size;

    for (uint64_t n = 0; n < frame_table_size(); n += size) {
        size = 1UL << order_of(table[n]);
        assert_int_equal(n % size, 0);
        assert_true(n + size <= frame_table_size());
        for (uint64_t i = 1; i < size; i++)
            assert_true(table[n + i].word == 0);
    }
}

/* Every frame is counted with exactly its owner. */
static void check_counts(void)
{
    static const uint16_t owner[] = {
        OWNER_FREE, OWNER_RESERVED, OWNER_CAISSON, OWNER_MODULE, OWNER_PINNED, 0, 1, 2, 3
    };
    uint64_t sum = 0;

    check_blocks();
    for (unsigned i = 0; i < sizeof(owner) / sizeof(owner[0]); i++) {
        uint64_t n = 0;

        for (uint64_t f = 0; f < frame_table_size(); f++)
            n += frame_owner(mfn(f)) == owner[i];
        assert_int_equal(frame_count(owner[i]), n);
        sum += n;
    }
    assert_int_equal(sum, frame_table_size());
}

/* ---- Memory maps ---- */

static void test_map_plain(void **state)
{
    (void)state;
    assert_int_equal(frame_table_size(), END);
    assert_int_equal(frame_total(), COUNT);
    assert_int_equal(frame_count(OWNER_CAISSON), table_frames());
    assert_int_equal(frame_count(OWNER_FREE), COUNT - table_frames());
    assert_int_equal(frame_owner(mfn(0)), OWNER_RESERVED);
    assert_int_equal(frame_owner(mfn(END)), OWNER_RESERVED);
    assert_int_equal(frame_owner(mfn(UINT64_MAX)), OWNER_RESERVED);
    assert_true(frame_all_reserved(mfn(END), 1UL << 30));
    assert_true(frame_all_reserved(mfn(0), FIRST));
    assert_false(frame_all_reserved(mfn(0), FIRST + 1));
    assert_false(frame_all_reserved(mfn(END - 1), 2));
    check_counts();
}

static void test_map_unaligned(void **state)
{
    const struct mem_region regions[] = {
        { { MACHINE_BASE + 32 * MIB + 1 }, 4 * MIB, MEM_USABLE },   /* 1023 whole frames */
        { { MACHINE_BASE + 1 }, 16 * MIB - 2, MEM_USABLE },         /* 4094 */
        { { MACHINE_BASE + 64 * MIB + 7 }, PAGE_SIZE, MEM_USABLE }, /* none */
        { { MACHINE_BASE + 65 * MIB }, 0, MEM_USABLE },
        { { MACHINE_BASE + 66 * MIB }, 5, MEM_USABLE },
    };

    (void)state;
    assert_int_equal(frame_init(regions, 5, NULL, 0), 0);
    assert_int_equal(frame_table_size(), (MACHINE_BASE + 36 * MIB) >> PAGE_SHIFT);
    assert_int_equal(frame_total(), 4094 + 1023);
    assert_int_equal(frame_owner(mfn(FIRST)), OWNER_RESERVED);
    check_counts();
}

static void test_map_overlapping(void **state)
{
    const struct mem_region regions[] = {
        { { MACHINE_BASE + MIB + 100 }, 10, MEM_ACPI }, /* one frame of the usable memory */
        { { MACHINE_BASE + 8 * MIB }, 16 * MIB, MEM_USABLE },
        { { MACHINE_BASE }, 16 * MIB, MEM_USABLE },          /* half of it again */
        { { MACHINE_BASE + 2 * MIB - 1 }, 2, MEM_RESERVED }, /* touches two frames */
        { { MACHINE_BASE + 3 * MIB }, 0, MEM_BAD },
        { { MACHINE_BASE + 20 * MIB }, UINT64_MAX, MEM_BAD }, /* to the end of all addresses */
    };

    (void)state;
    assert_int_equal(frame_init(regions, 6, NULL, 0), 0);
    assert_int_equal(frame_total(), 20 * 256 - 3);
    assert_int_equal(frame_owner(mfn(FIRST + 256)), OWNER_RESERVED);
    assert_int_equal(frame_owner(mfn(FIRST + 511)), OWNER_RESERVED);
    assert_int_equal(frame_owner(mfn(FIRST + 512)), OWNER_RESERVED);
    check_counts();
}

static void test_map_claims(void **state)
{
    const struct mem_claim claims[] = {
        { { MACHINE_BASE }, 4 * MIB, OWNER_CAISSON },
        { { MACHINE_BASE + 8 * MIB + 5 }, PAGE_SIZE, OWNER_MODULE }, /* two frames */
        { { MACHINE_END - 5 }, 2 * MIB, OWNER_MODULE },              /* beyond the end */
        { { MACHINE_BASE + 9 * MIB }, 0, OWNER_MODULE },
    };
    struct frame_table t;

    (void)state;
    assert_int_equal(frame_init(whole, 1, claims, 4), 0);
    t = frame_table_place();
    assert_true(t.start.v >= MACHINE_BASE + 4 * MIB);
    assert_true(t.start.v + t.bytes <= MACHINE_BASE + 8 * MIB);
    assert_int_equal(frame_count(OWNER_MODULE), 3);
    assert_int_equal(frame_count(OWNER_CAISSON), 1024 + table_frames());
    assert_int_equal(frame_total(), COUNT);
    check_counts();
}

/* Whatever stood in memory before: here, entries that look like heads of free single frames. */
static void test_map_over_remains(void **state)
{
    const struct mem_claim claim = { { MACHINE_BASE + 9 * MIB + PAGE_SIZE }, MIB, OWNER_MODULE };
    const union frame remains = {
        .head = { .next = BUDDY_NONE, .prev = BUDDY_NONE, .state = FRAME_HEAD }
    };
    uint64_t *memory = (uint64_t *)MACHINE_BASE;
    mfn_t m;

    (void)state;
    for (uint64_t i = 0; i < 8 * MIB / 8; i++)
        memory[i] = remains.word;
    assert_int_equal(frame_init(whole, 1, &claim, 1), 0);
    assert_int_equal(frame_count(OWNER_MODULE), MIB / PAGE_SIZE);
    while (frame_alloc(ORDER_4K, 3, &m) == 0)
        assert_false(m.v - (claim.start.v >> PAGE_SHIFT) < MIB / PAGE_SIZE);
    assert_int_equal(frame_count(OWNER_FREE), 0);
}

static void test_map_low(void **state)
{
    const struct mem_region regions[] = {
        { { 0 }, 0x20000, MEM_USABLE },
        { { 0x1f800 }, 0xe0800, MEM_RESERVED },
        whole[0],
    };
    const struct mem_claim claims[] = { { { 0x9000 }, 1, OWNER_MODULE } };
    uint64_t before, low = 0;
    maddr_t m;

    (void)state;
    assert_int_equal(frame_init(regions, 3, claims, 1), 0);
    assert_int_equal(frame_owner(mfn(1)), OWNER_RESERVED);
    assert_int_equal(frame_owner(mfn(9)), OWNER_MODULE);
    before = frame_count(OWNER_CAISSON);
    while ((m = frame_reserve_low()).v) {
        assert_true(m.v >= 0x8000 && m.v < 0x1f000 && m.v != 0x9000);
        assert_int_equal(frame_owner(maddr_to_mfn(m)), OWNER_CAISSON);
        low++;
    }
    assert_int_equal(low, 0x1f - 8 - 1);
    assert_int_equal(frame_count(OWNER_CAISSON), before + low);
    check_counts();
}

static void test_map_too_small(void **state)
{
    const struct mem_region tiny[] = { { { MACHINE_BASE }, 64 * PAGE_SIZE, MEM_USABLE } };
    const struct mem_region low[] = { { { 0 }, 0xa0000, MEM_USABLE } };
    const struct mem_region none[] = { { { MACHINE_BASE }, MACHINE_SIZE, MEM_RESERVED } };
    const struct mem_claim all[] = { { { 0 }, UINT64_MAX, OWNER_MODULE } };

    (void)state;
    assert_int_equal(frame_init(tiny, 1, NULL, 0), -ENOMEM);
    assert_int_equal(frame_init(low, 1, NULL, 0), -ENOMEM);
    assert_int_equal(frame_init(none, 1, NULL, 0), -ENOMEM);
    assert_int_equal(frame_init(NULL, 0, NULL, 0), -ENOMEM);
    assert_int_equal(frame_init(whole, 1, all, 1), -ENOMEM);
}

/* 8 GiB above 4 GiB: in the table from the start, free when windows reach them. */
static void test_map_high(void **state)
{
    const struct mem_region regions[] = {
        { { 0x100000000 }, 0x200000000, MEM_USABLE },
        whole[0],
    };
    struct frame_table t;
    mfn_t m;

    (void)state;
    assert_int_equal(frame_init(regions, 2, NULL, 0), 0);
    t = frame_table_place();
    assert_int_equal(frame_table_size(), 0x300000);
    assert_int_equal(t.bytes, 24 * MIB); /* whole large pages */
    assert_int_equal(t.start.v % (2 * MIB), 0);
    assert_int_equal(frame_total(), COUNT + 0x200000);
    assert_false(frame_take(ZONE_DOMAIN, ORDER_1G, 1, &m));
    frame_table_move((union frame *)t.start.v);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(frame_take(ZONE_DOMAIN, ORDER_1G, 1, &m));
        assert_true(m.v >= 0x100000 && m.v % 0x40000 == 0);
    }
    assert_false(frame_take(ZONE_DOMAIN, ORDER_1G, 1, &m));
    check_counts();
}

/* The table of 1 TiB does not fit: half is lost, with a word, and so on. */
static void test_map_huge(void **state)
{
    const struct mem_region regions[] = {
        whole[0],
        { { 0x100000000 }, UINT64_MAX, MEM_USABLE },
    };

    (void)state;
    assert_int_equal(frame_init(regions, 2, NULL, 0), 0);
    assert_true(frame_table_place().bytes <= MACHINE_SIZE);
    assert_true(frame_table_size() > 4 * END);
    assert_true(fake_log_has("memory above 2097151 MiB stays unused")); /* frames have 29 bits */
    assert_true(fake_log_has("stays unused: no room for its table"));
}

/* ---- Allocation ---- */

static unsigned char *at(mfn_t m)
{
    return (unsigned char *)mfn_to_maddr(m).v;
}

static void test_alloc_scrubs(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(3, 1, &m), 0);
    memset(at(m), 0x77, 8 * PAGE_SIZE);
    frame_free(m, 3, 1);
    assert_int_equal(at(m)[0], FILL_FREED);
    assert_int_equal(at(m)[8 * PAGE_SIZE - 1], FILL_FREED);
    assert_int_equal(frame_alloc(3, 2, &m), 0);
    for (unsigned i = 0; i < 8 * PAGE_SIZE; i++)
        assert_int_equal(at(m)[i], 0);
    assert_int_equal(fake_windows_open, 0);
}

static void test_alloc_pieces(void **state)
{
    uint64_t before = frame_count(OWNER_FREE);
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(9, 1, &m), 0);
    assert_int_equal(m.v % 512, 0);
    assert_int_equal(frame_count(1), 512);
    frame_free(mfn(m.v + 256), 8, 1);
    frame_free(mfn(m.v + 3), 0, 1);
    assert_int_equal(frame_owner(mfn(m.v + 3)), OWNER_FREE);
    assert_int_equal(frame_owner(mfn(m.v + 2)), 1);
    assert_int_equal(frame_count(1), 255);
    for (unsigned i = 0; i < 256; i++) {
        if (i != 3)
            frame_free(mfn(m.v + i), 0, 1);
    }
    assert_int_equal(frame_count(1), 0);
    assert_int_equal(frame_count(OWNER_FREE), before);
    check_counts();
}

static void test_alloc_abuse(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(2, 1, &m), 0);
    EXPECT_PANIC(frame_free(m, 2, 2));                 /* another's */
    EXPECT_PANIC(frame_free(m, 3, 1));                 /* more than was allocated */
    EXPECT_PANIC(frame_free(mfn(END), 0, 1));          /* beyond the table */
    EXPECT_PANIC(frame_free(mfn(0), 0, OWNER_MODULE)); /* a reserved one */
    frame_free(m, 2, 1);
    EXPECT_PANIC(frame_free(m, 2, 1)); /* twice */
    EXPECT_PANIC(frame_free(m, 2, OWNER_FREE));
    EXPECT_PANIC(assert_int_equal(frame_alloc(FRAME_MAX_ORDER + 1, 1, &m), 0));
}

/* A block has one owner, but each part of it is looked after as if it were alone. */
static void test_abuse_within_a_block(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_2M, 1, &m), 0);
    EXPECT_PANIC(frame_free(mfn(m.v + 3), 0, 2)); /* another's */
    assert_int_equal(frame_count(1), 512);
    frame_free(mfn(m.v + 3), 0, 1);
    EXPECT_PANIC(frame_free(mfn(m.v + 3), 0, 1)); /* twice */
    EXPECT_PANIC(frame_free(m, 3, 1));            /* a part of it is gone */
    EXPECT_PANIC(frame_free(m, ORDER_2M, 1));
    EXPECT_PANIC(frame_give(ZONE_HEAP, mfn(m.v + 256), 8, 1)); /* by the wrong door */
    assert_int_equal(frame_count(1), 511);
    check_counts();
    frame_pin(mfn(m.v + 7));
    EXPECT_PANIC(frame_give(ZONE_DOMAIN, mfn(m.v + 4), 2, 1)); /* one is pinned */
    frame_free(mfn(m.v + 4), 2, 1);
    assert_int_equal(frame_count(1), 507);
    assert_int_equal(frame_count(OWNER_PINNED), 1);
    frame_unpin(mfn(m.v + 7));
    check_counts();
}

static void test_zones(void **state)
{
    mfn_t m, half;

    (void)state;
    assert_false(frame_take(ZONE_HEAP, 0, 1, &m));
    assert_true(frame_take(ZONE_DOMAIN, 1, OWNER_CAISSON, &m));
    frame_rezone(m, 1, ZONE_HEAP);
    EXPECT_PANIC(frame_free(m, 1, OWNER_CAISSON)); /* by the wrong door */
    set_up(NULL);
    assert_true(frame_take(ZONE_DOMAIN, 1, OWNER_CAISSON, &m));
    half = mfn(m.v + 1);
    frame_rezone(m, 0, ZONE_HEAP);
    frame_give(ZONE_HEAP, m, 0, OWNER_CAISSON);
    frame_give(ZONE_DOMAIN, half, 0, OWNER_CAISSON); /* does not merge with the other zone's */
    assert_true(frame_take(ZONE_HEAP, 0, 1, &m));
    assert_int_equal(m.v, half.v - 1);
    assert_false(frame_take(ZONE_HEAP, 0, 1, &m));
    check_counts();
}

static void test_fail_nth(void **state)
{
    mfn_t m;

    (void)state;
    frame_fail_nth(3);
    assert_int_equal(frame_alloc(0, 1, &m), 0);
    assert_int_equal(frame_alloc(0, 1, &m), 0);
    assert_int_equal(frame_alloc(0, 1, &m), -ENOMEM);
    assert_int_equal(frame_alloc(0, 1, &m), 0);
    assert_int_equal(frame_count(1), 3);
    frame_fail_nth(1);
    frame_fail_nth(0);
    assert_int_equal(frame_alloc(0, 1, &m), 0);
}

static void test_exhaustion(void **state)
{
    uint64_t before = frame_count(OWNER_FREE), got = 0;
    mfn_t m;

    (void)state;
    while (frame_take(ZONE_DOMAIN, 0, 1, &m))
        got++;
    assert_int_equal(got, before);
    assert_int_equal(frame_alloc(0, 1, &m), -ENOMEM);
    assert_int_equal(frame_count(OWNER_FREE), 0);
    check_counts();
    /* Every second frame: half of the memory is free, and not two frames in one piece. */
    for (uint64_t n = FIRST; n < END; n += 2) {
        if (frame_owner(mfn(n)) == 1)
            frame_give(ZONE_DOMAIN, mfn(n), 0, 1);
    }
    assert_false(frame_take(ZONE_DOMAIN, 1, 1, &m));
    for (uint64_t n = FIRST; n < END; n++) {
        if (frame_owner(mfn(n)) == 1)
            frame_give(ZONE_DOMAIN, mfn(n), 0, 1);
    }
    assert_int_equal(frame_count(OWNER_FREE), before);
    assert_true(frame_take(ZONE_DOMAIN, 14, 1, &m)); /* 64 MiB of the 128: all has merged */
}

/* ---- Against a model ---- */

#define PIECES 400
#define PINS   60

static struct piece {
    mfn_t m;
    unsigned order;
    uint16_t owner;
} pieces[PIECES];
static unsigned piece_count;
static uint16_t model[END]; /* owner of each frame; 0xffff: free */
static uint8_t pins[END];   /* of each frame */
static uint64_t pinned[PINS];
static unsigned pin_count;

/* What is pinned does not become free. */
static void paint(mfn_t m, unsigned order, uint16_t from, uint16_t to)
{
    for (uint64_t n = m.v; n < m.v + (1UL << order); n++) {
        assert_int_equal(model[n], from);
        model[n] = pins[n] ? OWNER_PINNED : to;
    }
}

static void model_alloc(void)
{
    struct piece *p = &pieces[piece_count];

    p->order = rand() % 4 ? (unsigned)rand() % 5 : (unsigned)rand() % 12;
    p->owner = (uint16_t)(rand() % 4);
    if (frame_alloc(p->order, p->owner, &p->m) < 0)
        return;
    assert_int_equal(p->m.v & ((1UL << p->order) - 1), 0);
    paint(p->m, p->order, OWNER_FREE, p->owner);
    piece_count++;
}

/* Frees a piece, or half of it. */
static void model_free(void)
{
    struct piece *p = &pieces[(unsigned)rand() % piece_count];

    if (p->order && rand() % 2) {
        uint64_t half = 1UL << --p->order;
        mfn_t upper = mfn(p->m.v + half), lower = p->m;
        mfn_t gone = rand() % 2 ? upper : lower;

        p->m = gone.v == upper.v ? lower : upper;
        paint(gone, p->order, p->owner, OWNER_FREE);
        frame_free(gone, p->order, p->owner);
        return;
    }
    paint(p->m, p->order, p->owner, OWNER_FREE);
    frame_free(p->m, p->order, p->owner);
    *p = pieces[--piece_count];
}

/* Pins a frame somewhere in a piece. */
static void model_pin(void)
{
    const struct piece *p = &pieces[(unsigned)rand() % piece_count];
    uint64_t n = p->m.v + ((uint64_t)rand() & ((1UL << p->order) - 1));

    frame_pin(mfn(n));
    pins[n]++;
    pinned[pin_count++] = n;
}

static void model_unpin(void)
{
    unsigned i = (unsigned)rand() % pin_count;
    uint64_t n = pinned[i];

    pinned[i] = pinned[--pin_count];
    frame_unpin(mfn(n));
    if (--pins[n] == 0 && model[n] == OWNER_PINNED)
        model[n] = OWNER_FREE;
}

static void check_model(void)
{
    for (uint64_t n = FIRST; n < END; n++) {
        if (model[n] == OWNER_RESERVED)
            continue;
        assert_int_equal(frame_owner(mfn(n)), model[n]);
        if (model[n] != OWNER_FREE)
            assert_int_equal(frame_pins(mfn(n)), pins[n]);
    }
    check_counts();
}

static void test_model(void **state)
{
    uint64_t before = frame_count(OWNER_FREE);
    mfn_t m;

    (void)state;
    srand(7);
    for (uint64_t n = 0; n < END; n++)
        model[n] = frame_owner(mfn(n)) == OWNER_FREE ? OWNER_FREE : OWNER_RESERVED;
    for (unsigned round = 0; round < 6000; round++) {
        if (piece_count && (piece_count == PIECES || rand() % 2))
            model_free();
        else
            model_alloc();
        if (pin_count && (pin_count == PINS || rand() % 5 < 2))
            model_unpin();
        else if (piece_count)
            model_pin();
        if (round % 1500 == 0)
            check_model();
    }
    while (piece_count)
        model_free();
    check_model();
    while (pin_count)
        model_unpin();
    check_model();
    assert_int_equal(frame_count(OWNER_FREE), before);
    assert_true(frame_take(ZONE_DOMAIN, 14, 1, &m));
}

/* ---- Pins ---- */

static void test_pinned_frame_outlives_its_owner(void **state)
{
    uint64_t free_before = frame_count(OWNER_FREE);
    mfn_t m, again;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_4K, 1, &m), 0);
    frame_pin(m);
    frame_pin(m);
    frame_free(m, ORDER_4K, 1);
    assert_int_equal(frame_count(1), 0);
    assert_int_equal(frame_owner(m), OWNER_PINNED);
    assert_int_equal(frame_count(OWNER_PINNED), 1);
    assert_int_equal(frame_alloc(ORDER_4K, 2, &again), 0);
    assert_int_not_equal(again.v, m.v);
    frame_free(again, ORDER_4K, 2);
    frame_unpin(m);
    assert_int_equal(frame_pins(m), 1);
    frame_unpin(m);
    assert_int_equal(frame_count(OWNER_PINNED), 0);
    assert_int_equal(frame_count(OWNER_FREE), free_before);
}

/* Memory that has failed stays out of use for good; only a domain's own RAM can. */
static void test_retired(void **state)
{
    mfn_t m, other;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_2M, 1, &m), 0);
    assert_false(frame_retire(mfn(m.v + 77), 2));
    assert_true(frame_retire(mfn(m.v + 77), 1));
    assert_true(frame_retire(mfn(m.v + 78), 1));
    assert_true(frame_retire(mfn(m.v + 78), 1)); /* it is already */
    assert_int_equal(frame_pins(mfn(m.v + 78)), 1);
    frame_return(mfn(m.v + 78), 1); /* its owner gave it back before it knew */
    assert_int_equal(frame_count(1), 511);
    frame_abandon(mfn(m.v + 77), 1); /* it is not given back */
    assert_int_equal(frame_count(1), 511);
    frame_abandon(mfn(1UL << 36), 1); /* a device's registers, far beyond all RAM */
    frame_free(m, 6, 1);
    frame_free(mfn(m.v + 64), 3, 1);
    frame_free(mfn(m.v + 72), 2, 1);
    frame_free(mfn(m.v + 76), 1, 1);
    frame_free(mfn(m.v + 79), 0, 1);
    frame_free(mfn(m.v + 80), 4, 1);
    frame_free(mfn(m.v + 96), 5, 1);
    frame_free(mfn(m.v + 128), 7, 1);
    frame_free(mfn(m.v + 256), 8, 1);
    assert_int_equal(frame_count(1), 0);
    assert_int_equal(frame_count(OWNER_PINNED), 2);
    assert_int_equal(frame_owner(mfn(m.v + 77)), OWNER_PINNED);
    while (frame_alloc(ORDER_4K, 2, &other) == 0)
        assert_true(other.v < m.v + 77 || other.v > m.v + 78);
    assert_false(frame_retire(mfn(1UL << 40), 1));
}

/* What was given back, and stays pinned for good since, is not its last owner's any more. */
static void test_retired_when_given_back(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_4K, 1, &m), 0);
    frame_pin(m); /* by who has mapped it */
    frame_return(m, 1);
    assert_int_equal(frame_count(1), 1);
    assert_true(frame_retire(m, 1));
    assert_int_equal(frame_count(1), 0);
    assert_int_equal(frame_owner(m), OWNER_PINNED);
    frame_unpin(m);
    assert_int_equal(frame_pins(m), 1);
    assert_int_equal(frame_count(OWNER_PINNED), 1);
}

static void test_unpinned_before_it_is_freed(void **state)
{
    uint64_t free_before = frame_count(OWNER_FREE);
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_4K, 1, &m), 0);
    frame_pin(m);
    frame_unpin(m);
    assert_int_equal(frame_owner(m), 1);
    frame_free(m, ORDER_4K, 1);
    assert_int_equal(frame_count(OWNER_FREE), free_before);
}

static void test_pinned_frame_in_a_block(void **state)
{
    uint64_t free_before = frame_count(OWNER_FREE);
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_2M, 1, &m), 0);
    frame_pin(mfn(m.v + 5));
    frame_free(m, ORDER_2M, 1);
    assert_int_equal(frame_count(1), 0);
    assert_int_equal(frame_count(OWNER_FREE), free_before - 1);
    frame_unpin(mfn(m.v + 5));
    assert_int_equal(frame_count(OWNER_FREE), free_before);
    assert_int_equal(frame_alloc(ORDER_2M, 1, &m), 0);
    assert_int_equal(frame_pins(mfn(m.v + 5)), 0);
    frame_free(m, ORDER_2M, 1);
}

/* ---- How long the lock is held ---- */

#define HOLD_MOST 64 /* blocks that go under it */

static bool watched;
static unsigned used_before, most_gone;

static unsigned used_blocks(void)
{
    const union frame *table = (const union frame *)frame_table_place().start.v;
    unsigned n = 0;

    for (uint64_t i = 0; i < frame_table_size(); i++)
        n += table[i].head.state == FRAME_USED;
    return n;
}

void bound_taken(struct spinlock *lock)
{
    (void)lock;
    if (watched)
        used_before = used_blocks();
}

void bound_given(const struct spinlock *lock)
{
    unsigned left = watched ? used_blocks() : used_before;

    (void)lock;
    if (left < used_before && used_before - left > most_gone)
        most_gone = used_before - left;
}

/* Each of its frames has been somebody's for a while: who saves a domain has a look at all. */
static void test_block_in_pieces(void **state)
{
    uint64_t free_before = frame_count(OWNER_FREE);
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_2M, 1, &m), 0);
    for (uint64_t n = m.v; n < m.v + 512; n++) {
        frame_pin(mfn(n));
        frame_unpin(mfn(n));
    }
    most_gone = 0;
    watched = true;
    frame_free(m, ORDER_2M, 1);
    watched = false;
    assert_in_range(most_gone, 1, HOLD_MOST);
    assert_int_equal(frame_count(OWNER_FREE), free_before);
    check_counts();
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_map_plain),
        TEST(test_map_unaligned),
        TEST(test_map_overlapping),
        TEST(test_map_claims),
        TEST(test_map_over_remains),
        TEST(test_map_low),
        TEST(test_map_too_small),
        TEST(test_map_high),
        TEST(test_map_huge),
        TEST(test_alloc_scrubs),
        TEST(test_alloc_pieces),
        TEST(test_alloc_abuse),
        TEST(test_abuse_within_a_block),
        TEST(test_zones),
        TEST(test_fail_nth),
        TEST(test_exhaustion),
        TEST(test_model),
        TEST(test_pinned_frame_outlives_its_owner),
        TEST(test_retired),
        TEST(test_retired_when_given_back),
        TEST(test_unpinned_before_it_is_freed),
        TEST(test_pinned_frame_in_a_block),
        TEST(test_block_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
