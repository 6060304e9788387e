/* clang-format off */
/* links: mm/aspace.c mm/frame.c mm/account.c mm/frame_map.c mm/block.c mm/buddy.c mm/fill_debug.c lib/bitmap.c tests/fakes/window.c tests/fakes/machine.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Page tables: built by mm/aspace.c, read here by a walker of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "mm/aspace.h"
#include "mm/frame_table.h"
#include "tests/fakes/log.h"
#include "tests/fakes/machine.h"
#include "tests/fakes/panic.h"
#include "tests/fakes/window.h"

#define MIB      0x100000UL
#define PAGES(n) ((n)*PAGE_SIZE)

static const struct aspace_image image = {
    .phys = { MACHINE_BASE + 4 * MIB },
    .text = IMAGE_BASE + 2 * MIB,
    .text_end = IMAGE_BASE + 2 * MIB + PAGES(3),
    .rodata = IMAGE_BASE + 2 * MIB + PAGES(3),
    .rodata_end = IMAGE_BASE + 2 * MIB + PAGES(5),
    .data = IMAGE_BASE + 2 * MIB + PAGES(5),
    .data_end = IMAGE_BASE + 5 * MIB,
};

/* What the test's walker finds at an address. The bits are spelt as the SDM numbers them. */
struct found {
    bool present, writable, executable, user, large;
    uint64_t maddr;
    unsigned type; /* index into the PAT: PAT, PCD, PWT */
};

static struct found walk(uint64_t va)
{
    struct found f = { .present = true, .writable = true, .executable = true, .user = true };
    uint64_t table = fake_cr[3];

    for (int shift = 39; shift >= 12; shift -= 9) {
        uint64_t e = ((uint64_t *)table)[va >> shift & 511];

        if (!(e & 1))
            return (struct found){ 0 };
        f.writable &= e >> 1 & 1;
        f.user &= e >> 2 & 1;
        f.executable &= !(e >> 63);
        table = e & 0x000ffffffffff000UL;
        f.type = (unsigned)(e >> 3 & 3);
        f.large = shift > 12 && (e >> 7 & 1);
        if (f.large || shift == 12) {
            f.maddr = (table & ~((1UL << shift) - 1)) | (va & ((1UL << shift) - 1));
            return f;
        }
    }
    return f;
}

#define ASSERT_MAPPED(va, m, w, x)                                                                 \
    do {                                                                                           \
        struct found f = walk(va);                                                                 \
        assert_true(f.present);                                                                    \
        assert_int_equal(f.maddr, m);                                                              \
        assert_int_equal(f.writable, w);                                                           \
        assert_int_equal(f.executable, x);                                                         \
        assert_false(f.user);                                                                      \
    } while (0)

static void set_up_with(const struct mem_region *regions, unsigned count, uint64_t efer)
{
    const struct mem_claim claims[] = {
        { { MACHINE_BASE + 6 * MIB }, 3 * MIB, OWNER_CAISSON },
        { { MACHINE_BASE + 16 * MIB + PAGES(7) }, 9 * MIB, OWNER_MODULE },
    };
    struct frame_table t;

    fake_machine_map();
    fake_log_reset();
    frame_fail_nth(0);
    wrmsr(MSR_IA32_EFER, efer);
    assert_int_equal(frame_init(regions, count, claims, 2), 0);
    t = frame_table_place();
    fake_machine_alias(FRAMES_BASE, t.start.v, t.bytes);
    assert_int_equal(aspace_init(&image), 0);
}

static const struct mem_region whole[] = { { { MACHINE_BASE }, MACHINE_SIZE, MEM_USABLE } };

static int set_up(void **state)
{
    (void)state;
    set_up_with(whole, 1, EFER_NXE);
    return 0;
}

static void test_image(void **state)
{
    uint64_t m = MACHINE_BASE + 6 * MIB;

    (void)state;
    assert_int_equal(fake_cr[3], aspace_root().v);
    assert_false(walk(IMAGE_BASE + 2 * MIB - 1).present);
    ASSERT_MAPPED(IMAGE_BASE + 2 * MIB, m, false, true);
    ASSERT_MAPPED(IMAGE_BASE + 2 * MIB + PAGES(3) - 1, m + PAGES(3) - 1, false, true);
    ASSERT_MAPPED(IMAGE_BASE + 2 * MIB + PAGES(3), m + PAGES(3), false, false);
    ASSERT_MAPPED(IMAGE_BASE + 2 * MIB + PAGES(5) - 1, m + PAGES(5) - 1, false, false);
    ASSERT_MAPPED(IMAGE_BASE + 2 * MIB + PAGES(5), m + PAGES(5), true, false);
    ASSERT_MAPPED(IMAGE_BASE + 5 * MIB - 1, m + 3 * MIB - 1, true, false);
    assert_false(walk(IMAGE_BASE + 5 * MIB).present);
}

static void test_rest_is_empty(void **state)
{
    struct frame_table t = frame_table_place();

    (void)state;
    assert_false(walk(0).present);
    assert_false(walk(MACHINE_BASE).present);
    assert_false(walk(DIRECT_BASE + MACHINE_BASE).present);
    assert_false(walk(MAP_BASE).present);
    assert_false(walk(STACKS_BASE).present);
    ASSERT_MAPPED(FRAMES_BASE, t.start.v, true, false);
    ASSERT_MAPPED(FRAMES_BASE + t.bytes - 1, t.start.v + t.bytes - 1, true, false);
    assert_false(walk(FRAMES_BASE + t.bytes).present);
    /* The image but its first 2 MiB-aligned large page fits nowhere: 768 pages, and the table. */
    assert_int_equal(aspace_check(), 3 * MIB / PAGE_SIZE + t.bytes / PAGE_SIZE);
    assert_int_equal(fake_windows_open, 0);
}

/* A machine with 8 GiB more: the table of frames is mapped by large pages. */
static void test_large_table(void **state)
{
    const struct mem_region regions[] = { whole[0], { { 0x100000000 }, 0x200000000, MEM_USABLE } };

    (void)state;
    set_up_with(regions, 2, EFER_NXE);
    assert_true(walk(FRAMES_BASE).large);
    assert_int_equal(frame_table_place().bytes, 24 * MIB);
    assert_true(walk(FRAMES_BASE + 24 * MIB - 1).present);
    assert_false(walk(FRAMES_BASE + 24 * MIB).present);
}

static void test_without_nx(void **state)
{
    (void)state;
    set_up_with(whole, 1, 0);
    ASSERT_MAPPED(IMAGE_BASE + 2 * MIB + PAGES(3), MACHINE_BASE + 6 * MIB + PAGES(3), false, true);
    ASSERT_MAPPED(IMAGE_BASE + 5 * MIB - 1, MACHINE_BASE + 9 * MIB - 1, true, true);
    assert_true(aspace_check() > 0);
}

static void test_direct(void **state)
{
    uint64_t before = frame_count(OWNER_FREE);
    mfn_t large, small;

    (void)state;
    assert_true(frame_take(ZONE_DOMAIN, 9, 1, &large));
    assert_int_equal(aspace_map_direct(large, 9), 0);
    assert_int_equal(frame_count(OWNER_FREE), before - 512); /* no table was needed */
    ASSERT_MAPPED(DIRECT_BASE + mfn_to_maddr(large).v, mfn_to_maddr(large).v, true, false);
    assert_true(walk(DIRECT_BASE + mfn_to_maddr(large).v).large);
    assert_true(frame_take(ZONE_DOMAIN, 9, 1, &small));
    assert_int_equal(aspace_map_direct(small, 1), 0);
    ASSERT_MAPPED(DIRECT_BASE + mfn_to_maddr(small).v + PAGE_SIZE,
                  mfn_to_maddr(small).v + PAGE_SIZE, true, false);
    assert_false(walk(DIRECT_BASE + mfn_to_maddr(small).v + 2 * PAGE_SIZE).present);
}

static void test_map_kinds(void **state)
{
    static const struct {
        enum aspace_kind kind;
        bool writable;
        unsigned type;
    } kinds[] = {
        { ASPACE_RO, false, 0 },
        { ASPACE_RW, true, 0 },
        { ASPACE_UC, true, 3 },
        { ASPACE_WC, true, 1 },
    };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t va = (uint64_t)aspace_map(maddr(0xfee00ff0), 0x20, kinds[i].kind);

        ASSERT_MAPPED(va, 0xfee00ff0, kinds[i].writable, false);
        ASSERT_MAPPED(va + 0x1f, 0xfee0100f, kinds[i].writable, false);
        assert_int_equal(walk(va).type, kinds[i].type);
        assert_false(walk(va + 0x1010).present); /* nothing behind it */
    }
    assert_int_equal(0x0007040600070106 >> 8 * 1 & 0xff, 1); /* PAT entry 1 is WC */
}

static void test_map_large(void **state)
{
    uint64_t m = MACHINE_BASE + 16 * MIB + PAGES(7);
    uint64_t va = (uint64_t)aspace_map(maddr(m), 9 * MIB, ASPACE_RO);

    (void)state;
    for (uint64_t at = 0; at < 9 * MIB; at += PAGE_SIZE)
        ASSERT_MAPPED(va + at, m + at, false, false);
    assert_false(walk(va).large);
    assert_true(walk(va + 4 * MIB).large);
    assert_false(walk(va + 9 * MIB).present);
    assert_false(walk(va - 1).present);
    assert_true(aspace_check() > 0);
}

static void test_map_refused(void **state)
{
    mfn_t m;

    (void)state;
    assert_null(aspace_map(maddr(MACHINE_END - PAGE_SIZE), 16, ASPACE_RW)); /* free */
    assert_int_equal(frame_alloc(0, 3, &m), 0);
    assert_null(aspace_map(mfn_to_maddr(m), 16, ASPACE_RO)); /* a domain's */
    assert_null(aspace_map(maddr(UINT64_MAX - 16), 64, ASPACE_RO));
    assert_null(aspace_map(maddr(0x000fffffffffffff), 64, ASPACE_RO));
    assert_null(aspace_map(maddr(0xf0000000), SIZE_MAX, ASPACE_RO));
    assert_int_equal(fake_log_lines[0], 5);
}

/* Firmware says where registers are, and may be wrong: never in memory that is in use. */
static void test_no_registers_in_memory(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        maddr_t ours = maddr(MACHINE_BASE + (i ? 6 : 17) * MIB); /* Caisson's; a module */

        assert_non_null(aspace_map(ours, 16, ASPACE_RO));
        assert_null(aspace_map(ours, 16, ASPACE_UC));
        assert_null(aspace_map(ours, 16, ASPACE_WC));
    }
}

/* An entry with an address beyond what the CPU has would be a fault at the first touch. */
static void test_beyond_the_cpu(void **state)
{
    (void)state;
    assert_non_null(aspace_map(maddr((1UL << FAKE_MADDR_BITS) - 16), 16, ASPACE_UC));
    assert_null(aspace_map(maddr((1UL << FAKE_MADDR_BITS) - 16), 17, ASPACE_UC));
    assert_null(aspace_map(maddr(1UL << FAKE_MADDR_BITS), 16, ASPACE_RO));
    assert_null(aspace_map(maddr(0), (1UL << FAKE_MADDR_BITS) + 1, ASPACE_UC));
}

static void test_stacks(void **state)
{
    uint64_t a = (uint64_t)aspace_stack(), b = (uint64_t)aspace_stack();

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t top = i ? b : a;

        assert_int_equal(top % 16, 0);
        assert_false(walk(top).present);
        assert_true(walk(top - 1).writable);
        assert_false(walk(top - 1).executable);
        assert_true(walk(top - PAGES(STACK_PAGES)).present);
        assert_false(walk(top - PAGES(STACK_PAGES) - 1).present);
    }
    assert_true(a != b);
}

/* Out of memory wherever it can strike: an answer, no panic. */
static void test_no_memory(void **state)
{
    uint64_t n = 1;
    void *p = NULL;

    (void)state;
    for (; !p; n++) {
        frame_fail_nth(n);
        p = aspace_map(maddr(0xd0000000 + n * 0x40000000), 16, ASPACE_UC);
    }
    frame_fail_nth(1);
    assert_null(aspace_stack());
    for (n = 1; n < 11; n++) { /* ten tables, one after the other */
        assert_int_equal(frame_init(whole, 1, NULL, 0), 0);
        frame_fail_nth(n);
        assert_int_equal(aspace_init(&image), -ENOMEM);
    }
    assert_int_equal(frame_init(whole, 1, NULL, 0), 0);
    frame_fail_nth(n);
    assert_int_equal(aspace_init(&image), 0);
}

static uint64_t *entry_of(uint64_t va)
{
    uint64_t table = fake_cr[3];

    for (int shift = 39; shift > 12; shift -= 9)
        table = ((uint64_t *)table)[va >> shift & 511] & 0x000ffffffffff000UL;
    return &((uint64_t *)table)[va >> 12 & 511];
}

/* aspace_check() must be able to fail. */
static void test_check_finds(void **state)
{
    uint64_t *text = entry_of(IMAGE_BASE + 2 * MIB), good = *text;
    uint64_t *low = (uint64_t *)fake_cr[3];

    (void)state;
    *text = good | 2;
    EXPECT_PANIC(aspace_check());
    fake_windows_open = 0;
    *text = good | 4;
    EXPECT_PANIC(aspace_check());
    fake_windows_open = 0;
    *text = good;
    *low = MACHINE_BASE | 3;
    EXPECT_PANIC(aspace_check());
    fake_windows_open = 0;
    *low = 0;
    assert_true(aspace_check() > 0);
}

/* The last test: the panic leaves the lock taken. */
static void test_twice(void **state)
{
    mfn_t m;

    (void)state;
    assert_true(frame_take(ZONE_DOMAIN, 0, 1, &m));
    assert_int_equal(aspace_map_direct(m, 0), 0);
    EXPECT_PANIC(assert_int_equal(aspace_map_direct(m, 0), 0));
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_image),          TEST(test_rest_is_empty), TEST(test_large_table),
        TEST(test_without_nx),     TEST(test_direct),        TEST(test_map_kinds),
        TEST(test_map_large),      TEST(test_map_refused),   TEST(test_no_registers_in_memory),
        TEST(test_beyond_the_cpu), TEST(test_stacks),        TEST(test_no_memory),
        TEST(test_check_finds),    TEST(test_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
