/* links: boot/efi_memory.c boot/grub_line.c boot/multiboot2.c boot/regions.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Memory as firmware leaves it: maps of real machines, every type and attribute that UEFI knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "boot/efi_memory.h"
#include "boot/multiboot2.h"
#include "boot/regions.h"
#include "lib/log.h"
#include "tests/fakes/log.h"
#include "tests/unit/mb2_build.h"
#include "tests/unit/memory_maps.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GIB      (1UL << 30)

static struct boot_info info;

static int begin(void **state)
{
    (void)state;
    fake_log_reset();
    memset(&info, 0, sizeof(info));
    return 0;
}

/* Firmware's descriptors are 48 bytes apart nowadays, of which 40 are defined. */
static void read_efi(const struct recorded *r, unsigned count, bool in_boot_services)
{
    static struct mb2_efi_entry map[128];

    assert_true(count <= COUNT(map));
    for (unsigned i = 0; i < count; i++)
        map[i] = (struct mb2_efi_entry){ .type = r[i].type,
                                         .physical = r[i].start << PAGE_SHIFT,
                                         .pages = r[i].end - r[i].start,
                                         .attributes = r[i].attributes,
                                         .more = 0x5A5A5A5A5A5A5A5A };
    efi_memory_put_all(&info, &(struct efi_memory_map){ (const uint8_t *)map, count * sizeof(*map),
                                                        sizeof(*map), in_boot_services });
}

static uint64_t bytes_of(enum mem_kind kind)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < info.region_count; i++)
        sum += info.regions[i].kind == kind ? info.regions[i].size : 0;
    return sum;
}

/* The kind of memory at an address; 0: nothing is said of it. */
static unsigned kind_at(uint64_t address)
{
    for (unsigned i = 0; i < info.region_count; i++) {
        const struct mem_region *r = &info.regions[i];
        if (address >= r->start.v && address - r->start.v < r->size)
            return r->kind;
    }
    return 0;
}

static void check_sorted_and_merged(void)
{
    for (unsigned i = 1; i < info.region_count; i++) {
        const struct mem_region *r = &info.regions[i];
        uint64_t end = r[-1].start.v + r[-1].size;
        assert_true(end < r->start.v || (end == r->start.v && r[-1].kind != r->kind));
    }
    assert_int_equal(fake_log_lines[LOG_WARN], 0); /* none was lost */
}

static void test_laptop(void **state)
{
    (void)state;
    read_efi(laptop, COUNT(laptop), false);
    check_sorted_and_merged();
    assert_int_equal(bytes_of(MEM_USABLE), 4165016UL << PAGE_SHIFT);
    assert_int_equal(bytes_of(MEM_ACPI), 5 << PAGE_SHIFT);
    assert_int_equal(bytes_of(MEM_NVS), 2244 << PAGE_SHIFT);
    assert_int_equal(bytes_of(MEM_RESERVED), 40265UL << PAGE_SHIFT);
    assert_int_equal(kind_at(0x20000000), MEM_RESERVED);
    assert_int_equal(kind_at(0x40004000), MEM_RESERVED);
    assert_int_equal(kind_at(0x40005000), MEM_USABLE);
    assert_int_equal(kind_at(0xCA047000), MEM_USABLE);   /* boot services' code */
    assert_int_equal(kind_at(0xCA046FFF), MEM_RESERVED); /* the runtime's, beside it */
    assert_int_equal(kind_at(0xD0000000), 0);            /* a hole */
    assert_int_equal(kind_at(0x42F1FFFFF), MEM_USABLE);
    assert_int_equal(kind_at(0x42F200000), 0);
}

/* The same machine, if somebody hands it over without having left the firmware. */
static void test_laptop_in_boot_services(void **state)
{
    uint64_t usable = 0;

    (void)state;
    read_efi(laptop, COUNT(laptop), true);
    check_sorted_and_merged();
    for (unsigned i = 0; i < COUNT(laptop); i++) {
        const struct recorded *r = &laptop[i];
        if (r->type == 1 || r->type == 2 || r->type == 7)
            usable += (r->end - r->start) << PAGE_SHIFT;
    }
    assert_int_equal(bytes_of(MEM_USABLE), usable);
    assert_int_equal(kind_at(0xCA047000), MEM_RESERVED);
}

static void test_superdome(void **state)
{
    (void)state;
    read_efi(superdome, COUNT(superdome), false);
    check_sorted_and_merged();
    assert_int_equal(bytes_of(MEM_USABLE), 3221195661UL << PAGE_SHIFT);
    assert_int_equal(kind_at(4 * GIB), MEM_NVS);
    assert_int_equal(kind_at(4 * GIB + PAGE_SIZE), MEM_USABLE);
    assert_int_equal(kind_at(0xC080000000), 0); /* the hole at 770 GiB */
    assert_int_equal(kind_at(0xE000000000), MEM_NVS);
    assert_int_equal(kind_at(0xC1FFFFFFFFF), MEM_USABLE);
    assert_int_equal(kind_at(0xFDFE0000000), MEM_RESERVED);
}

static void test_x4600(void **state)
{
    static struct mb2 m;
    struct mb2_mmap_entry e[COUNT(x4600)];

    (void)state;
    for (unsigned i = 0; i < COUNT(x4600); i++)
        e[i] = (struct mb2_mmap_entry){ x4600[i].start, x4600[i].end - x4600[i].start,
                                        x4600[i].type, 0 };
    mb2_begin(&m);
    mb2_mmap(&m, e, COUNT(x4600));
    mb2_end(&m);
    assert_int_equal(mb2_parse(m.bytes, m.size, &info), 0);
    check_sorted_and_merged();
    assert_int_equal(bytes_of(MEM_USABLE), 0x99C00 + 0xD7EA0000UL + 0x1F28000000UL);
    assert_int_equal(kind_at(0xD7FAE000), MEM_RESERVED); /* a type from beyond the specification */
    assert_int_equal(kind_at(0xD7FB0000), MEM_ACPI);
    assert_int_equal(kind_at(0xD7FBE000), MEM_NVS);
    assert_int_equal(kind_at(0xD7FA0000), 0);
}

/* One page of each type, and what becomes of it. */
static void test_every_type(void **state)
{
    static const enum mem_kind kinds[] = {
        [0] = MEM_RESERVED,                       /* reserved */
        [1] = MEM_USABLE,    [2] = MEM_USABLE,    /* loader */
        [3] = MEM_USABLE,    [4] = MEM_USABLE,    /* boot services */
        [5] = MEM_RESERVED,  [6] = MEM_RESERVED,  /* runtime services */
        [7] = MEM_USABLE,                         /* conventional */
        [8] = MEM_BAD,                            /* unusable */
        [9] = MEM_ACPI,      [10] = MEM_NVS,      /* ACPI */
        [11] = MEM_RESERVED, [12] = MEM_RESERVED, /* memory-mapped I/O, and ports */
        [13] = MEM_RESERVED,                      /* PAL code */
        [14] = MEM_RESERVED,                      /* persistent */
        [15] = MEM_RESERVED,                      /* unaccepted */
        [16] = MEM_RESERVED,                      /* of a later specification */
    };
    (void)state;
    for (uint32_t type = 0; type < COUNT(kinds); type++) {
        begin(NULL);
        read_efi(&(struct recorded){ type, 0x1000, 0x1001, M }, 1, false);
        assert_int_equal(kind_at(0x1000000), kinds[type]);
        begin(NULL);
        read_efi(&(struct recorded){ type, 0x1000, 0x1001, M | 1UL << 63 }, 1, false);
        assert_int_not_equal(kind_at(0x1000000), MEM_USABLE);
    }
    begin(NULL);
    read_efi(&(struct recorded){ 0x80000000, 0x1000, 0x1001, M }, 1, false); /* a loader's own */
    assert_int_equal(kind_at(0x1000000), MEM_RESERVED);
}

static void test_attributes(void **state)
{
    static const struct {
        uint64_t attributes;
        enum mem_kind kind;
    } cases[] = {
        { M, MEM_USABLE },
        { 1UL << 3, MEM_USABLE },        /* write-back alone */
        { M | 1UL << 16, MEM_USABLE },   /* more reliable than the rest */
        { M | 1UL << 19, MEM_USABLE },   /* can be encrypted by the CPU */
        { 0x7, MEM_RESERVED },           /* no write-back */
        { 0, MEM_RESERVED },             /* nothing */
        { M | 1UL << 15, MEM_RESERVED }, /* keeps its content */
        { M | 1UL << 18, MEM_RESERVED }, /* for a special purpose */
    };
    (void)state;
    for (unsigned i = 0; i < COUNT(cases); i++) {
        begin(NULL);
        read_efi(&(struct recorded){ 7, 0x1000, 0x1001, cases[i].attributes }, 1, false);
        assert_int_equal(kind_at(0x1000000), cases[i].kind);
    }
}

/* Whatever their order: hands off what is anything else as well. */
static void test_overlaps(void **state)
{
    static const struct recorded map[] = {
        { 0, 0x300, 0x400, M },  { 7, 0x100, 0x1000, M }, { 9, 0x380, 0x480, M },
        { 10, 0x470, 0x500, M }, { 7, 0x200, 0x600, M },  { 8, 0x4FF, 0x501, M },
    };
    (void)state;
    read_efi(map, COUNT(map), false);
    check_sorted_and_merged();
    assert_int_equal(kind_at(0x380000), MEM_RESERVED);
    assert_int_equal(kind_at(0x400000), MEM_ACPI);
    assert_int_equal(kind_at(0x470000), MEM_NVS);
    assert_int_equal(kind_at(0x4FF000), MEM_BAD);
    assert_int_equal(bytes_of(MEM_USABLE), (0x200 + 0xAFF) << PAGE_SHIFT);
}

/* A step that is shorter than a descriptor, a last one that is cut. */
static void test_malformed(void **state)
{
    struct mb2_efi_entry e = { .type = 7, .physical = 0x100000, .pages = 16, .attributes = M };
    struct efi_memory_map map = { (const uint8_t *)&e, sizeof(e), EFI_MEMORY_STEP_MIN - 1, false };

    (void)state;
    efi_memory_put_all(&info, &map);
    assert_int_equal(info.region_count, 0);
    map.step = sizeof(e) + 1;
    efi_memory_put_all(&info, &map);
    assert_int_equal(info.region_count, 0);
    map.size = map.step = EFI_MEMORY_STEP_MIN;
    efi_memory_put_all(&info, &map);
    assert_int_equal(bytes_of(MEM_USABLE), 16 << PAGE_SHIFT);
}

#define T(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_laptop),     T(test_laptop_in_boot_services),
        T(test_superdome),  T(test_x4600),
        T(test_every_type), T(test_attributes),
        T(test_overlaps),   T(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
