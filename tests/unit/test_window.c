/* links: mm/window.c tests/fakes/panic.c */
/*
 * Windows: their page tables, read by pointer, with the host's memory where the slots would be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "mm/aspace.h"
#include "mm/window.h"
#include "tests/fakes/panic.h"

#define LARGE   0x200000UL
#define ADDRESS 0x000ffffffffff000UL
/* P, W, A, D; NX */
#define LEAF (1UL << 63 | 0x63)

uint64_t aspace_nx(void)
{
    return 1UL << 63;
}

static const uint64_t *pdpt, *directory, *table;

/* Before the start: one to one. */
static void test_boot(void **state)
{
    static char page[PAGE_SIZE];
    void *p = mmap((void *)0x10000000, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    (void)state;
    assert_ptr_equal(window_open(mfn(0x12345)), 0x12345000);
    window_close((void *)0x12345000);
    EXPECT_PANIC(window_open(mfn(0x100000))); /* 4 GiB */
    window_fill(mfn(0x10000), 1, 0x5a);
    memset(page, 0x5a, PAGE_SIZE);
    assert_memory_equal(p, page, PAGE_SIZE);
    assert_memory_equal((char *)p + PAGE_SIZE, page, PAGE_SIZE);
}

static void test_start(void **state)
{
    (void)state;
    /* An image whose machine address is its virtual address: targets of entries are pointers. */
    pdpt = (const uint64_t *)window_table(maddr(IMAGE_BASE)).v;
    window_start();
    assert_int_equal(pdpt[0] & ~ADDRESS, 0x23);
    directory = (const uint64_t *)(pdpt[0] & ADDRESS);
    assert_int_equal(directory[0] & ~ADDRESS, 0x23);
    table = (const uint64_t *)(directory[0] & ADDRESS);
    for (unsigned i = 1; i < 512; i++)
        assert_true(pdpt[i] == 0 && directory[i] == 0 && table[i] == 0);
}

static void test_slots(void **state)
{
    (void)state;
    for (volatile unsigned cpu = 0; cpu < MAX_PCPUS; cpu += 21) {
        void *open[WINDOW_SLOTS];
        uint64_t flushed;

        fake_cpu_id = cpu;
        for (unsigned i = 0; i < WINDOW_SLOTS; i++) {
            unsigned slot = cpu * WINDOW_SLOTS + i;

            open[i] = window_open(mfn(0xabcdef000 + i));
            assert_int_equal((uint64_t)open[i], WINDOW_BASE + slot * PAGE_SIZE);
            assert_int_equal(table[slot], (0xabcdef000 + i) << 12 | LEAF);
        }
        EXPECT_PANIC(window_open(mfn(1))); /* one too many */
        flushed = fake_invlpg_count;
        for (unsigned i = WINDOW_SLOTS; i > 0; i--) {
            window_close((char *)open[i - 1] + 123); /* anywhere in it will do */
            assert_int_equal(table[cpu * WINDOW_SLOTS + i - 1], 0);
            assert_ptr_equal(fake_invlpg_last, open[i - 1]);
        }
        assert_int_equal(fake_invlpg_count, flushed + WINDOW_SLOTS);
    }
    fake_cpu_id = 0;
}

static void test_fill(void **state)
{
    static char page[PAGE_SIZE];
    char *small, *large;

    (void)state;
    fake_cpu_id = 3;
    small = mmap((void *)(WINDOW_BASE + 3 * WINDOW_SLOTS * PAGE_SIZE), PAGE_SIZE,
                 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    large = mmap((void *)(WINDOW_BASE + 4 * LARGE), LARGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(page, 0x5a, sizeof(page));
    window_fill(mfn(8), 3, 0x5a);
    assert_memory_equal(small, page, PAGE_SIZE);
    assert_int_equal(large[0], 0);
    fake_invlpg_count = 0;
    window_fill(mfn(0x400), 10, 0x5a); /* two large pages */
    assert_int_equal(fake_invlpg_count, 2);
    assert_ptr_equal(fake_invlpg_last, large);
    for (uint64_t at = 0; at < LARGE; at += PAGE_SIZE)
        assert_memory_equal(large + at, page, PAGE_SIZE);
    for (unsigned i = 1; i < 512; i++)
        assert_true(directory[i] == 0 && table[i] == 0);
    EXPECT_PANIC(window_fill(mfn(9), 3, 0)); /* not aligned */
    fake_cpu_id = 0;
}

/* Words are compared under their masks, in their order, and nothing stays open. */
static void test_same(void **state)
{
    struct window_word w[] = {
        { maddr(0x5000), ~0ul, 0x1122334455667788 },
        { maddr(0x6ff1), 0xff00, 0x7700 },
        { maddr(0x7008), 0xffffffff, 0x55667788 },
    };
    char *slot = (char *)WINDOW_BASE + 3 * WINDOW_SLOTS * PAGE_SIZE; /* of test_fill() */

    (void)state;
    fake_cpu_id = 3;
    fake_invlpg_count = 0;
    memcpy(slot, &w[0].value, 8);
    memcpy(slot + 0xff1, &w[0].value, 8);
    memcpy(slot + 8, &w[0].value, 8);
    assert_true(window_same(w, 3));
    assert_int_equal(fake_invlpg_count, 3);
    assert_ptr_equal(fake_invlpg_last, slot);
    w[1].value = 0x7600;
    assert_false(window_same(w, 3));
    assert_int_equal(fake_invlpg_count, 5); /* the last one was not looked at */
    assert_true(window_same(w, 1));
    assert_true(window_same(w, 0));
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(table[i], 0);
    fake_cpu_id = 0;
}

/* Bytes there and back. */
static void test_copies(void **state)
{
    char *slot = (char *)WINDOW_BASE + 3 * WINDOW_SLOTS * PAGE_SIZE, seen[8]; /* of test_fill() */

    (void)state;
    fake_cpu_id = 3;
    fake_invlpg_count = 0;
    window_write(mfn(2), 0xff8, "bytesbyt", 8);
    assert_memory_equal(slot + 0xff8, "bytesbyt", 8);
    window_read(mfn(2), 0xff9, seen, 7);
    assert_memory_equal(seen, "ytesbyt", 7);
    assert_int_equal(fake_invlpg_count, 2);
    assert_ptr_equal(fake_invlpg_last, slot);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(table[i], 0);
    fake_cpu_id = 0;
}

static void test_order_of_closing(void **state)
{
    void *a = window_open(mfn(1)), *b = window_open(mfn(2));

    (void)state;
    assert_ptr_not_equal(a, b);
    EXPECT_PANIC(window_close(a));
    fake_cpu_id = 1;
    EXPECT_PANIC(window_close(a)); /* none is open here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boot),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_order_of_closing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
