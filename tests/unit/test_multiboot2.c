/* links: boot/efi_memory.c boot/grub_line.c boot/multiboot2.c boot/regions.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * boot/multiboot2.c: each tag, well-formed and not; maps that overlap; any bytes at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/multiboot2.h"
#include "boot/regions.h"
#include "lib/log.h"
#include "tests/fakes/log.h"
#include "tests/unit/mb2_build.h"

static struct mb2 m;
static struct boot_info info;
static const struct mb2_mmap_entry pc[] = {
    { 0, 0x9FC00, 1, 0 },
    { 0x9FC00, 0x400, 2, 0 },
    { 0x100000, 0x7F00000, 1, 0 },
    { 0x8000000, 0x10000, 3, 0 },
};

static int begin(void **state)
{
    (void)state;
    fake_log_reset();
    mb2_begin(&m);
    return 0;
}

static int parse(void)
{
    mb2_end(&m);
    return mb2_parse(m.bytes, m.size, &info);
}

static void check_region(unsigned i, uint64_t start, uint64_t size, enum mem_kind kind)
{
    assert_true(i < info.region_count);
    assert_int_equal(info.regions[i].start.v, start);
    assert_int_equal(info.regions[i].size, size);
    assert_int_equal(info.regions[i].kind, kind);
}

static void test_words(void **state)
{
    (void)state;
    mb2_tag(&m, 1, "loglevel=debug", 15);
    mb2_tag(&m, 1, "second", 7);
    mb2_tag(&m, 2, "GRUB 2.06", 10);
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_string_equal(info.cmdline, "loglevel=debug");
    assert_string_equal(info.loader_name, "GRUB 2.06");
    assert_true(fake_log_has("second command line"));
    assert_false(info.efi);
    assert_int_equal(info.framebuffer.bpp, 0);
}

static void test_unterminated_and_long_words(void **state)
{
    static char words[3000];
    (void)state;
    memset(words, 'x', sizeof(words));
    mb2_tag(&m, 1, words, sizeof(words));
    mb2_tag(&m, 2, "abc", 3);
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_int_equal(strlen(info.cmdline), MAX_CMDLINE - 1);
    assert_string_equal(info.loader_name, "abc");
    assert_true(fake_log_has("is cut"));
}

static void add_module(uint32_t start, uint32_t end, const char *line)
{
    uint8_t body[256];
    memcpy(body, &start, 4);
    memcpy(body + 4, &end, 4);
    strcpy((char *)body + 8, line);
    mb2_tag(&m, 3, body, (uint32_t)(9 + strlen(line)));
}

static void test_modules(void **state)
{
    (void)state;
    add_module(0x200000, 0x300001, "kernel name=a");
    add_module(0x400000, 0x3FFFFF, "backwards");
    add_module(0x500000, 0x500000, "");
    mb2_tag(&m, 3, "1234", 4); /* too short for its fields */
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.module_count, 2);
    assert_int_equal(info.modules[0].start.v, 0x200000);
    assert_int_equal(info.modules[0].size, 0x100001);
    assert_string_equal(info.modules[0].line, "kernel name=a");
    assert_int_equal(info.modules[1].size, 0);
    assert_true(fake_log_has("too short"));
}

static void test_too_many_modules(void **state)
{
    (void)state;
    mb2_mmap(&m, pc, 4);
    for (unsigned i = 0; i < MAX_MODULES + 3; i++)
        add_module(i << 12, (i + 1) << 12, "kernel");
    assert_int_equal(parse(), 0);
    assert_int_equal(info.module_count, MAX_MODULES);
}

/* What GRUB 2.06 makes of the words in the comments, and what is to come of it. */
static const struct {
    const char *grubs, *ours;
} lines[] = {
    { "a --  b\tc", "a --  b\tc" },
    { "\\'x\\' \\\"y\\\" $z \\\\n \\x41 \\\\x41", "'x' \"y\" $z \\n \\x41 \\x41" },
    { "dyndbg=\\\"file a +p\\\" b", "dyndbg=\"file a +p\" b" }, /* 'dyndbg="file' a '+p"' b */
    { "\"dyndbg=file a +p\" b", "\"dyndbg=file a +p\" b" },     /* dyndbg="file a +p" b */
    { "\"dyndbg=\\\"file a\\\"\" b", "dyndbg=\"file a\" b" },   /* 'dyndbg="file a"' b */
    { "\"it\\'s a\" \"b c\"", "\"it's a\" \"b c\"" },           /* "it's a" 'b c' */
    { "\"cut sho", "\"cut sho" },
    { "end\\", "end\\" },
};

static void test_grubs_quoting(void **state)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *grubs = lines[i].grubs;

        begin(state);
        mb2_tag(&m, 1, grubs, (uint32_t)strlen(grubs) + 1);
        add_module(0x200000, 0x300001, grubs);
        mb2_tag(&m, 2, "GRUB 2.06", 10); /* behind what it concerns */
        mb2_mmap(&m, pc, 4);
        assert_int_equal(parse(), 0);
        assert_string_equal(info.cmdline, lines[i].ours);
        assert_string_equal(info.modules[0].line, lines[i].ours);
    }
}

static void test_no_quoting(void **state)
{
    (void)state;
    mb2_tag(&m, 1, "\\\"a b\\\"", 8);
    mb2_tag(&m, 2, "another", 8);
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_string_equal(info.cmdline, "\\\"a b\\\"");
}

static void test_map(void **state)
{
    (void)state;
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.region_count, 4);
    check_region(0, 0, 0x9FC00, MEM_USABLE);
    check_region(1, 0x9FC00, 0x400, MEM_RESERVED);
    check_region(2, 0x100000, 0x7F00000, MEM_USABLE);
    check_region(3, 0x8000000, 0x10000, MEM_ACPI);
}

/* Unsorted, overlapping, touching, empty, wrapping round, of unknown types. */
static void test_awkward_map(void **state)
{
    static const struct mb2_mmap_entry e[] = {
        { 0x300000, 0x100000, 2, 0 },
        { 0x200000, 0x400000, 1, 0 },
        { 0x100000, 0x100000, 1, 0 },
        { 0x600000, 0, 1, 0 },
        { 0x5FF000, 0x1000, 77, 0 },
        { 0xFFFFFFFFFFFFF000, 0x2000, 1, 0 },
        { 0x10000000, 0xFFFFFFFFFFFFFFFF, 2, 0 },
    };
    (void)state;
    mb2_mmap(&m, e, 7);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.region_count, 5);
    check_region(0, 0x100000, 0x200000, MEM_USABLE);
    check_region(1, 0x300000, 0x100000, MEM_RESERVED);
    check_region(2, 0x400000, 0x1FF000, MEM_USABLE);
    check_region(3, 0x5FF000, 0x1000, MEM_RESERVED);
    check_region(4, 0x10000000, (1UL << 52) - 0x10000000, MEM_RESERVED);
}

static const struct mb2_efi_entry efi[] = {
    { 7, 0, 0, 0, 0x80, 0xF, 0 },                    /* conventional */
    { 3, 0, 0x80000, 0, 0x10, 0xF, 0 },              /* boot services: free by now */
    { 2, 0, 0x100000, 0, 0x100, 0xF, 0 },            /* loader's data */
    { 5, 0, 0x200000, 0, 1, 0x800000000000000F, 0 }, /* runtime code */
    { 9, 0, 0x201000, 0, 1, 0xF, 0 },
    { 10, 0, 0x202000, 0, 1, 0xF, 0 },
    { 11, 0, 0xFEE00000, 0, 1, 0x8000000000000001, 0 },
    { 7, 0, 0x300000, 0, 1, 0x800000000000000F, 0 }, /* the runtime wants to keep it */
    { 8, 0, 0x301000, 0, 1, 0xF, 0 },
    { 7, 0, 0x400000, 0, UINT64_MAX, 0xF, 0 },
};

static void test_efi_map(void **state)
{
    (void)state;
    mb2_efi_mmap(&m, efi, 10);
    assert_int_equal(parse(), 0);
    assert_true(info.efi);
    check_region(0, 0, 0x90000, MEM_USABLE);
    check_region(1, 0x100000, 0x100000, MEM_USABLE);
    check_region(2, 0x200000, 0x1000, MEM_RESERVED);
    check_region(3, 0x201000, 0x1000, MEM_ACPI);
    check_region(4, 0x202000, 0x1000, MEM_NVS);
    check_region(5, 0x300000, 0x1000, MEM_RESERVED);
    check_region(6, 0x301000, 0x1000, MEM_BAD);
    check_region(7, 0x400000, 0xFEE00000 - 0x400000, MEM_USABLE);
}

/* With both maps the plain one says what is usable, and both say what is not. */
static void test_both_maps(void **state)
{
    (void)state;
    mb2_efi_mmap(&m, efi, 9);
    mb2_mmap(&m, (const struct mb2_mmap_entry[]){ { 0x100000, 0x300000, 1, 0 } }, 1);
    assert_int_equal(parse(), 0);
    check_region(0, 0x100000, 0x100000, MEM_USABLE);
    check_region(1, 0x200000, 0x1000, MEM_RESERVED);
    check_region(4, 0x203000, 0xFD000, MEM_USABLE);
    check_region(5, 0x300000, 0x1000, MEM_RESERVED);
}

/* A loader that has not left the firmware, though nobody asked for that. */
static void test_in_boot_services(void **state)
{
    (void)state;
    mb2_tag(&m, 18, "", 0);
    mb2_efi_mmap(&m, efi, 9);
    mb2_mmap(&m, (const struct mb2_mmap_entry[]){ { 0, 0x300000, 1, 0 } }, 1);
    assert_int_equal(parse(), 0);
    assert_true(info.efi);
    assert_true(fake_log_has("has not left"));
    check_region(0, 0, 0x80000, MEM_USABLE);
    check_region(1, 0x80000, 0x10000, MEM_RESERVED);
    check_region(2, 0x90000, 0x170000, MEM_USABLE);
}

static void test_broken_map(void **state)
{
    uint8_t body[32] = { 0 }; /* entries of no bytes */
    (void)state;
    mb2_tag(&m, 6, body, sizeof(body));
    mb2_efi_mmap(&m, efi, 9);
    assert_int_equal(parse(), 0);
    check_region(0, 0, 0x90000, MEM_USABLE);
    assert_true(fake_log_has("entries of 0 bytes"));
}

static void test_nothing_usable(void **state)
{
    (void)state;
    assert_int_equal(parse(), -EINVAL);
    begin(NULL);
    mb2_mmap(&m, (const struct mb2_mmap_entry[]){ { 0, 0x1000, 2, 0 } }, 1);
    assert_int_equal(parse(), -EINVAL);
    assert_int_equal(mb2_parse(m.bytes, 7, &info), -EINVAL);
    memset(m.bytes, 0, 8);
    assert_int_equal(mb2_parse(m.bytes, 64, &info), -EINVAL);
}

static void make_rsdp(uint8_t *r, uint8_t revision)
{
    memset(r, 0, 36);
    memcpy(r, "RSD PTR ", 8);
    r[15] = revision;
    r[20] = 36;
    for (unsigned i = 0; i < 20; i++)
        r[8] = (uint8_t)(r[8] - (i == 8 ? 0 : r[i]));
    for (unsigned i = 0; i < 36; i++)
        r[32] = (uint8_t)(r[32] - (i == 32 ? 0 : r[i]));
}

static void test_rsdp(void **state)
{
    uint8_t r[36];
    (void)state;
    make_rsdp(r, 2);
    mb2_tag(&m, 15, r, 36);
    make_rsdp(r, 0);
    mb2_tag(&m, 14, r, 20);
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_true(info.has_rsdp);
    assert_int_equal(info.rsdp[15], 2); /* the newer one, though it came first */
}

static void test_bad_rsdp(void **state)
{
    uint8_t r[36];
    (void)state;
    make_rsdp(r, 2);
    r[33] ^= 1; /* only the second checksum sees it */
    mb2_tag(&m, 15, r, 36);
    mb2_tag(&m, 15, r, 12);
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_false(info.has_rsdp);
    make_rsdp(r, 0);
    begin(NULL);
    mb2_tag(&m, 14, r, 20);
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_true(info.has_rsdp);
}

static void add_framebuffer(uint8_t type, uint8_t bpp, uint32_t pitch, uint8_t red_shift)
{
    struct {
        uint64_t start;
        uint32_t pitch, width, height;
        uint8_t bpp, type, reserved[2], colours[6], pad[2];
    } fb = { 0xE0000000, pitch, 1024, 768, bpp, type, { 0 }, { red_shift, 8, 8, 8, 0, 8 }, { 0 } };
    mb2_tag(&m, 8, &fb, 30);
}

static uint8_t framebuffer_bpp(uint8_t type, uint8_t bpp, uint32_t pitch, uint8_t red_shift)
{
    begin(NULL);
    add_framebuffer(type, bpp, pitch, red_shift);
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    return info.framebuffer.bpp;
}

static void test_framebuffer(void **state)
{
    (void)state;
    assert_int_equal(framebuffer_bpp(1, 32, 4096, 16), 32);
    assert_int_equal(info.framebuffer.start.v, 0xE0000000);
    assert_int_equal(info.framebuffer.width, 1024);
    assert_int_equal(info.framebuffer.red.shift, 16);
    assert_int_equal(info.framebuffer.red.bits, 8);
    assert_int_equal(info.framebuffer.green.shift, 8);
    assert_int_equal(framebuffer_bpp(2, 16, 160, 16), 0);  /* EGA text */
    assert_int_equal(framebuffer_bpp(0, 8, 1024, 16), 0);  /* palette */
    assert_int_equal(framebuffer_bpp(1, 32, 4095, 16), 0); /* lines overlap */
    assert_int_equal(framebuffer_bpp(1, 64, 8192, 16), 0); /* nobody has such pixels */
}

/* As GRUB on a BIOS sends it: 32 bytes, no colours. Direct colour without colours is cut short. */
static void framebuffer_of_32_bytes(uint8_t type)
{
    uint8_t body[24] = { 0 };

    body[21] = type;
    fake_log_reset();
    begin(NULL);
    mb2_tag(&m, 8, body, sizeof(body));
    mb2_mmap(&m, pc, 4);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.framebuffer.bpp, 0);
}

static void test_text_framebuffer_is_no_complaint(void **state)
{
    (void)state;
    framebuffer_of_32_bytes(2);
    assert_false(fake_log_has("too short"));
    framebuffer_of_32_bytes(1);
    assert_true(fake_log_has("too short"));
}

static void test_tag_that_does_not_fit(void **state)
{
    (void)state;
    mb2_mmap(&m, pc, 4);
    mb2_tag_sized(&m, 1, 0xFFFFFFF8, "abc", 4);
    assert_int_equal(parse(), 0);
    assert_true(fake_log_has("does not fit"));
    begin(NULL);
    mb2_mmap(&m, pc, 4);
    mb2_tag_sized(&m, 1, 7, "abc", 4);
    assert_int_equal(parse(), 0);
    assert_int_equal(fake_log_lines[LOG_WARN], 1);
}

/* Cut at every length, in a buffer of exactly that size: the sanitizer watches. */
static void test_cut_everywhere(void **state)
{
    (void)state;
    mb2_tag(&m, 1, "words", 6);
    add_module(0x1000, 0x2000, "kernel");
    add_framebuffer(1, 32, 4096, 16);
    mb2_mmap(&m, pc, 4);
    mb2_efi_mmap(&m, efi, 9);
    mb2_end(&m);
    for (size_t n = 0; n < m.size; n++) {
        uint8_t *cut = malloc(n + 1);
        memcpy(cut + 1, m.bytes, n); /* misaligned as well */
        (void)!mb2_parse(cut + 1, n, &info);
        free(cut);
    }
}

/* The painter against an array of cells. */
static void test_regions_model(void **state)
{
    enum { CELLS = 64, ROUNDS = 2000 };
    (void)state;
    srand(7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t cells[CELLS] = { 0 };
        info.region_count = 0;
        for (unsigned i = 0; i < 20; i++) {
            unsigned a = (unsigned)rand() % CELLS, n = (unsigned)rand() % (CELLS - a + 1);
            uint8_t kind = (uint8_t)(1 + rand() % 3);
            regions_put(&info, a, n, (enum mem_kind)kind);
            memset(cells + a, kind, n);
        }
        unsigned at = 0;
        for (unsigned i = 0; i < info.region_count; i++) {
            const struct mem_region *r = &info.regions[i];
            for (; at < r->start.v; at++)
                assert_int_equal(cells[at], 0);
            for (; at < r->start.v + r->size; at++)
                assert_int_equal(cells[at], r->kind);
            if (i > 0 && r[-1].kind == r->kind)
                assert_true(r[-1].start.v + r[-1].size < r->start.v);
        }
        for (; at < CELLS; at++)
            assert_int_equal(cells[at], 0);
    }
}

/* More pieces than slots: what is left is still sorted and says nothing untrue. */
static void test_regions_overflow(void **state)
{
    (void)state;
    info.region_count = 0;
    regions_put(&info, 0, 0x100000, MEM_USABLE);
    for (unsigned i = 0; i < 200; i++)
        regions_put(&info, 0x10 + i * 0x100, 0x10, MEM_RESERVED);
    assert_int_equal(info.region_count, MAX_MEM_REGIONS);
    for (unsigned i = 0; i < info.region_count; i++) {
        const struct mem_region *r = &info.regions[i];
        if (i > 0)
            assert_true(r[-1].start.v + r[-1].size <= r->start.v);
        for (unsigned k = 0; k < 200 && r->kind == MEM_USABLE; k++)
            assert_false(r->start.v < 0x20 + k * 0x100UL &&
                         0x10 + k * 0x100UL < r->start.v + r->size);
    }
}

static void test_random_bytes(void **state)
{
    (void)state;
    srand(11);
    for (unsigned round = 0; round < 20000; round++) {
        begin(NULL);
        mb2_tag(&m, 1, "words", 6);
        add_module(0x1000, 0x2000, "kernel");
        add_framebuffer(1, 32, 4096, 16);
        mb2_mmap(&m, pc, 4);
        mb2_efi_mmap(&m, efi, 9);
        mb2_end(&m);
        for (unsigned i = rand() % 16; i; i--)
            m.bytes[(unsigned)rand() % m.size] = (uint8_t)rand();
        (void)!mb2_parse(m.bytes, m.size, &info);
    }
}

#define T(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_words),
        T(test_unterminated_and_long_words),
        T(test_modules),
        T(test_grubs_quoting),
        T(test_no_quoting),
        T(test_too_many_modules),
        T(test_map),
        T(test_awkward_map),
        T(test_efi_map),
        T(test_both_maps),
        T(test_in_boot_services),
        T(test_broken_map),
        T(test_nothing_usable),
        T(test_rsdp),
        T(test_bad_rsdp),
        T(test_framebuffer),
        T(test_text_framebuffer_is_no_complaint),
        T(test_tag_that_does_not_fit),
        T(test_cut_everywhere),
        T(test_regions_model),
        T(test_regions_overflow),
        T(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
