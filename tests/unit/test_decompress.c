/* links: loader/image.c loader/image_bzimage.c loader/image_setup.c loader/image_multiboot.c loader/image_multiboot2.c loader/image_pvh.c loader/image_firmware.c loader/image_place.c loader/image_elf.c loader/image_flat.c loader/image_sections.c loader/image_tables.c decompress/decompress.c decompress/gzip.c decompress/inflate.c loader/memmap.c tests/fakes/log.c tests/fakes/panic.c libs: -lz */
/*
 * decompress/: what zlib packs comes out as it was, in every kind of block; what is damaged is
 * refused, with a reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include "decompress/decompress.h"
#include "loader/image.h"

#define MOST 0x60000

static uint8_t plain[MOST], packed[2 * MOST], out[MOST + 1];
static size_t packed_size;

/* As gzip(1) does, with zlib's level and strategy. */
static void pack(size_t n, int level, int strategy)
{
    z_stream z = {
        .next_in = plain, .avail_in = (unsigned)n, .next_out = packed, .avail_out = sizeof(packed)
    };

    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 9, strategy), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    packed_size = z.total_out;
    deflateEnd(&z);
}

/* From a copy of exactly that size into one, so that the sanitizer sees what is beyond. */
static const char *unpack(size_t *size)
{
    const struct decompress_format *format = decompress_format_of(packed, packed_size);
    uint8_t *copy = malloc(packed_size), *to = NULL, *work = malloc(DECOMPRESS_WORK);

    assert_non_null(format);
    memcpy(copy, packed, packed_size);
    memset(work, 0xA5, DECOMPRESS_WORK);
    *size = 0;
    const char *why = format->size(copy, packed_size, size);
    if (!why && *size <= MOST) {
        to = malloc(*size);
        why = format->unpack(copy, packed_size, to, *size, work);
        memcpy(out, to, *size);
    }
    free(copy);
    free(to);
    free(work);
    return why;
}

static void comes_back(size_t n)
{
    size_t size;
    const char *why = unpack(&size);

    if (why)
        fail_msg("%s", why);
    assert_int_equal(size, n);
    assert_memory_equal(out, plain, n);
}

/* Of so many letters, more or less in a row. */
static void make_plain(unsigned letters, size_t n)
{
    for (size_t i = 0; i < n; i++)
        plain[i] =
            (uint8_t)(i >= 300 && rand() % 8 ? plain[i - 300 + i % 7] : (unsigned)rand() % letters);
}

static void test_kinds_of_blocks(void **state)
{
    static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
                                      Z_FIXED };
    static const unsigned letters[] = { 1, 2, 20, 256 };
    static const size_t sizes[] = { 1, 2, 300, 0x8000, 0x10001, MOST };

    (void)state;
    srand(1);
    for (unsigned l = 0; l < 4; l++)
        for (unsigned n = 0; n < 6; n++) {
            make_plain(letters[l], sizes[n]);
            for (unsigned s = 0; s < 5; s++) {
                pack(sizes[n], 6, strategies[s]);
                comes_back(sizes[n]);
            }
            pack(sizes[n], 0, Z_DEFAULT_STRATEGY); /* stored */
            comes_back(sizes[n]);
        }
}

/* Codes as long as they may be: letters by Fibonacci's numbers. */
static void test_long_codes(void **state)
{
    size_t n = 0;
    unsigned a = 1, b = 1;

    (void)state;
    for (unsigned letter = 0; n + b <= MOST && letter < 26; letter++) {
        memset(plain + n, (int)letter, b);
        n += b;
        unsigned next = a + b;
        a = b;
        b = next;
    }
    pack(n, 9, Z_HUFFMAN_ONLY);
    comes_back(n);
}

/* Everything that RFC 1952 has of a header. */
static void test_headers(void **state)
{
    uint8_t body[256];

    (void)state;
    memset(plain, 'x', 1000);
    pack(1000, 6, Z_DEFAULT_STRATEGY);
    size_t n = packed_size - 10;
    memcpy(body, packed + 10, n);
    packed[3] = 0x1F;
    memcpy(packed + 10,
           "\3\0abc"
           "name\0"
           "words\0"
           "\1\2",
           18);
    memcpy(packed + 28, body, n);
    packed_size = 28 + n;
    comes_back(1000);
    for (packed_size = 18; packed_size < 28 + n; packed_size++) {
        size_t size;
        assert_non_null(unpack(&size));
    }
}

static void refused(const char *why)
{
    size_t size;
    const char *said = unpack(&size);

    if (!said || !strstr(said, why))
        fail_msg("expected \"%s\", got \"%s\"", why, said ? said : "nothing");
}

#define BAD(change, why)                                                                           \
    do {                                                                                           \
        make_plain(20, 5000);                                                                      \
        pack(5000, 6, Z_DEFAULT_STRATEGY);                                                         \
        change;                                                                                    \
        refused(why);                                                                              \
    } while (0)

static void set_size(uint32_t n)
{
    memcpy(packed + packed_size - 4, &n, 4);
}

/* What stands between header and trailer, and how long it is to be. */
static void set_stream(const char *bytes, size_t n, uint32_t size)
{
    memcpy(packed + 10, bytes, n);
    packed_size = 10 + n + 8;
    set_size(size);
}

static void test_damage(void **state)
{
    (void)state;
    srand(2);
    BAD(packed[2] = 7, "not known");
    BAD(packed[3] = 0x20, "not known");
    BAD((packed[3] = 4, packed[10] = packed[11] = 0xFF), "within its header");
    BAD((packed[3] = 8, memset(packed + 10, 'x', packed_size - 10)), "within its header");
    BAD(set_size(0), "empty");
    BAD(set_size(0xFFFFFFFF), "longer by its end than it can be");
    BAD(set_size(5001), "shorter than its end");
    BAD(set_size(4999), "longer than its end");
    BAD(packed[packed_size - 5] ^= 1, "checksum");
    BAD((packed_size++, memcpy(packed + packed_size - 8, packed + packed_size - 9, 8),
         set_size(5000)),
        "more behind its end");
    BAD(set_stream("\7", 1, 5), "no known kind");
    BAD(set_stream("\1\5\0\5\0hello", 10, 5), "stored block");
    BAD(set_stream("\1\5\0\xFA\xFFhell", 9, 5), "ends too early");
    BAD(set_stream("\3\2", 2, 5), "begins before the start"); /* fixed; a copy comes first */
    BAD(set_stream("\x1B\3", 2, 5), "means nothing");         /* fixed; length symbol 286 */
    BAD(set_stream("\xFD\x1F\0\0", 4, 5), "too many codes");
    BAD(set_stream("\5\0\0\0\0\0\0\0\0\0", 10, 5), "means nothing"); /* no code for the lengths */
    BAD(set_stream("\5\xE0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10, 5), "lengths of its codes");
}

/* 4 * n empty blocks, by the fixed codes, and one that is stored. */
static void set_empty_blocks(unsigned n)
{
    char stream[5 * 300 + 10];

    for (unsigned i = 0; i < n; i++)
        memcpy(stream + 5 * i, "\x02\x08\x20\x80\0", 5);
    memcpy(stream + 5 * n, "\1\5\0\xFA\xFFhello", 10);
    set_stream(stream, 5 * n + 10, 5);
}

/* Blocks that bring nothing are no way to make a file last long. */
static void test_many_blocks(void **state)
{
    (void)state;
    BAD(set_empty_blocks(200), "checksum");
    BAD(set_empty_blocks(300), "too many blocks");
}

/* Whatever changes: no byte beyond, and it ends; where zlib takes it, it comes out the same. */
static void test_random_damage(void **state)
{
    static uint8_t theirs[MOST];

    (void)state;
    srand(3);
    for (unsigned round = 0; round < 3000; round++) {
        size_t n = 1 + (size_t)rand() % 2000, size, at;
        make_plain(1 + (unsigned)rand() % 256, n);
        pack(n, rand() % 10, rand() % 5);
        for (unsigned i = (unsigned)rand() % 3; i; i--) {
            at = 10 + (size_t)rand() % (packed_size - 10);
            packed[at] ^= (uint8_t)(1u << rand() % 8);
        }
        const char *why = unpack(&size);
        z_stream z = { .next_in = packed,
                       .avail_in = (unsigned)packed_size,
                       .next_out = theirs,
                       .avail_out = sizeof(theirs) };
        assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
        bool whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0 && z.total_out;
        assert_int_equal(!why, whole);
        if (whole)
            assert_memory_equal(out, theirs, size);
        inflateEnd(&z);
    }
}

static void test_what_is_not_packed(void **state)
{
    (void)state;
    assert_null(decompress_format_of("\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\0\0\0", 19));
    assert_null(decompress_format_of("\x1F\x8B\x08", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_of_blocks),
        cmocka_unit_test(test_long_codes),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_what_is_not_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
