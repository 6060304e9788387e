/* links: virt/slat.c tests/fakes/heap.c tests/fakes/panic.c */
/*
 * virt/slat.c against a plain array that says what each frame of a small guest is mapped to: all
 * with VT-x's entries and with AMD-V's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "mm/frame.h"
#include "tests/fakes/heap.h"
#include "svm/npt.h"
#include "virt/slat.h"
#include "virt/virt.h"
#include "vmx/ept.h"

#define DOMAIN 5
#define FRAMES (6 * 512)   /* of the model, from gfn BASE on */
#define BASE   (1UL << 18) /* a 1 GiB boundary */

struct virt_caps virt_caps;
static const struct slat_format formats[] = { EPT_FORMAT, NPT_FORMAT };
static enum { EPT, NPT } form; /* of the tests that follow */

struct model {
    bool mapped;
    struct slat_entry e;
};
static struct model model[FRAMES];

static int setup(void **state)
{
    (void)state;
    virt_caps = (struct virt_caps){ .slat = formats[form], .slat_1g = true, .slat_2m = true };
    memset(model, 0, sizeof(model));
    return 0;
}

/* What a mapping of this type is found to have: AMD-V's have neither WT nor WP. */
static enum slat_type kept(enum slat_type type)
{
    return form == NPT && (type == SLAT_WT || type == SLAT_WP) ? SLAT_UC : type;
}

static void assert_mapped(struct slat *e, uint64_t g, const struct slat_entry *want)
{
    struct slat_entry got;
    assert_int_equal(slat_lookup(e, gfn(g), &got), 0);
    assert_int_equal(got.mfn.v, want->mfn.v);
    assert_int_equal(got.rights, want->rights);
    assert_int_equal(got.type, kept(want->type));
}

static void compare(struct slat *e)
{
    for (unsigned i = 0; i < FRAMES; i++) {
        struct slat_entry got;
        if (model[i].mapped)
            assert_mapped(e, BASE + i, &model[i].e);
        else
            assert_int_equal(slat_lookup(e, gfn(BASE + i), &got), -ENOENT);
    }
}

static bool is_free(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        if (model[i].mapped)
            return false;
    return true;
}

static void map_and_model(struct slat *e, unsigned first, unsigned order)
{
    static const enum slat_type types[] = { SLAT_UC, SLAT_WC, SLAT_WT, SLAT_WP, SLAT_WB };
    unsigned count = 1u << order;
    struct slat_entry want = { .mfn = mfn((uint64_t)(rand() % 4096) << 9),
                               .rights = SLAT_R | (rand() & (SLAT_W | SLAT_X)),
                               .type = types[rand() % 5] };
    int err = slat_map(e, gfn(BASE + first), want.mfn, order, want.rights, want.type);
    assert_int_equal(err, is_free(first, count) ? 0 : -EEXIST);
    slat_free_cut(e);
    if (err)
        return;
    for (unsigned i = 0; i < count; i++) {
        model[first + i] = (struct model){ true, want };
        model[first + i].e.mfn.v += i;
    }
}

static void count_mapping(void *ctx, gfn_t g, const struct slat_entry *entry)
{
    uint64_t *next = ctx;
    assert_true(g.v >= *next); /* in order, none twice */
    for (unsigned i = 0; i < 1u << entry->order; i++)
        assert_true(model[g.v - BASE + i].mapped);
    assert_int_equal(entry->mfn.v, model[g.v - BASE].e.mfn.v);
    *next = g.v + (1UL << entry->order);
}

static void test_random(void **state)
{
    (void)state;
    struct slat e;
    srand(1);
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = rand() % FRAMES;
        if (rand() % 100 == 0) {
            map_and_model(&e, i & ~511u, ORDER_2M);
        } else if (rand() % 3 == 0) {
            map_and_model(&e, i, ORDER_4K);
        } else if (rand() % 50 == 0) {
            for (i &= ~511u; i % 512 != 511; i++) { /* empty a table but for its last entry */
                assert_int_equal(slat_unmap(&e, gfn(BASE + i)), 0);
                model[i].mapped = false;
            }
        } else {
            assert_int_equal(slat_unmap(&e, gfn(BASE + i)), 0);
            model[i].mapped = false;
        }
        if (round % 1000 == 0)
            compare(&e);
    }
    compare(&e);
    uint64_t next = 0;
    assert_int_equal(e.tables, frame_count(DOMAIN));
    assert_true(slat_drain(&e, UINT32_MAX, count_mapping, &next));
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

static void test_large(void **state)
{
    (void)state;
    struct slat e;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    assert_int_equal(slat_map(&e, gfn(BASE), mfn(1UL << 18), ORDER_1G, SLAT_RWX, SLAT_WB), 0);
    struct slat_entry got;
    assert_int_equal(slat_lookup(&e, gfn(BASE + 12345), &got), 0);
    assert_int_equal(got.mfn.v, (1UL << 18) + 12345);
    assert_int_equal(got.order, ORDER_1G);

    assert_int_equal(slat_unmap(&e, gfn(BASE + 12345)), 0); /* splits twice */
    assert_int_equal(slat_lookup(&e, gfn(BASE + 12345), &got), -ENOENT);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 12344), &got), 0);
    assert_int_equal(got.mfn.v, (1UL << 18) + 12344);
    assert_int_equal(got.order, ORDER_4K);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 200000), &got), 0);
    assert_int_equal(got.mfn.v, (1UL << 18) + 200000);
    assert_int_equal(got.order, ORDER_2M);
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

static void ignore_mapping(void *ctx, gfn_t g, const struct slat_entry *entry)
{
    (void)ctx, (void)g, (void)entry;
}

/* A call gives back as many tables as its work is for, though nothing is mapped in them: each is
 * filled in a debug build, and those who wait feel it. */
static void test_drain_of_tables(void **state)
{
    (void)state;
    struct slat e;
    const unsigned most = 2;
    uint64_t before;
    bool over;

    assert_int_equal(slat_init(&e, DOMAIN), 0);
    for (uint64_t n = 0; n < 8; n++) {
        gfn_t g = gfn(n << ORDER_1G);
        assert_int_equal(slat_map(&e, g, mfn(1), ORDER_4K, SLAT_RWX, SLAT_WB), 0);
        assert_int_equal(slat_unmap(&e, g), 0);
    }
    assert_true(e.tables >= 16);
    do {
        before = e.tables;
        over = slat_drain(&e, most * SLAT_DRAIN_TABLE, ignore_mapping, NULL);
        assert_true(before - e.tables <= most);
    } while (!over);
    assert_int_equal(e.tables, 1);
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

/* The bits themselves, since everything else here would pass with any encoding. */
static void assert_format(uint64_t pointer, uint64_t large, uint64_t read_only, uint64_t combining)
{
    struct slat e;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    assert_int_equal(e.pointer, (uintptr_t)e.root | pointer);
    assert_int_equal(slat_map(&e, gfn(0), mfn(0x200), ORDER_2M, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(slat_map(&e, gfn(0x200), mfn(0x123), ORDER_4K, SLAT_R, SLAT_UC), 0);
    assert_int_equal(slat_map(&e, gfn(0x201), mfn(0x456), ORDER_4K, SLAT_RWX, SLAT_WC), 0);
    uint64_t *l2 = (void *)(uintptr_t)(e.root[0] & ~0xFFFUL);
    uint64_t *l1 = (void *)(uintptr_t)(l2[0] & ~0xFFFUL);
    uint64_t *l0 = (void *)(uintptr_t)(l1[1] & ~0xFFFUL);
    assert_int_equal(e.root[0] & 0xFFF, 7);
    assert_int_equal(l1[0], large);
    assert_int_equal(l0[0], read_only);
    assert_int_equal(l0[1], combining);
    slat_destroy(&e);
}

static void test_format(void **state)
{
    (void)state;
    if (form == EPT) /* 4 levels, write-back; bits 5:3 are the type */
        assert_format(0x1E, 0x2000B7, 0x123001, 0x45600F);
    else /* U, A, D; PCD and PWT choose from PAGING_PAT; NX */
        assert_format(0, 0x2000E7, 0x800000000012307D, 0x45606F);
}

static void test_refusals(void **state)
{
    (void)state;
    struct slat e;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    static const struct {
        uint64_t gfn, mfn;
        unsigned order, rights, type;
    } bad[] = {
        { 1, 0, ORDER_2M, SLAT_RWX, SLAT_WB },
        { 0, 1, ORDER_2M, SLAT_RWX, SLAT_WB },
        { 512, 0, ORDER_1G, SLAT_RWX, SLAT_WB },
        { 1UL << 36, 0, ORDER_4K, SLAT_RWX, SLAT_WB },
        { 0, 1UL << 40, ORDER_4K, SLAT_RWX, SLAT_WB },
        { 0, 0, 1, SLAT_RWX, SLAT_WB },
        { 0, 0, ORDER_4K, 0, SLAT_WB },
        { 0, 0, ORDER_4K, SLAT_W, SLAT_WB },
        { 0, 0, ORDER_4K, SLAT_W | SLAT_X, SLAT_WB },
        { 0, 0, ORDER_4K, 64 | SLAT_R, SLAT_WB },
        { 0, 0, ORDER_4K, SLAT_RWX, 2 },
        { 0, 0, ORDER_4K, SLAT_RWX, 7 },
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(slat_map(&e, gfn(bad[i].gfn), mfn(bad[i].mfn), bad[i].order, bad[i].rights,
                                  (enum slat_type)bad[i].type),
                         -EINVAL);
    virt_caps = (struct virt_caps){ .slat = formats[form] };
    assert_int_equal(slat_map(&e, gfn(0), mfn(0), ORDER_1G, SLAT_RWX, SLAT_WB), -EINVAL);
    assert_int_equal(slat_map(&e, gfn(0), mfn(0), ORDER_2M, SLAT_RWX, SLAT_WB), -EINVAL);
    struct slat_entry got;
    assert_int_equal(slat_unmap(&e, gfn(1UL << 36)), 0);
    assert_int_equal(slat_lookup(&e, gfn(1UL << 36), &got), -ENOENT);
    assert_int_equal(e.tables, 1);
    slat_destroy(&e);
}

/* A large mapping may come where small ones were, but not where one still is. */
static void test_refill(void **state)
{
    (void)state;
    struct slat e;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    assert_int_equal(slat_map(&e, gfn(BASE + 3), mfn(7), ORDER_4K, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(slat_map(&e, gfn(BASE), mfn(512), ORDER_2M, SLAT_RWX, SLAT_WB), -EEXIST);
    assert_int_equal(slat_map(&e, gfn(BASE), mfn(1 << 18), ORDER_1G, SLAT_RWX, SLAT_WB), -EEXIST);
    assert_int_equal(slat_unmap(&e, gfn(BASE + 3)), 0);
    assert_int_equal(e.tables, 4);
    assert_int_equal(slat_map(&e, gfn(BASE), mfn(1 << 18), ORDER_1G, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(e.tables, 4); /* somebody may be in them */
    assert_int_equal(slat_map(&e, gfn(BASE * 2), mfn(7), ORDER_4K, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(slat_unmap(&e, gfn(BASE * 2)), 0);
    assert_int_equal(slat_map(&e, gfn(BASE * 2), mfn(512), ORDER_2M, SLAT_RWX, SLAT_WB), -EEXIST);
    slat_free_cut(&e);
    assert_int_equal(e.tables, 4);
    assert_int_equal(slat_map(&e, gfn(BASE * 2), mfn(512), ORDER_2M, SLAT_RWX, SLAT_WB), 0);
    slat_free_cut(&e);
    assert_int_equal(e.tables, 3);
    slat_free_cut(&e);
    assert_int_equal(slat_map(&e, gfn(BASE + 3), mfn(7), ORDER_4K, SLAT_RWX, SLAT_WB), -EEXIST);
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

/* Every allocation fails once; nothing is lost and the same call then works. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct slat e;
    struct slat_entry got;
    frame_fail_nth(1);
    assert_int_equal(slat_init(&e, DOMAIN), -ENOMEM);
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    for (unsigned n = 1; n <= 3; n++) {
        frame_fail_nth(n);
        int err = slat_map(&e, gfn(BASE * n), mfn(9), ORDER_4K, SLAT_RWX, SLAT_WB);
        frame_fail_nth(0);
        if (err) {
            assert_int_equal(err, -ENOMEM);
            assert_int_equal(slat_lookup(&e, gfn(BASE * n), &got), -ENOENT);
            assert_int_equal(slat_map(&e, gfn(BASE * n), mfn(9), ORDER_4K, SLAT_RWX, SLAT_WB), 0);
        }
    }
    assert_int_equal(slat_map(&e, gfn(BASE * 9), mfn(1 << 18), ORDER_1G, SLAT_RWX, SLAT_WB), 0);
    for (unsigned n = 1; n <= 2; n++) {
        frame_fail_nth(n);
        assert_int_equal(slat_unmap(&e, gfn(BASE * 9 + 5)), -ENOMEM);
        assert_int_equal(slat_lookup(&e, gfn(BASE * 9 + 5), &got), 0);
        assert_int_equal(got.mfn.v, (1 << 18) + 5);
        if (n == 1)
            continue;
        frame_fail_nth(0);
        assert_int_equal(slat_unmap(&e, gfn(BASE * 9 + 5)), 0);
    }
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

static struct slat_entry place_of(struct slat *e, uint64_t g)
{
    struct slat_entry place;

    assert_int_equal(slat_lookup(e, gfn(g), &place), -ENOENT);
    return place;
}

/* How much room there is around a gfn behind which nothing is. */
static void test_room(void **state)
{
    (void)state;
    struct slat e;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    assert_int_equal(place_of(&e, BASE).order, 27); /* all that the root's entry covers */
    assert_int_equal(slat_map(&e, gfn(BASE + 1), mfn(1), ORDER_4K, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(place_of(&e, BASE).order, ORDER_4K);
    assert_int_equal(place_of(&e, BASE + 512).order, ORDER_2M);
    assert_int_equal(place_of(&e, BASE + (1 << ORDER_1G)).order, ORDER_1G);
    assert_null(place_of(&e, 1UL << 36).slot); /* beyond what can be mapped */
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

/* Tables are made where there are none. */
static void test_reach(void **state)
{
    (void)state;
    struct slat e;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    struct slat_entry place = place_of(&e, BASE + 5);
    assert_int_equal(slat_reach(&e, gfn(BASE + 5), &place), 0);
    assert_int_equal(place.order, ORDER_4K);
    assert_ptr_equal(place.slot, place_of(&e, BASE + 5).slot);
    place = place_of(&e, 1UL << 36);
    assert_int_equal(slat_reach(&e, gfn(1UL << 36), &place), -EINVAL);
    place = place_of(&e, 9 * BASE);
    frame_fail_nth(2);
    assert_int_equal(slat_reach(&e, gfn(9 * BASE), &place), -ENOMEM);
    frame_fail_nth(0);
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

/* A mapping is put and taken where it was looked up, and found in the table of the last look: for
 * as long as that is there. */
static void test_put_and_take(void **state)
{
    (void)state;
    struct slat e;
    struct slat_entry got;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    struct slat_entry place = place_of(&e, BASE + 5);
    assert_int_equal(slat_put(&e, gfn(BASE + 5), &place, mfn(7), 0, SLAT_WB), -EINVAL);
    frame_fail_nth(2);
    assert_int_equal(slat_put(&e, gfn(BASE + 5), &place, mfn(7), SLAT_R, SLAT_WB), -ENOMEM);
    frame_fail_nth(0);
    place = place_of(&e, BASE + 5);
    assert_int_equal(slat_put(&e, gfn(BASE + 5), &place, mfn(7), SLAT_R, SLAT_WB), 0);
    place = place_of(&e, BASE + 6);
    assert_int_equal(place.order, ORDER_4K);
    assert_int_equal(slat_put(&e, gfn(BASE + 6), &place, mfn(8), SLAT_RWX, SLAT_UC), 0);
    assert_mapped(&e, BASE + 5,
                  &(struct slat_entry){ .mfn = mfn(7), .rights = SLAT_R, .type = SLAT_WB });
    assert_mapped(&e, BASE + 6,
                  &(struct slat_entry){ .mfn = mfn(8), .rights = SLAT_RWX, .type = SLAT_UC });
    assert_int_equal(place_of(&e, BASE + 512 + 5).order, ORDER_2M);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 5), &got), 0);
    slat_take(&got, true);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 6), &got), 0);
    slat_take(&got, false);
    assert_true(place_of(&e, BASE + 5).hole && !place_of(&e, BASE + 6).hole);
    place = place_of(&e, BASE + 5);
    assert_int_equal(slat_put(&e, gfn(BASE + 5), &place, mfn(7), SLAT_R, SLAT_WB), 0);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 5), &got), 0);
    slat_take(&got, false);
    /* A large mapping takes the table's place. */
    assert_int_equal(slat_map(&e, gfn(BASE), mfn(0x200), ORDER_2M, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 5), &got), 0);
    assert_int_equal(got.order, ORDER_2M);
    assert_int_equal(got.mfn.v, 0x205);
    slat_free_cut(&e);
    /* And all goes. */
    assert_int_equal(slat_map(&e, gfn(BASE + 512), mfn(9), ORDER_4K, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 512), &got), 0);
    assert_true(slat_drain(&e, UINT32_MAX, ignore_mapping, NULL));
    assert_true(place_of(&e, BASE + 512).order > ORDER_2M);
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

static void test_fill(void **state)
{
    (void)state;
    struct slat e;
    struct slat_entry got;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    assert_int_equal(slat_map(&e, gfn(BASE + 1), mfn(1), ORDER_4K, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(slat_punch(&e, gfn(BASE + 3)), 0);
    assert_true(place_of(&e, BASE + 3).hole);
    struct slat_entry place = place_of(&e, BASE + 2);
    assert_false(place.hole);
    slat_fill(&place, gfn(BASE + 2), mfn(77), ORDER_4K, SLAT_WT);
    assert_int_equal(slat_lookup(&e, gfn(BASE + 2), &got), 0);
    assert_int_equal(got.mfn.v, 77);
    assert_int_equal(got.order, ORDER_4K);
    assert_int_equal(got.rights, SLAT_RWX);
    assert_int_equal(got.type, kept(SLAT_WT));
    assert_true(place_of(&e, BASE + 3).hole);
    place = place_of(&e, BASE + 9); /* eight at once */
    assert_true(slat_is_vacant(&place, gfn(BASE + 9), 3));
    slat_fill(&place, gfn(BASE + 9), mfn(80), 3, SLAT_WB);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(slat_lookup(&e, gfn(BASE + 8 + i), &got), 0);
        assert_int_equal(got.mfn.v, 80 + i);
    }
    for (unsigned i = 4; i < 8; i++) { /* not where there is something, be it a hole */
        place = place_of(&e, BASE + i);
        assert_false(slat_is_vacant(&place, gfn(BASE + i), 3));
        assert_true(slat_is_vacant(&place, gfn(BASE + i), 2));
    }
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

/* How many entries of that level and below have these bits set, of a table of that level. */
static unsigned count(const uint64_t *table, unsigned level, bool large, uint64_t bits)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 512; i++) {
        bool leaf = table[i] && (level == 0 || table[i] & 1UL << 7);
        uint64_t rights = table[i] & ~(table[i] >> 61); /* NX takes SLAT_X away */
        if (leaf)
            n += (large ? level > 0 : level == 0) && (rights & bits) == bits;
        else if (table[i])
            n += count((const void *)(table[i] & 0xFFFFFFFFFF000), level - 1, large, bits);
    }
    return n;
}

/* A large mapping that is executable only when small: by each fetch one of 1 GiB loses 2 MiB at
 * most, which become single frames; the rest stays as it is. */
static void test_execute_small(void **state)
{
    struct slat e;
    struct slat_entry got;
    const unsigned rights = SLAT_R | SLAT_W | SLAT_X_SMALL;

    (void)state;
    assert_int_equal(slat_init(&e, DOMAIN), 0);
    assert_int_equal(slat_map(&e, gfn(BASE), mfn(1UL << 18), ORDER_1G, rights, SLAT_WB), 0);
    assert_int_equal(slat_map(&e, gfn(0), mfn(512), ORDER_2M, SLAT_R | SLAT_W, SLAT_WB), 0);
    assert_int_equal(count(e.root, 3, true, SLAT_X), 0);
    assert_int_equal(count(e.root, 3, true, SLAT_R | SLAT_W), 2);
    uint64_t tables = e.tables;
    assert_int_equal(slat_split_to_execute(&e, gfn(BASE + 1000)), 0);
    assert_int_equal(e.tables, tables + 2);
    assert_int_equal(count(e.root, 3, true, SLAT_X), 0);
    assert_int_equal(count(e.root, 3, true, SLAT_R | SLAT_W), 511 + 1);
    assert_int_equal(count(e.root, 3, false, SLAT_RWX), 512);
    for (unsigned i = 0; i < 2048; i += 7) {
        bool small = i >= 512 && i < 1024;
        assert_int_equal(slat_lookup(&e, gfn(BASE + i), &got), 0);
        assert_int_equal(got.mfn.v, (1UL << 18) + i);
        assert_int_equal(got.order, small ? ORDER_4K : ORDER_2M);
        assert_int_equal(got.rights, small ? SLAT_RWX : rights);
    }
    assert_int_equal(slat_split_to_execute(&e, gfn(BASE + 1001)), 0); /* as it is already */
    assert_int_equal(e.tables, tables + 2);
    frame_fail_nth(1);
    assert_int_equal(slat_split_to_execute(&e, gfn(BASE + 5000)), -ENOMEM);
    frame_fail_nth(0);
    assert_int_equal(slat_split_to_execute(&e, gfn(7)), -EFAULT); /* never was executable */
    assert_int_equal(slat_split_to_execute(&e, gfn(5000)), -EFAULT);
    assert_int_equal(slat_lookup(&e, gfn(7), &got), 0);
    assert_int_equal(got.order, ORDER_2M);
    assert_int_equal(slat_unmap(&e, gfn(BASE + 3)), 0);
    assert_int_equal(count(e.root, 3, true, SLAT_X), 0);
    slat_destroy(&e);
    assert_int_equal(fake_heap_in_use(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_random, setup),
        cmocka_unit_test_setup(test_large, setup),
        cmocka_unit_test_setup(test_drain_of_tables, setup),
        cmocka_unit_test_setup(test_room, setup),
        cmocka_unit_test_setup(test_reach, setup),
        cmocka_unit_test_setup(test_put_and_take, setup),
        cmocka_unit_test_setup(test_fill, setup),
        cmocka_unit_test_setup(test_format, setup),
        cmocka_unit_test_setup(test_refusals, setup),
        cmocka_unit_test_setup(test_refill, setup),
        cmocka_unit_test_setup(test_out_of_memory, setup),
        cmocka_unit_test_setup(test_execute_small, setup),
    };
    int failed = cmocka_run_group_tests_name("extended page tables", tests, NULL, NULL);

    form = NPT;
    return failed + cmocka_run_group_tests_name("nested page tables", tests, NULL, NULL);
}
