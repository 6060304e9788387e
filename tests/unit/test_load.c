/* links: create/load.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c lib/fmt.c lib/string.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * create/load.c: what is long is copied in pieces; the outcome is as if each write had been done
 * at once, also where they overlap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "create/load.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/log.h"

#define FILE_BYTES 0x60000
#define AREA       0x200000UL
#define AREA_BYTES 0x100000

static uint8_t kernel[FILE_BYTES], ramdisk[FILE_BYTES], model[AREA_BYTES], area[AREA_BYTES];
static const struct module kernel_module = { .data = kernel, .size = FILE_BYTES };
static const struct domain_config config = { .name = "alpha",
                                             .kernel = &kernel_module,
                                             .modules = { { ramdisk, FILE_BYTES, "" } },
                                             .module_count = 1 };
static struct load load;
static struct image_memory memory;

static int set_up(void **state)
{
    (void)state;
    guest_start();
    srand(3);
    for (unsigned i = 0; i < FILE_BYTES; i++) {
        kernel[i] = (uint8_t)rand();
        ramdisk[i] = (uint8_t)rand();
    }
    memset(model, 0, sizeof(model));
    load_init(&load, &guest.p2m, &config, &memory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static void write(unsigned at, const void *from, size_t n)
{
    if (from) {
        assert_int_equal(memory.write(memory.ctx, gpa(AREA + at), from, n), 0);
        memcpy(model + at, from, n);
    } else {
        assert_int_equal(memory.zero(memory.ctx, gpa(AREA + at), n), 0);
        memset(model + at, 0, n);
    }
}

static void finish(void)
{
    while (load_some(&load) == -EAGAIN)
        ;
    assert_int_equal(load_some(&load), 0);
    guest_get(AREA, area, sizeof(area));
    assert_memory_equal(area, model, sizeof(area));
}

/* A step brings no more than its piece. */
static void test_pieces(void **state)
{
    unsigned steps = 1;

    (void)state;
    write(0, kernel, FILE_BYTES);
    write(0x80001, ramdisk + 1, FILE_BYTES - 1);
    assert_int_equal(guest.p2m.populated, 0); /* nothing has been copied yet */
    while (load_some(&load) == -EAGAIN)
        steps++;
    assert_true(steps >= 2 * FILE_BYTES / 0x10000);
    finish();
}

static void test_strangers_bytes_are_taken_at_once(void **state)
{
    uint8_t *fleeting = malloc(0x5000);

    (void)state;
    memset(fleeting, 0x5a, 0x5000);
    write(0x10, fleeting, 0x5000);
    free(fleeting);
    finish();
}

/* A program header may lie within another's, and one's bytes that are cleared be many. */
static void test_short_within_long(void **state)
{
    (void)state;
    write(0, NULL, AREA_BYTES);
    write(0x100, kernel, 0x100);
    write(0x180, NULL, 0x40);
    assert_int_equal(guest.p2m.populated, 0);
    finish();
}

/* No more is written down than there is room for; and none of it done at once instead. */
static void test_too_many(void **state)
{
    (void)state;
    fake_log_reset();
    for (unsigned i = 0; i < LOAD_JOBS; i++)
        write(0, kernel, 0x2000);
    assert_int_equal(memory.write(memory.ctx, gpa(AREA), kernel, 0x2000), -E2BIG);
    assert_true(fake_log_has("alpha: the kernel is in too many pieces"));
    assert_int_equal(memory.zero(memory.ctx, gpa(AREA), 0x10), -E2BIG);
    assert_int_equal(guest.p2m.populated, 0);
    write(0x8000, ramdisk, 0x1000); /* it is short, and meets none of them */
    finish();
}

/* As real-mode kernels have it: what was put off gets some words of the loader's. */
static void test_strangers_bytes_above(void **state)
{
    uint8_t word[2] = { 1, 2 };

    (void)state;
    write(0, kernel, 0xE000);
    write(0x210, word, 2);
    word[0] = 3;
    write(0x224, word, 2);
    finish();
    load_init(&load, &guest.p2m, &config, &memory);
    write(0, NULL, AREA_BYTES);
    assert_int_equal(memory.write(memory.ctx, gpa(AREA + 0x210), word, 2), -E2BIG);
    finish();
}

static void some_random_writes(void)
{
    load_init(&load, &guest.p2m, &config, &memory);
    for (unsigned left = (unsigned)rand() % LOAD_JOBS; left; left--) {
        size_t n = rand() % 3 ? (size_t)rand() % 0x100 + 1 : (size_t)rand() % FILE_BYTES + 1;
        unsigned at = (unsigned)rand() % (AREA_BYTES - (unsigned)n), offset;
        offset = (unsigned)rand() % (FILE_BYTES - (unsigned)n + 1);
        write(at, rand() % 4 ? (rand() % 2 ? kernel : ramdisk) + offset : NULL, n);
        if (rand() % 4 == 0)
            assert_in_range(load_some(&load) + EAGAIN, 0, EAGAIN);
    }
    finish();
}

static void test_random_writes(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++)
        some_random_writes();
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_int_equal(memory.write(memory.ctx, gpa(GUEST_END - 0x1000), kernel, 0x4000), 0);
    assert_int_equal(load_some(&load), -EFAULT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pieces),
        TEST(test_strangers_bytes_are_taken_at_once),
        TEST(test_short_within_long),
        TEST(test_too_many),
        TEST(test_strangers_bytes_above),
        TEST(test_random_writes),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
