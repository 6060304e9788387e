/* links: lifecycle/unpack.c decompress/decompress.c decompress/gzip.c decompress/inflate.c lib/fmt.c lib/string.c tests/fakes/log.c tests/fakes/panic.c libs: -lz */
/*
 * lifecycle/unpack.c: what memory a packed kernel takes, and what becomes of that of one that
 * cannot be unpacked. The frames are stand-ins that are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include "lifecycle/unpack.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fakes/log.h"

#define MOST  0x40000
#define ROOMS 8

static uint8_t plain[MOST], packed[2 * MOST];
static _Alignas(PAGE_SIZE) uint8_t rooms[ROOMS][MOST], work[PAGE_SIZE];
static unsigned room_count;
static uint64_t frames; /* that are taken */

int frame_alloc_unscrubbed(unsigned order, uint16_t owner, mfn_t *out)
{
    assert_int_equal(owner, OWNER_MODULE);
    frames += 1UL << order;
    *out = mfn((uint64_t)room_count << FRAME_MAX_ORDER);
    return 0;
}

void frame_free(mfn_t m, unsigned order, uint16_t owner)
{
    (void)m;
    assert_int_equal(owner, OWNER_MODULE);
    frames -= 1UL << order;
}

void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    (void)start;
    (void)kind;
    assert_true(size <= MOST && room_count < ROOMS);
    return rooms[room_count++];
}

void *heap_pages(unsigned order, uint16_t owner)
{
    (void)owner;
    assert_int_equal(order, 0);
    return work;
}

void heap_free_pages(void *p, unsigned order, uint16_t owner)
{
    (void)order;
    (void)owner;
    assert_ptr_equal(p, work);
}

/* n bytes of `letter`; damaged: with a checksum that is wrong. */
static struct module kernel(size_t n, int letter, bool damaged)
{
    z_stream z = {
        .next_in = plain, .avail_in = (unsigned)n, .next_out = packed, .avail_out = sizeof(packed)
    };

    memset(plain, letter, n);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    packed[z.total_out - 8] ^= damaged;
    return (struct module){ .data = packed, .size = z.total_out };
}

static void unpacks(size_t n, int letter)
{
    struct module m = kernel(n, letter, false);

    assert_int_equal(unpack_kernel(&m, MOST, "alpha"), 0);
    assert_int_equal(m.size, n);
    assert_memory_equal(m.data, plain, n);
}

static void fails(size_t n, uint64_t most, int err, const char *why)
{
    struct module m = kernel(n, 'x', true);
    size_t size = m.size;

    fake_log_reset();
    assert_int_equal(unpack_kernel(&m, most, "alpha"), err);
    assert_true(fake_log_has(why));
    assert_ptr_equal(m.data, packed);
    assert_int_equal(m.size, size);
}

static void test_too_large(void **state)
{
    uint64_t before = frames;

    (void)state;
    fails(0x20001, 0x20000, -ENOMEM, "larger than its domain's mem=");
    assert_int_equal(frames, before);
    unpacks(MOST, 'a');
    assert_int_equal(frames, before + MOST / PAGE_SIZE);
}

/* The next one comes to lie where one that failed would have, if there is room. */
static void test_failed_room_serves_the_next(void **state)
{
    uint64_t before = frames;

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        fails(0x20000, MOST, -ENOEXEC, "checksum");
    fails(0x8000, MOST, -ENOEXEC, "checksum");
    assert_int_equal(frames, before + 0x20);
    unpacks(0x30000, 'b'); /* does not fit there */
    assert_int_equal(frames, before + 0x50);
    unpacks(0x18000, 'c');
    assert_int_equal(frames, before + 0x50);
    unpacks(0x1000, 'd'); /* that room is taken now */
    assert_int_equal(frames, before + 0x51);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_failed_room_serves_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
