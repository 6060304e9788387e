/* links: devices/vfwcfg.c */
/*
 * fw_cfg: selecting items, reading them by bytes, and requests to copy them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "devices/vfwcfg.h"

#define LARGE   0x9000u /* bytes: a file that is copied in pieces */
#define PIECE   0x4000u
#define MEMORY  0x10000u /* bytes that the guest has, from 0 */
#define REQUEST 0x100u   /* where the guest puts its requests */
#define TO      0x1000u

static uint8_t large[LARGE];
static const struct vfwcfg_item items[] = {
    { 0x00, "QEMU", 4 }, { 0x20, "ab", 2 }, { 5, "", 0 }, { 0x21, large, LARGE }
};
static struct vfwcfg fw;
static uint8_t memory[MEMORY];
static size_t longest; /* write */

static bool memory_read(void *ctx, uint64_t from, void *to, size_t n)
{
    assert_ptr_equal(ctx, memory);
    if (from >= MEMORY || MEMORY - from < n)
        return false;
    memcpy(to, memory + from, n);
    return true;
}

static bool memory_write(void *ctx, uint64_t to, const void *from, size_t n)
{
    assert_ptr_equal(ctx, memory);
    if (to >= MEMORY || MEMORY - to < n)
        return false;
    longest = n > longest ? n : longest;
    if (from)
        memcpy(memory + to, from, n);
    else
        memset(memory + to, 0, n);
    return true;
}

static int setup(void **state)
{
    static const struct vfwcfg_memory bus = { memory, memory_read, memory_write };

    (void)state;
    for (unsigned i = 0; i < LARGE; i++)
        large[i] = (uint8_t)(i * 7 + i / 256);
    memset(memory, 0xcc, sizeof(memory));
    longest = 0;
    vfwcfg_init(&fw, items, 4, &bus);
    return 0;
}

static uint32_t in(uint32_t offset, unsigned size)
{
    return fw.dev.ops->read(&fw.dev, offset, size, 0);
}

static void choose(uint16_t key)
{
    fw.dev.ops->write(&fw.dev, 0, 2, key | 0xa5a50000, 0);
}

static void reads(const char *what)
{
    for (; *what; what++)
        assert_int_equal(in(1, 1), (uint8_t)*what);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(in(1, 1), 0); /* behind the end */
}

static void test_items(void **state)
{
    (void)state;
    reads("QEMU"); /* the first is selected at the start */
    choose(0x20);
    reads("ab");
    choose(0x20); /* from its beginning again */
    reads("ab");
    choose(5);
    reads("");
    choose(0x22);
    reads("");
}

static void test_writes_reach_nothing(void **state)
{
    (void)state;
    choose(0x4020); /* to be written: read all the same */
    fw.dev.ops->write(&fw.dev, 1, 1, 'x', 0);
    reads("ab");
}

static void test_other_sizes(void **state)
{
    (void)state;
    choose(0x20);
    fw.dev.ops->write(&fw.dev, 0, 1, 0, 0);
    fw.dev.ops->write(&fw.dev, 0, 4, 0, 0);
    assert_int_equal(in(1, 2), UINT32_MAX);
    assert_int_equal(in(0, 2), UINT32_MAX);
    reads("ab");
}

static void test_reset(void **state)
{
    (void)state;
    choose(0x20);
    in(1, 1);
    fw.dev.ops->reset(&fw.dev, 0);
    reads("QEMU");
}

/* ---- DMA ---- */

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

static void put_big(uint64_t at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        memory[at + i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static uint32_t control(void)
{
    const uint8_t *c = memory + REQUEST;

    return (uint32_t)c[0] << 24 | (uint32_t)c[1] << 16 | (uint32_t)c[2] << 8 | c[3];
}

static void out_big(uint32_t offset, uint32_t value)
{
    fw.dev.ops->write(&fw.dev, offset, 4, __builtin_bswap32(value), 1000);
}

static void begin(uint32_t what, uint32_t length, uint64_t to)
{
    put_big(REQUEST, what, 4);
    put_big(REQUEST + 4, length, 4);
    put_big(REQUEST + 8, to, 8);
    out_big(8, REQUEST);
}

static uint64_t due(void)
{
    return fw.dev.ops->deadline(&fw.dev);
}

/* How often it had to be told that its time has come. */
static unsigned finish(void)
{
    unsigned ticks = 0;

    for (; due() != TIME_NEVER; ticks++)
        fw.dev.ops->tick(&fw.dev, due());
    return ticks;
}

static void test_dma_is_announced(void **state)
{
    (void)state;
    assert_int_equal(in(4, 4), 0x554d4551);
    assert_int_equal(in(8, 4), 0x47464320);
    assert_int_equal(in(11, 1) & 0xff, 'G');
    assert_int_equal(in(11, 4), 'G');
    assert_true(due() == TIME_NEVER);
}

/* What is small is there at once, and what is behind the item's end reads zeros. */
static void test_dma_reads(void **state)
{
    (void)state;
    begin(0x20u << 16 | SELECT | READ, 2, TO);
    assert_memory_equal(memory + TO, "ab\xcc", 3);
    assert_int_equal(control(), 0);
    assert_true(due() == TIME_NEVER);
    choose(0);
    in(1, 1);
    begin(READ, 5, TO); /* goes on where the port has been */
    finish();
    assert_memory_equal(memory + TO, "EMU\0\0\xcc", 6);
    begin(0x77u << 16 | SELECT | READ, 4, TO);
    finish();
    assert_memory_equal(memory + TO, "\0\0\0\0\0\xcc", 6);
    begin(READ, 0, TO + 5);
    assert_int_equal(memory[TO + 5], 0xcc);
    assert_int_equal(control(), 0);
}

/* Never more than a piece at a time; until the last one is there it has not ended. */
static void test_dma_goes_in_pieces(void **state)
{
    (void)state;
    begin(0x21u << 16 | SELECT | READ, LARGE, TO);
    assert_int_equal(control(), 0x21u << 16 | SELECT | READ);
    assert_true(due() > 1000 && due() != TIME_NEVER);
    fw.dev.ops->tick(&fw.dev, 1000); /* not yet */
    assert_int_equal(memory[PIECE], 0xcc);
    assert_int_equal(finish(), 2);
    assert_int_equal(control(), 0);
    assert_memory_equal(memory + TO, large, LARGE);
    assert_int_equal(memory[TO + LARGE], 0xcc);
    assert_true(longest <= PIECE);
}

static void test_dma_skips(void **state)
{
    (void)state;
    begin(0x21u << 16 | SELECT | SKIP, 0x8000, TO);
    assert_int_equal(control(), 0);
    begin(READ, 0x10, TO);
    assert_memory_equal(memory + TO, large + 0x8000, 0x10);
    begin(SKIP, UINT32_MAX, TO);
    begin(READ, 1, TO);
    assert_int_equal(memory[TO], 0);
}

/* To write an item, or where no memory is. */
static void test_dma_errors(void **state)
{
    (void)state;
    begin(0x20u << 16 | SELECT | WRITE, 2, TO);
    assert_int_equal(control(), ERROR);
    begin(WRITE | SKIP, 2, TO);
    assert_int_equal(control(), ERROR);
    reads("ab");
    begin(0x20u << 16 | SELECT | READ, 2, MEMORY - 1);
    finish();
    assert_int_equal(control(), ERROR);
    begin(0x21u << 16 | SELECT | READ, LARGE, MEMORY - PIECE); /* its beginning has been copied */
    assert_int_equal(finish(), 1);
    assert_int_equal(control(), ERROR);
    begin(READ, 4, UINT64_MAX - 1);
    finish();
    assert_int_equal(control(), ERROR);
}

static void test_dma_addresses(void **state)
{
    (void)state;
    put_big(REQUEST, READ, 4);
    out_big(4, 1); /* above 4 GiB, where none is */
    out_big(8, REQUEST);
    assert_int_equal(control(), READ);
    fw.dev.ops->write(&fw.dev, 8, 2, 0x0100, 0); /* half a half is nothing */
    assert_int_equal(control(), READ);
    out_big(8, MEMORY - 8);                    /* it would end behind */
    begin(0x20u << 16 | SELECT | READ, 2, TO); /* the upper half is 0 again */
    assert_int_equal(control(), 0);
    assert_memory_equal(memory + TO, "ab", 2);
}

/* A newer request is carried out in place of the old one, and none outlives a reset. */
static void test_dma_ends_early(void **state)
{
    (void)state;
    begin(0x21u << 16 | SELECT | READ, LARGE, TO);
    begin(0x20u << 16 | SELECT | READ, 2, TO);
    assert_true(due() == TIME_NEVER);
    assert_int_equal(control(), 0);
    begin(0x21u << 16 | SELECT | READ, LARGE, TO);
    fw.dev.ops->reset(&fw.dev, 0);
    assert_true(due() == TIME_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_items, setup),
        cmocka_unit_test_setup(test_writes_reach_nothing, setup),
        cmocka_unit_test_setup(test_other_sizes, setup),
        cmocka_unit_test_setup(test_reset, setup),
        cmocka_unit_test_setup(test_dma_is_announced, setup),
        cmocka_unit_test_setup(test_dma_reads, setup),
        cmocka_unit_test_setup(test_dma_goes_in_pieces, setup),
        cmocka_unit_test_setup(test_dma_skips, setup),
        cmocka_unit_test_setup(test_dma_errors, setup),
        cmocka_unit_test_setup(test_dma_addresses, setup),
        cmocka_unit_test_setup(test_dma_ends_early, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
