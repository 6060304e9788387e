/* links: loader/image.c loader/image_bzimage.c loader/image_setup.c loader/image_multiboot.c loader/image_multiboot2.c loader/image_pvh.c loader/image_firmware.c loader/image_place.c loader/image_elf.c loader/image_flat.c loader/image_sections.c loader/image_tables.c decompress/decompress.c decompress/gzip.c decompress/inflate.c loader/memmap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * loader/image*.c: sound images and where everything lands; images that are wrong in each way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "include/public/hvm/start_info.h"
#include "lib/log.h"
#include "tests/fakes/guest_ram.h"
#include "tests/fakes/log.h"

static uint8_t file[65536];
static size_t file_size;
static struct memmap map;
static struct image_memory memory;
static struct image_start start;
static struct image_module modules[3];
static struct image image;

static void set16(size_t at, unsigned v)
{
    memcpy(file + at, &(uint16_t){ (uint16_t)v }, 2);
}

static void set32(size_t at, uint64_t v)
{
    memcpy(file + at, &(uint32_t){ (uint32_t)v }, 4);
}

static uint32_t ram32(uint64_t at)
{
    uint32_t v;
    memcpy(&v, guest_ram + at, 4);
    return v;
}

static uint64_t ram64(uint64_t at)
{
    return ram32(at) | (uint64_t)ram32(at + 4) << 32;
}

static const char *text_at(uint64_t at)
{
    return (const char *)guest_ram + at;
}

static int reset(void **state)
{
    (void)state;
    fake_log_reset();
    memset(file, 0, sizeof(file));
    memset(guest_ram, 0, sizeof(guest_ram));
    guest_ram_error = 0;
    assert_int_equal(memmap_build(&map, GUEST_RAM_BYTES), 0);
    memory = guest_ram_memory(&map);
    image = (struct image){ .domain = "dom1", .cmdline = "console=ttyS0", .modules = modules };
    return 0;
}

static int load(void)
{
    /* A copy of exactly that size, so that the sanitizer sees a read beyond it. */
    uint8_t *copy = malloc(file_size + 1);
    memcpy(copy, file, file_size);
    image.data = copy;
    image.size = file_size;
    int error = image_load(&image, &memory, &start);
    free(copy);
    return error;
}

/* ---- bzImage ---- */

static void make_bzimage(void)
{
    reset(NULL);
    file[0x1F1] = 1; /* setup sectors */
    set32(0x1F4, 0x1000 / 16);
    set16(0x1FE, 0xAA55);
    file[0x200] = 0xEB;
    file[0x201] = 0x6A;
    memcpy(file + 0x202, "HdrS", 4);
    set16(0x206, 0x20F);
    set32(0x22C, 0x7FFFFFFF);
    set32(0x230, 0x200000);
    set16(0x236, 0x3F);
    set32(0x238, 2047);
    set32(0x258, 0x1000000);
    set32(0x260, 0x400000);
    memset(file + 1024, 0xAB, 0x1000);
    file_size = 1024 + 0x1000;
}

static void test_bzimage(void **state)
{
    static const char ramdisk[5000] = "ramdisk";
    (void)state;
    make_bzimage();
    modules[0] = (struct image_module){ ramdisk, sizeof(ramdisk), "" };
    image.module_count = 1;
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_LONG);
    assert_true(start.programs_pc);
    assert_int_equal(start.rip, 0x1000200);
    assert_int_equal(guest_ram[0x1000000], 0xAB);
    assert_int_equal(guest_ram[0x1000FFF], 0xAB);
    assert_int_equal(guest_ram[0x1001000], 0);

    uint64_t zp = start.rsi;
    assert_memory_equal(guest_ram + zp + 0x202, "HdrS", 4);
    assert_int_equal(guest_ram[zp + 0x1EF], 0); /* the sentinel */
    assert_int_equal(guest_ram[zp + 0x210], 0xFF);
    assert_int_equal(ram64(zp + 0x70), MEMMAP_ACPI);
    assert_string_equal((char *)guest_ram + ram32(zp + 0x228), "console=ttyS0");
    assert_int_equal(guest_ram[zp + 0x1E8], map.e820_count);
    assert_memory_equal(guest_ram + zp + 0x2D0, map.e820, map.e820_count * 20);
    uint32_t at = ram32(zp + 0x218);
    assert_int_equal(ram32(zp + 0x21C), 5000);
    assert_int_equal(at, GUEST_RAM_BYTES - 8192);
    assert_string_equal((char *)guest_ram + at, "ramdisk");
}

/* Walks the tables that CR3 leads to, as the CPU would. */
static void check_tables(void)
{
    for (uint64_t va = 0; va < 1UL << 32; va += 0x200000) {
        uint64_t e = ram64(start.page_root.v);
        e = ram64((e & ~0xFFFUL) + (va >> 30) * 8);
        e = ram64((e & ~0xFFFUL) + ((va >> 21) & 511) * 8);
        assert_int_equal(e, va | 0x83);
    }
    assert_int_equal(start.gdt_limit, 31);
    assert_int_equal(ram64(start.gdt_base.v + start.cs), 0x00AF9B000000FFFF);
    assert_int_equal(ram64(start.gdt_base.v + start.ds), 0x00CF93000000FFFF);
}

static void test_bzimage_tables(void **state)
{
    (void)state;
    make_bzimage();
    assert_int_equal(load(), 0);
    check_tables();
}

/* A kernel without a 64-bit entry is entered where it is loaded, without paging. */
static void bzimage_by_32(void)
{
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_PROTECTED32);
    assert_int_equal(start.rip, 0x1000000);
    assert_int_equal(ram64(start.gdt_base.v + start.cs), 0x00CF9B000000FFFF);
    assert_int_equal(ram64(start.gdt_base.v + start.ds), 0x00CF93000000FFFF);
    assert_memory_equal(guest_ram + start.rsi + 0x202, "HdrS", 4);
    assert_true(fake_log_has("by its 32-bit entry"));
}

static void test_bzimage_32(void **state)
{
    (void)state;
    make_bzimage();
    set16(0x236, 0x3E); /* XLF_KERNEL_64 is clear, */
    bzimage_by_32();
    make_bzimage();
    set16(0x206, 0x20B); /* or of a version that has no such field */
    bzimage_by_32();
}

static void refused(int error, const char *why)
{
    fake_log_reset();
    assert_int_equal(load(), error);
    if (!fake_log_has(why))
        fail_msg("expected \"%s\", got: %s", why, fake_log_text);
    assert_int_equal(fake_log_lines[LOG_ERROR], 1);
    assert_true(fake_log_has("dom1"));
}

#define BAD_BZIMAGE(change, error, why)                                                            \
    do {                                                                                           \
        make_bzimage();                                                                            \
        change;                                                                                    \
        refused(error, why);                                                                       \
    } while (0)

static void test_bad_bzimage(void **state)
{
    static char words[2049];
    (void)state;
    BAD_BZIMAGE(file_size = 0x206, -ENOEXEC, "within the header");
    BAD_BZIMAGE(set16(0x206, 0x1FF), -ENOEXEC, "2.00");
    BAD_BZIMAGE(file[0x201] = 0x10, -ENOEXEC, "header is shorter");
    BAD_BZIMAGE(file[0x1F1] = 255, -ENOEXEC, "within the setup code");
    BAD_BZIMAGE(set32(0x1F4, 0), -ENOEXEC, "syssize");
    BAD_BZIMAGE(set32(0x1F4, 0x20), -ENOEXEC, "64-bit entry");
    BAD_BZIMAGE(set32(0x1F4, 0xFFFFFFFF), -ENOEXEC, "cut short");
    BAD_BZIMAGE(file_size -= 16, -ENOEXEC, "cut short");
    BAD_BZIMAGE(set32(0x230, 0), -ENOEXEC, "not aligned");
    BAD_BZIMAGE(set32(0x230, 0x300000), -ENOEXEC, "not aligned");
    BAD_BZIMAGE(set32(0x258, 0x1001000), -ENOEXEC, "not aligned");
    BAD_BZIMAGE(set32(0x258, 0), -ENOEXEC, "below 1 MiB");
    BAD_BZIMAGE(set32(0x260, 0xFFF), -ENOEXEC, "init_size");
    BAD_BZIMAGE(set32(0x260, 0x1000001), -ENOMEM, "needs 33 MiB");
    BAD_BZIMAGE(set32(0x260, 0xFFFFFFFF), -ENOMEM, "too little memory");
    BAD_BZIMAGE(set32(0x25C, 0xFFFFFFFF), -ENOMEM, "too little memory");
    BAD_BZIMAGE(set32(0x238, 3), -EINVAL, "command line");
    memset(words, 'w', 2048);
    BAD_BZIMAGE(image.cmdline = words, -EINVAL, "command line");
    BAD_BZIMAGE(image.module_count = 2, -EINVAL, "one ramdisk");
    modules[0] = (struct image_module){ file, 0, "" };
    BAD_BZIMAGE(image.module_count = 1, -EINVAL, "empty");
    modules[0].size = GUEST_RAM_BYTES - 0x1400000 + 1;
    BAD_BZIMAGE(image.module_count = 1, -ENOMEM, "ramdisk");
    modules[0].size = SIZE_MAX;
    BAD_BZIMAGE(image.module_count = 1, -ENOMEM, "ramdisk");
    modules[0].size = 4096;
    BAD_BZIMAGE((set32(0x22C, 0x1400FFE), image.module_count = 1), -ENOMEM, "ramdisk");
    BAD_BZIMAGE(guest_ram_error = -EIO, -EIO, "could not be written");
}

/* A kernel that says so takes its ramdisk above 4 GiB, where it has no room below. */
static uint64_t written_high;

static int write_anywhere(void *ctx, gpa_t to, const void *from, size_t n)
{
    if (to.v < GUEST_RAM_BYTES)
        return guest_ram_write(ctx, to, from, n);
    written_high = to.v;
    return 0;
}

static void test_bzimage_high_ramdisk(void **state)
{
    static uint8_t ramdisk[5000];

    (void)state;
    make_bzimage();
    assert_int_equal(memmap_build(&map, MEMMAP_HIGH + (64UL << 20)), 0);
    memory = guest_ram_memory(&map);
    memory.write = write_anywhere;
    modules[0] = (struct image_module){ ramdisk, sizeof(ramdisk), "" };
    image.module_count = 1;
    set32(0x22C, 0x1400FFE); /* the last byte that it may have below */
    written_high = 0;
    assert_int_equal(load(), 0);
    uint64_t end = map.e820[map.e820_count - 1].start + map.e820[map.e820_count - 1].size;
    uint64_t at = ram32(start.rsi + 0x218) | (uint64_t)ram32(start.rsi + 0xC0) << 32;
    assert_int_equal(at, end - 8192);
    assert_int_equal(written_high, at);
    assert_int_equal(ram32(start.rsi + 0x21C), 5000);
    assert_int_equal(ram32(start.rsi + 0xC4), 0);
    set16(0x236, 0x3D); /* XLF_CAN_BE_LOADED_ABOVE_4G is clear */
    refused(-ENOMEM, "ramdisk");
}

/* ---- The real-mode entry ---- */

/* As iPXE has it. */
static void make_old(unsigned version)
{
    make_bzimage();
    set16(0x206, version);
    file[0x211] = 1; /* LOADED_HIGH */
    set32(0x238, version < 0x206 ? 0 : 300);
    memset(file + 0x239, 0xEE, 100); /* a header of that version ends before it */
    if (version >= 0x206)
        set32(0x238, 300);
}

static uint16_t ram16(uint64_t at)
{
    return (uint16_t)ram32(at);
}

static void test_real_mode(void **state)
{
    static const char ramdisk[5000] = "ramdisk";

    (void)state;
    make_old(0x207);
    modules[0] = (struct image_module){ ramdisk, sizeof(ramdisk), "" };
    image.module_count = 1;
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_REAL16);
    assert_int_equal(start.ds, 0x1000);
    assert_int_equal(start.cs, 0x1020);
    assert_int_equal(start.rip, 0);
    assert_int_equal(start.rsp, 0xE000);
    assert_false(start.programs_pc);
    assert_memory_equal(guest_ram + 0x10202, "HdrS", 4);
    assert_int_equal(guest_ram[0x10210], 0xFF);
    assert_int_equal(guest_ram[0x10211], 0x81); /* the heap may be used, */
    assert_int_equal(ram16(0x10224), 0xDE00);   /* as far as here */
    assert_string_equal(text_at(ram32(0x10228)), "console=ttyS0");
    assert_int_equal(guest_ram[0x100000], 0xAB);
    assert_int_equal(guest_ram[0x100FFF], 0xAB);
    assert_int_equal(ram32(0x10218), GUEST_RAM_BYTES - 8192);
    assert_int_equal(ram32(0x1021C), 5000);
    assert_string_equal(text_at(ram32(0x10218)), "ramdisk");
    assert_true(fake_log_has("by its real-mode entry"));
}

/* 2.03, as memdisk has it: syssize is 0, and counts only from 2.04 on. */
static void test_real_mode_without_size(void **state)
{
    (void)state;
    make_old(0x203);
    set32(0x1F4, 0);
    assert_int_equal(load(), 0);
    assert_int_equal(guest_ram[0x100FFF], 0xAB);
    BAD_BZIMAGE((make_old(0x204), set32(0x1F4, 0)), -ENOEXEC, "syssize");
}

/* Up to 2.01 all is in one segment at 0x90000; a zImage is below. */
static void test_oldest_real_mode(void **state)
{
    (void)state;
    make_old(0x200);
    file[0x211] = 0;
    assert_int_equal(load(), 0);
    assert_int_equal(start.ds, 0x9000);
    assert_int_equal(start.rsp, 0x9800);
    assert_int_equal(ram16(0x90020), 0xA33F);
    assert_int_equal(ram16(0x90022), 0x9800);
    assert_string_equal(text_at(0x99800), "console=ttyS0");
    assert_int_equal(ram16(0x90212), 0x9800 + 14);
    assert_int_equal(guest_ram[0x90211], 0); /* no heap before 2.01 */
    assert_int_equal(guest_ram[0x10000], 0xAB);
    assert_int_equal(guest_ram[0x10FFF], 0xAB);
}

static void test_bad_real_mode(void **state)
{
    static char words[301];

    (void)state;
    BAD_BZIMAGE((make_old(0x207), image.pvh = true), -EINVAL, "type=hvm");
    BAD_BZIMAGE((make_old(0x207), file_size = 0x263), -ENOEXEC, "within the header");
    BAD_BZIMAGE((make_old(0x203), file[0x1F1] = 120, file_size = 65536), -ENOEXEC, "too long");
    BAD_BZIMAGE((make_old(0x200), file[0x211] = 0, file_size = 60000, file[0x1F1] = 80), -ENOEXEC,
                "setup code is too long");
    memset(words, 'w', 300);
    BAD_BZIMAGE((make_old(0x205), image.cmdline = words), -EINVAL, "command line");
    make_old(0x206);
    image.cmdline = words;
    assert_int_equal(load(), 0);
    BAD_BZIMAGE((make_old(0x206), set32(0x238, 299), image.cmdline = words), -EINVAL,
                "command line");
    BAD_BZIMAGE((make_old(0x207), guest_ram_error = -EIO), -EIO, "cannot hold the kernel");
    BAD_BZIMAGE((make_old(0x207), image.module_count = 2), -EINVAL, "one ramdisk");
}

/* ---- By a BIOS beside it ---- */

static struct image_plan plan;
static uint8_t setup_copy[IMAGE_SETUP_MOST];

static int make_plan(uint64_t ram)
{
    image.data = file;
    image.size = file_size;
    return image_plan(&image, ram, setup_copy, &plan);
}

/* What is planned is what the real-mode loader would have written; the top of the RAM is left. */
static void test_plan(void **state)
{
    static const char ramdisk[5000] = "ramdisk";

    (void)state;
    make_old(0x207);
    modules[0] = (struct image_module){ ramdisk, sizeof(ramdisk), "" };
    image.module_count = 1;
    assert_int_equal(make_plan(32 << 20), 0);
    assert_int_equal(plan.part[IMAGE_SETUP].at, 0x10000);
    assert_int_equal(plan.part[IMAGE_SETUP].size, 1024);
    assert_ptr_equal(plan.part[IMAGE_SETUP].data, setup_copy);
    assert_memory_equal(setup_copy + 0x202, "HdrS", 4);
    assert_int_equal(setup_copy[0x210], 0xFF);
    assert_int_equal(setup_copy[0x211], 0x81);
    assert_int_equal(image_get32(setup_copy + 0x228), plan.part[IMAGE_WORDS].at);
    assert_int_equal(image_get32(setup_copy + 0x218), (31 << 20) - 8192);
    assert_int_equal(image_get32(setup_copy + 0x21C), 5000);
    assert_int_equal(plan.part[IMAGE_KERNEL].at, 0x100000);
    assert_int_equal(plan.part[IMAGE_KERNEL].size, 0x1000);
    assert_ptr_equal(plan.part[IMAGE_KERNEL].data, file + 1024);
    assert_int_equal(plan.part[IMAGE_RAMDISK].at, (31 << 20) - 8192);
    assert_int_equal(plan.part[IMAGE_RAMDISK].size, 5000);
    assert_ptr_equal(plan.part[IMAGE_RAMDISK].data, ramdisk);
    assert_int_equal(plan.part[IMAGE_WORDS].at, 0x20000);
    assert_int_equal(plan.part[IMAGE_WORDS].size, 14); /* with the NUL */
    assert_ptr_equal(plan.part[IMAGE_WORDS].data, image.cmdline);
    assert_int_equal(plan.stack, 0xE000);
}

/* The setup code of a kernel that has other entries too; and the oldest. */
static void test_plan_others(void **state)
{
    (void)state;
    make_bzimage();
    file[0x211] = 1;
    assert_int_equal(make_plan(32 << 20), 0);
    assert_int_equal(plan.part[IMAGE_KERNEL].at, 0x100000);
    assert_int_equal(plan.part[IMAGE_RAMDISK].size, 0);
    make_old(0x200);
    file[0x211] = 0;
    assert_int_equal(make_plan(32 << 20), 0);
    assert_int_equal(plan.part[IMAGE_SETUP].at, 0x90000);
    assert_int_equal(plan.part[IMAGE_WORDS].at, 0x99800);
    assert_int_equal(image_get16(setup_copy + 0x20), 0xA33F);
    assert_int_equal(plan.stack, 0x9800);
}

/* Of a ramdisk of 301 MiB the planner reads nothing. */
static void test_plan_large(void **state)
{
    (void)state;
    make_old(0x207);
    modules[0] = (struct image_module){ file, 301 << 20, "" };
    image.module_count = 1;
    assert_int_equal(make_plan(1 << 30), 0);
    assert_int_equal(plan.part[IMAGE_RAMDISK].at, (1023 - 301) << 20);
    assert_int_equal(image_get32(setup_copy + 0x21C), 301 << 20);
    assert_int_equal(make_plan(302 << 20), -ENOMEM);
}

static void test_no_plan(void **state)
{
    (void)state;
    make_old(0x207);
    file[0x202] = 'h';
    assert_int_equal(make_plan(32 << 20), -ENOEXEC);
    assert_true(fake_log_has("starts bzImages only"));
    make_old(0x207);
    file_size = 0x263;
    assert_int_equal(make_plan(32 << 20), -ENOEXEC);
    make_old(0x207);
    assert_int_equal(make_plan(2 << 20), -ENOMEM); /* nothing above 1 MiB is left */
    assert_true(fake_log_has("too little memory"));
    make_old(0x1FF);
    assert_int_equal(make_plan(32 << 20), -ENOEXEC);
    make_old(0x207);
    image.module_count = 2;
    assert_int_equal(make_plan(32 << 20), -EINVAL);
    make_bzimage();
    file[0x211] = 1;
    modules[0] = (struct image_module){ file, 4096, "" };
    image.module_count = 1;
    set32(0x260, 30 << 20); /* init_size: there must be room for the ramdisk above that */
    assert_int_equal(make_plan(32 << 20), -ENOMEM);
}

/* ---- multiboot ---- */

static void make_header(size_t at, uint32_t flags)
{
    set32(at, 0x1BADB002);
    set32(at + 4, flags);
    set32(at + 8, 0u - 0x1BADB002u - flags);
}

/* One segment: virtual 0xC0100000 at physical 1 MiB, 0x1000 bytes of 0x3000 in the file. */
static void make_elf32(void)
{
    reset(NULL);
    memcpy(file, "\177ELF\1\1\1", 7);
    set16(16, 2);
    set16(18, 3);
    set32(24, 0xC0100010);
    set32(28, 52);
    set16(42, 32);
    set16(44, 1);
    static const uint32_t segment[] = { 1, 0x1000, 0xC0100000, 0x100000, 0x1000, 0x3000, 7, 4096 };
    memcpy(file + 52, segment, sizeof(segment));
    make_header(0x80, 3);
    memset(file + 0x1000, 0xCD, 0x1000);
    file_size = 0x2000;
}

static void check_modules(uint32_t mbi)
{
    uint32_t table = ram32(mbi + 24);
    assert_int_equal(ram32(mbi + 20), 2);
    assert_int_equal(ram32(table), 0x103000);
    assert_int_equal(ram32(table + 4), 0x103005);
    assert_string_equal((char *)guest_ram + ram32(table + 8), "first");
    assert_int_equal(ram32(table + 16), 0x104000);
    assert_string_equal((char *)guest_ram + ram32(table + 24), "");
    assert_memory_equal(guest_ram + 0x103000, "12345", 5);
    assert_memory_equal(guest_ram + 0x104000, "678", 3);
}

static void test_multiboot_elf(void **state)
{
    (void)state;
    make_elf32();
    modules[0] = (struct image_module){ "12345", 5, "first" };
    modules[1] = (struct image_module){ "678", 3, "" };
    image.module_count = 2;
    guest_ram[0x101000] = 0xFF; /* the loader clears what the file does not fill */
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_PROTECTED32);
    assert_int_equal(start.rip, 0x100010);
    assert_int_equal(start.rax, 0x2BADB002);
    assert_false(start.programs_pc);
    assert_int_equal(start.cs, 0x08); /* as xv6 has it in its own tables */
    assert_int_equal(start.ds, 0x10);
    assert_int_equal(start.gdt_limit, 0);
    assert_int_equal(guest_ram[0x100FFF], 0xCD);
    assert_int_equal(guest_ram[0x101000], 0);

    uint32_t mbi = (uint32_t)start.rbx;
    assert_int_equal(ram32(mbi), 0x24D);
    assert_int_equal(ram32(mbi + 4), 639);
    assert_int_equal(ram32(mbi + 8), (GUEST_RAM_BYTES >> 10) - 1024);
    assert_string_equal((char *)guest_ram + ram32(mbi + 16), "console=ttyS0");
    assert_string_equal((char *)guest_ram + ram32(mbi + 64), "Caisson");
    check_modules(mbi);
    uint32_t entry = ram32(mbi + 48);
    assert_int_equal(ram32(mbi + 44), map.e820_count * 24);
    for (unsigned i = 0; i < map.e820_count; i++, entry += 24) {
        assert_int_equal(ram32(entry), 20);
        assert_memory_equal(guest_ram + entry + 4, &map.e820[i], 20);
    }
}

#define BAD(make, change, error, why)                                                              \
    do {                                                                                           \
        make();                                                                                    \
        change;                                                                                    \
        refused(error, why);                                                                       \
    } while (0)

/* xv6's kernel is linked high and names its entry by the physical address. Where an address is a
 * virtual one of a segment as well, it is that. */
static void test_physical_entry(void **state)
{
    (void)state;
    make_elf32();
    set32(24, 0x100020);
    assert_int_equal(load(), 0);
    assert_int_equal(start.rip, 0x100020);
    assert_true(fake_log_has("dom1: ELF: the entry is taken as a physical address"));
    make_elf32();
    set32(24, 0x102010);
    set32(52 + 8, 0x102000); /* the segment's virtual address */
    assert_int_equal(load(), 0);
    assert_int_equal(start.rip, 0x100010);
    assert_false(fake_log_has("physical address"));
    BAD(make_elf32, set32(24, 0x103000), -ENOEXEC, "entry");
    BAD(make_elf32, set32(24, 0xFFFFF), -ENOEXEC, "entry");
}

static void test_multiboot_elf64(void **state)
{
    static const uint64_t segment[] = { 1 | 7UL << 32, 0x1000, 0x200000, 0x200000, 0x800, 0x800 };
    (void)state;
    make_elf32();
    memset(file + 16, 0, 0x80 - 16);
    file[4] = 2;
    set16(16, 2);
    set16(18, 62);
    set32(24, 0x200004);
    set32(32, 0x100);
    set16(54, 56);
    set16(56, 1);
    memcpy(file + 0x100, segment, sizeof(segment));
    assert_int_equal(load(), 0);
    assert_int_equal(start.rip, 0x200004);
    assert_int_equal(guest_ram[0x2007FF], 0xCD);
}

/* A flat file at 0x8000, that is, in conventional memory: the structure must keep off it. */
static void make_flat(void)
{
    reset(NULL);
    make_header(0x10, 1u << 16);
    set32(0x1C, 0x8010);
    set32(0x20, 0x8000);
    set32(0x24, 0);
    set32(0x28, 0x20000);
    set32(0x2C, 0x8040);
    memset(file + 0x40, 0x90, 0x40);
    file_size = 0x80;
}

static void test_multiboot_addresses(void **state)
{
    (void)state;
    make_flat();
    assert_int_equal(load(), 0);
    assert_int_equal(start.rip, 0x8040);
    assert_int_equal(guest_ram[0x8040], 0x90);
    assert_true(start.rbx >= 0x100000);
}

static void test_bad_multiboot(void **state)
{
    (void)state;
    BAD(make_elf32, (set32(0x88, 0), file[0] = 0), -ENOEXEC, "neither a bzImage nor");
    BAD(make_elf32, make_header(0x80, 0x10), -ENOEXEC, "unknown");
    BAD(make_elf32, file[0] = 0, -ENOEXEC, "no ELF file");
    BAD(make_elf32, file[4] = 3, -ENOEXEC, "neither 32 nor 64");
    BAD(make_elf32, file[5] = 2, -ENOEXEC, "little-endian");
    BAD(make_elf32, set16(16, 3), -ENOEXEC, "not an executable");
    BAD(make_elf32, set16(18, 40), -ENOEXEC, "not an executable");
    BAD(make_elf32, set16(44, 0), -ENOEXEC, "no program headers");
    BAD(make_elf32, set16(44, 65535), -ENOEXEC, "more than 64");
    BAD(make_elf32, set16(42, 31), -ENOEXEC, "too short");
    BAD(make_elf32, set32(28, 0xFFFFFFF0), -ENOEXEC, "outside the file");
    BAD(make_elf32, set32(28, 0x1FF0), -ENOEXEC, "outside the file");
    BAD(make_elf32, set32(52 + 4, 0x1001), -ENOEXEC, "outside the file");
    BAD(make_elf32, set32(52 + 4, 0xFFFFFFFF), -ENOEXEC, "outside the file");
    BAD(make_elf32, set32(52 + 20, 0xFFF), -ENOEXEC, "larger in the file");
    BAD(make_elf32, set32(52 + 20, 0xFFFFFFFF), -ENOMEM, "no memory at 0x100000");
    BAD(make_elf32, set32(52 + 12, 0x9F000), -ENOMEM, "no memory at 0x9f000");
    BAD(make_elf32, set32(52 + 12, 0xFFFFF000), -ENOMEM, "no memory");
    BAD(make_elf32, set32(24, 0xC0103000), -ENOEXEC, "entry");
    BAD(make_elf32, set32(52, 2), -ENOEXEC, "entry");
    BAD(make_elf32, guest_ram_error = -EIO, -EIO, "could not be written");
    modules[0] = (struct image_module){ file, GUEST_RAM_BYTES, "" };
    BAD(make_elf32, image.module_count = 1, -ENOMEM, "modules");
    modules[0].size = SIZE_MAX;
    BAD(make_elf32, image.module_count = 1, -ENOMEM, "modules");

    BAD(make_flat, file_size = 0x2F, -ENOEXEC, "ends within the header");
    BAD(make_flat, set32(0x20, 0x8011), -ENOEXEC, "load_addr");
    BAD(make_flat, set32(0x20, 0x7FFF), -ENOEXEC, "load_addr");
    BAD(make_flat, set32(0x24, 0x7FFF), -ENOEXEC, "load_end_addr");
    BAD(make_flat, set32(0x24, 0x8081), -ENOEXEC, "load_end_addr");
    BAD(make_flat, set32(0x28, 0x807F), -ENOEXEC, "bss_end_addr");
    BAD(make_flat, set32(0x28, 0xA0000), -ENOMEM, "does not fit");
    BAD(make_flat, set32(0x2C, 0x20000), -ENOEXEC, "entry_addr");
    BAD(make_flat, set32(0x2C, 0x7FFF), -ENOEXEC, "entry_addr");
}

/* ---- multiboot2 ---- */

static size_t tags; /* where the next tag of the header goes */

static void end_header(void)
{
    uint32_t length;

    set32(tags + 4, 8); /* the end: type and flags are 0 */
    length = (uint32_t)tags + 8 - 0x400;
    set32(0x408, length);
    set32(0x40C, 0u - 0xE85250D6u - length);
}

static void add_tag(unsigned type, bool optional, unsigned count, const uint32_t *numbers)
{
    set32(tags, type | (uint32_t)optional << 16);
    set32(tags + 4, 8 + 4 * count);
    memcpy(file + tags + 8, numbers, 4 * count);
    tags = (tags + 8 + 4 * count + 7) & ~7UL;
    end_header();
}
#define TAG(type, optional, ...)                                                                   \
    add_tag(type, optional, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, (uint32_t[]){ __VA_ARGS__ })

/* The ELF kernel from above, behind a header of version 2 as Xen has one. */
static void make_elf_mb2(void)
{
    make_elf32();
    memset(file + 0x80, 0, 12);
    set32(0x400, 0xE85250D6);
    tags = 0x410;
    end_header();
    TAG(1, false, 4, 6, 14, 15);
    TAG(6, false, 0); /* modules on pages; its size is wrong, which nobody minds */
    TAG(4, true, 2);
    TAG(5, true, 0, 0, 32);
    TAG(10, true, 0x200000, 0xFFFFFFFF, 0x200000, 0);
    TAG(9, true, 0x12345678);
    TAG(7, true, 0);
}

static const uint8_t rsdp[IMAGE_RSDP_BYTES] = "RSD PTR copied";

/* The n-th tag of that type in the boot information; 0: there is none. */
static uint64_t info_tag(unsigned type, unsigned n)
{
    uint64_t end = start.rbx + ram32(start.rbx);

    for (uint64_t at = start.rbx + 8; at < end; at += (ram32(at + 4) + 7) & ~7U) {
        if (ram32(at) == 0)
            assert_int_equal(at + 8, end);
        if (ram32(at) == type && n-- == 0)
            return at;
    }
    return 0;
}

static void test_multiboot2(void **state)
{
    (void)state;
    make_elf_mb2();
    memory.rsdp = rsdp;
    modules[0] = (struct image_module){ "12345", 5, "first" };
    modules[1] = (struct image_module){ "678", 3, "" };
    image.module_count = 2;
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_PROTECTED32);
    assert_int_equal(start.rip, 0x100010);
    assert_int_equal(start.rax, 0x36D76289);
    assert_false(start.programs_pc);
    assert_int_equal(start.rbx % 8, 0);
    assert_int_equal(guest_ram[0x100FFF], 0xCD);

    assert_string_equal(text_at(info_tag(1, 0) + 8), "console=ttyS0");
    assert_string_equal(text_at(info_tag(2, 0) + 8), "Caisson");
    uint64_t module = info_tag(3, 0);
    assert_int_equal(ram32(module + 8), 0x103000);
    assert_int_equal(ram32(module + 12), 0x103005);
    assert_string_equal(text_at(module + 16), "first");
    assert_memory_equal(guest_ram + 0x103000, "12345", 5);
    assert_int_equal(ram32(info_tag(3, 1) + 8), 0x104000);
    assert_int_equal(info_tag(3, 2), 0);
    assert_int_equal(ram32(info_tag(4, 0) + 8), 639);
    assert_int_equal(ram32(info_tag(4, 0) + 12), (GUEST_RAM_BYTES >> 10) - 1024);
    assert_memory_equal(guest_ram + info_tag(14, 0) + 8, rsdp, 20);
    assert_int_equal(ram32(info_tag(14, 0) + 4), 28);
    assert_memory_equal(guest_ram + info_tag(15, 0) + 8, rsdp, 36);
    assert_int_equal(ram32(info_tag(21, 0) + 8), 0x100000);
    assert_true(info_tag(0, 0));
}

static void test_multiboot2_mmap(void **state)
{
    (void)state;
    make_elf_mb2();
    assert_int_equal(load(), 0);
    uint64_t map_at = info_tag(6, 0);
    assert_int_equal(ram32(map_at + 4), 16 + map.e820_count * 24);
    assert_int_equal(ram32(map_at + 8), 24);
    for (unsigned i = 0; i < map.e820_count; i++)
        assert_memory_equal(guest_ram + map_at + 16 + i * 24, &map.e820[i], 20);
    assert_int_equal(info_tag(15, 0), 0); /* nobody gave an RSDP */
}

/* The entry that a tag names; and a file that is no ELF, by its addresses. */
static void test_multiboot2_entry(void **state)
{
    (void)state;
    make_elf_mb2();
    TAG(3, false, 0x100020);
    assert_int_equal(load(), 0);
    assert_int_equal(start.rip, 0x100020);
    file[0] = 0;
    TAG(2, false, 0x100400, 0x100000, 0, 0x200000);
    assert_int_equal(load(), 0);
    assert_int_equal(start.rip, 0x100020);
    assert_int_equal(guest_ram[0x101000], 0xCD);
    image.pvh = true; /* no note, so nothing changes */
    assert_int_equal(load(), 0);
}

/* Xen has both headers: the newer one is taken. */
static void test_both_headers(void **state)
{
    (void)state;
    make_elf_mb2();
    make_header(0x80, 3);
    assert_int_equal(image_kind_of(file, file_size, false), IMAGE_MULTIBOOT2);
}

static void test_bad_multiboot2(void **state)
{
    (void)state;
    BAD(make_elf_mb2, TAG(1, false, 22), -ENOEXEC, "information that is unknown");
    BAD(make_elf_mb2, TAG(11, false, 0), -ENOEXEC, "features that are unknown");
    BAD(make_elf_mb2, TAG(7, false, 0), -ENOEXEC, "features that are unknown");
    BAD(make_elf_mb2, TAG(3, false, 0xFFFFF), -ENOEXEC, "entry");
    BAD(make_elf_mb2, set32(24, 0xC0103000), -ENOEXEC, "entry");
    BAD(make_elf_mb2, TAG(2, true, 0x100400, 0x100000, 0, 0), -ENOEXEC, "addresses and no entry");
    BAD(make_elf_mb2, (TAG(3, true, 0x100020), TAG(2, true, 0x100400, 0x100408, 0, 0)), -ENOEXEC,
        "load_addr");
    BAD(make_elf_mb2, TAG(2, true, 0x100400), -ENOEXEC, "too short");
    BAD(make_elf_mb2, set32(0x414, 4), -ENOEXEC, "too long or too short");
    BAD(make_elf_mb2, set32(0x414, 0xFFFFFFFF), -ENOEXEC, "too long or too short");
    BAD(make_elf_mb2, set32(tags, 0x10001), -ENOEXEC, "no end");
    BAD(make_elf_mb2,
        (set32(0x404, 4), set32(0x40C, 0u - 0xE85250D6u - 4 - ((uint32_t)tags + 8 - 0x400))),
        -ENOEXEC, "not for x86");
    BAD(make_elf_mb2, (set32(0x408, 0x10000), set32(0x40C, 0u - 0xE85250D6u - 0x10000)), -ENOEXEC,
        "within the header");
    BAD(make_elf_mb2,
        (set32(0x408, 0x7C08), set32(0x40C, 0u - 0xE85250D6u - 0x7C08), file_size = 0x9000),
        -ENOEXEC, "first 32 KiB");
    make_elf_mb2();
    set32(0x408, 0x7C00); /* to their end; its tags end before */
    set32(0x40C, 0u - 0xE85250D6u - 0x7C00);
    file_size = 0x9000;
    assert_int_equal(load(), 0);
    modules[0] = (struct image_module){ file, GUEST_RAM_BYTES, "" };
    BAD(make_elf_mb2, image.module_count = 1, -ENOMEM, "modules");
}

/* Symbols and their names come behind the kernel, whichever header it has. */
static void add_sections(void)
{
    static const uint32_t headers[][10] = {
        { 0 },
        { 1, 1, 6, 0xC0100000, 0x1000, 0x1000, 0, 0, 4, 0 }, /* loaded with its segment */
        { 7, 2, 0, 0, 0x1800, 0x100, 3, 1, 4, 16 },          /* symbols */
        { 9, 3, 0, 0, 0x1900, 0x11, 0, 0, 1, 0 },            /* names */
        { 9, 3, 0, 0, 0xFFFFFFF0, 0x11, 0, 0, 1, 0 },        /* damaged */
    };

    memcpy(file + 0x600, headers, sizeof(headers));
    set32(32, 0x600);
    set16(46, 40);
    set16(48, 5);
    set16(50, 3);
    memset(file + 0x1900, 0xEE, 0x11);
}

static void check_sections(uint64_t headers)
{
    assert_memory_equal(guest_ram + headers + 40, file + 0x600 + 40, 40);
    assert_int_equal(ram32(headers + 2 * 40 + 12), 0x103000);
    assert_int_equal(ram32(headers + 3 * 40 + 12), 0x103100);
    assert_int_equal(ram32(headers + 4 * 40 + 12), 0);
    assert_int_equal(guest_ram[0x103110], 0xEE);
}

static void test_sections(void **state)
{
    (void)state;
    modules[0] = (struct image_module){ "12345", 5, "first" };
    make_elf_mb2();
    add_sections();
    image.module_count = 1;
    assert_int_equal(load(), 0);
    uint64_t tag = info_tag(9, 0);
    assert_int_equal(ram32(tag + 4), 20 + 5 * 40);
    assert_int_equal(ram32(tag + 8), 5);
    assert_int_equal(ram32(tag + 12), 40);
    assert_int_equal(ram32(tag + 16), 3);
    check_sections(tag + 20);
    assert_int_equal(ram32(info_tag(3, 0) + 8), 0x104000); /* the module is behind them */

    make_elf32();
    add_sections();
    assert_int_equal(load(), 0);
    assert_int_equal(ram32(start.rbx) & 0x20, 0x20);
    assert_int_equal(ram32(start.rbx + 28), 5);
    assert_int_equal(ram32(start.rbx + 40), 3);
    check_sections(ram32(start.rbx + 36));
    set16(48, 65); /* more than are told of */
    assert_int_equal(load(), 0);
    assert_int_equal(ram32(start.rbx) & 0x20, 0);
}

/* Sections that would be more than the file itself share bytes: those are left out. */
static void test_sections_of_the_same_bytes(void **state)
{
    (void)state;
    make_elf32();
    add_sections();
    for (unsigned i = 2; i < 4; i++) {
        set32(0x600 + i * 40 + 16, 0x100);
        set32(0x600 + i * 40 + 20, 0x1F00);
    }
    assert_int_equal(load(), 0);
    uint64_t headers = ram32(start.rbx + 36);
    assert_int_equal(ram32(headers + 2 * 40 + 12), 0x103000);
    assert_int_equal(ram32(headers + 3 * 40 + 12), 0);
}

/* ---- ELF without a header ---- */

/* As if it had one; what is of 64 bits is entered in long mode. */
static void test_plain_elf(void **state)
{
    static const uint64_t segment[] = { 1 | 7UL << 32, 0x1000, 0x200000, 0x200000, 0x800, 0x800 };
    (void)state;
    make_elf32();
    set32(0x88, 0);
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_PROTECTED32);
    assert_int_equal(start.rip, 0x100010);
    assert_int_equal(start.rax, 0x2BADB002);
    assert_false(start.programs_pc);
    assert_true(fake_log_has("ELF kernel at 0x100000"));
    BAD(make_elf32, (set32(0x88, 0), set32(24, 0xC0103000)), -ENOEXEC, "entry");

    memset(file + 16, 0, 0x80 - 16);
    file[4] = 2;
    set16(16, 2);
    set16(18, 62);
    set32(24, 0x200004);
    set32(32, 0x100);
    set16(54, 56);
    set16(56, 1);
    memcpy(file + 0x100, segment, sizeof(segment));
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_LONG);
    assert_int_equal(start.rip, 0x200004);
    check_tables();
    assert_true(fake_log_has("by its 64-bit entry"));
}

/* ---- PVH ---- */

/* As Linux is linked: the segment at a high virtual address, the header's entry a physical one, and
 * the note in the segment. Entry 0x100020 by the note. */
static void make_pvh(void)
{
    static const uint64_t segments[] = {
        1 | 7UL << 32, 0x1000, 0xffffffff80100000, 0x100000, 0x1000, 0x3000, 4096, /* PT_LOAD */
        4 | 4UL << 32, 0x1100, 0xffffffff80100100, 0x100100, 20,     20,     4,    /* PT_NOTE */
    };
    static const uint32_t note[] = { 4, 4, 18, 0x006E6558, 0x100020 };

    reset(NULL);
    memcpy(file, "\177ELF\2\1\1", 7);
    set16(16, 2);
    set16(18, 62);
    set32(24, 0x100000);
    set32(32, 64);
    set16(54, 56);
    set16(56, 2);
    memcpy(file + 64, segments, sizeof(segments));
    memset(file + 0x1000, 0xCD, 0x1000);
    memcpy(file + 0x1100, note, sizeof(note));
    file_size = 0x2000;
    image.pvh = true;
}

static void test_pvh(void **state)
{
    (void)state;
    make_pvh();
    modules[0] = (struct image_module){ "12345", 5, "first" };
    image.module_count = 1;
    guest_ram[0x101000] = 0xFF; /* the loader clears what the file does not fill */
    assert_int_equal(load(), 0);
    assert_int_equal(start.mode, START_PROTECTED32);
    assert_int_equal(start.rip, 0x100020);
    assert_int_equal(guest_ram[0x100FFF], 0xCD);
    assert_int_equal(guest_ram[0x101000], 0);

    const struct xen_hvm_start_info *info = (void *)(guest_ram + start.rbx);
    assert_int_equal(info->magic, XEN_HVM_START_MAGIC);
    assert_int_equal(info->version, 1);
    assert_int_equal(info->flags, 0);
    assert_string_equal((char *)guest_ram + info->cmdline_paddr, "console=ttyS0");
    assert_int_equal(info->nr_modules, 1);
    const struct xen_hvm_modlist_entry *module = (void *)(guest_ram + info->modlist_paddr);
    assert_int_equal(module->paddr, 0x103000);
    assert_int_equal(module->size, 5);
    assert_memory_equal(guest_ram + module->paddr, "12345", 5);
    assert_string_equal((char *)guest_ram + module->cmdline_paddr, "first");
    assert_int_equal(info->memmap_entries, map.e820_count);
    const struct xen_hvm_memmap_entry *e = (void *)(guest_ram + info->memmap_paddr);
    for (unsigned i = 0; i < map.e820_count; i++)
        assert_memory_equal(&e[i], &map.e820[i], 20);
}

/* It learns from the start information that it is one; what has no such thing is none. */
static void test_control(void **state)
{
    (void)state;
    make_pvh();
    image.control = true;
    assert_int_equal(load(), 0);
    const struct xen_hvm_start_info *info = (void *)(guest_ram + start.rbx);
    assert_int_equal(info->flags, 3);
    make_bzimage();
    image.control = true;
    assert_int_equal(load(), -ENOEXEC);
    assert_true(fake_log_has("rights=control wants an ELF kernel"));
}

static void test_bad_pvh(void **state)
{
    (void)state;
    make_pvh();
    set32(0x1100 + 16, 0x200000);
    assert_int_equal(load(), -ENOEXEC); /* the entry lies outside the kernel */
    make_pvh();
    set32(0x1100 + 8, 17);
    assert_int_equal(load(), 0); /* another note: not PVH, but an ELF file all the same */
    assert_int_equal(image_kind_of(file, file_size, true), IMAGE_ELF);
    make_pvh();
    modules[0] = (struct image_module){ "", GUEST_RAM_BYTES, "" };
    image.module_count = 1;
    assert_int_equal(load(), -ENOMEM);
}

/* n segments of 4 KiB of notes before the one that counts. */
static bool is_pvh_behind(unsigned n)
{
    static const uint64_t notes[] = { 4 | 4UL << 32, 0x2000, 0, 0, 0x1000, 0x1000, 4 };

    make_pvh();
    memmove(file + 64 + (1 + n) * 56, file + 64 + 56, 56);
    for (unsigned i = 0; i < n; i++)
        memcpy(file + 64 + (1 + i) * 56, notes, sizeof(notes));
    set16(56, 2 + n);
    file_size = 0x3000;
    return image_is_pvh(file, file_size);
}

/* Whoever asks what a file is may hold a lock. */
static void test_many_notes(void **state)
{
    (void)state;
    assert_true(is_pvh_behind(0));
    assert_true(is_pvh_behind(1)); /* 4 KiB */
    assert_false(is_pvh_behind(2));
    assert_false(is_pvh_behind(60));
}

/* The monitor may name any file; unpacked are those that the menu calls kernels. */
static void test_packed(void **state)
{
    (void)state;
    reset(NULL);
    memcpy(file, "\x1F\x8B\x08", 3);
    file_size = 100;
    refused(-ENOEXEC, "packed by gzip");
}

static void test_header_place(void **state)
{
    (void)state;
    make_elf32();
    memset(file + 0x80, 0, 12);
    make_header(8192 - 12, 0);
    file_size = 8192;
    file[0] = 0;
    assert_int_equal(image_kind_of(file, file_size, false), IMAGE_MULTIBOOT);
    assert_int_equal(image_kind_of(file, file_size - 1, false), IMAGE_UNKNOWN);
    memset(file + 8192 - 12, 0, 12);
    make_header(8192 - 8, 0);
    assert_int_equal(image_kind_of(file, 16384, false), IMAGE_UNKNOWN);
    assert_int_equal(image_kind_of(file, 0, false), IMAGE_UNKNOWN);
    make_bzimage();
    assert_int_equal(image_kind_of(file, file_size, false), IMAGE_BZIMAGE);
}

/* ---- Firmware ---- */

static struct {
    uint64_t to;
    uint8_t first, last;
    size_t n;
} rom_writes[4];
static unsigned rom_count;

static int rom_write(void *ctx, gpa_t to, const void *from, size_t n)
{
    const uint8_t *bytes = from;

    (void)ctx;
    assert_true(rom_count < 4);
    rom_writes[rom_count].to = to.v;
    rom_writes[rom_count].n = n;
    rom_writes[rom_count].first = bytes[0];
    rom_writes[rom_count++].last = bytes[n - 1];
    return guest_ram_error;
}

static int load_rom(void)
{
    rom_count = 0;
    memory.write = rom_write;
    return image_load(&image, &memory, &start);
}

static void test_firmware(void **state)
{
    static uint8_t rom[0x40000];

    (void)state;
    image.data = rom;
    image.size = sizeof(rom);
    image.cmdline = "";
    rom[0] = 1;
    rom[0x20000] = 2;
    rom[sizeof(rom) - 1] = 0xFC;
    assert_int_equal(load_rom(), -ENOEXEC); /* no jump at its reset vector */
    rom[sizeof(rom) - 16] = 0xEA;
    assert_int_equal(image_kind_of(rom, sizeof(rom), false), IMAGE_FIRMWARE);
    assert_int_equal(load_rom(), 0);
    assert_int_equal(start.mode, START_RESET);
    assert_int_equal(rom_count, 2);
    assert_true(rom_writes[0].to == 0xFFFC0000 && rom_writes[0].n == 0x40000);
    assert_true(rom_writes[0].first == 1 && rom_writes[0].last == 0xFC);
    assert_true(rom_writes[1].to == 0xE0000 && rom_writes[1].n == 0x20000);
    assert_true(rom_writes[1].first == 2 && rom_writes[1].last == 0xFC);
    image.data = rom + 0x30000; /* of 64 KiB: the F segment alone */
    image.size = 0x10000;
    assert_int_equal(load_rom(), 0);
    assert_true(rom_writes[1].to == 0xF0000 && rom_writes[1].n == 0x10000);
    image.size = 0xFFFF;
    assert_int_equal(load_rom(), -ENOEXEC);
}

/* A store of variables below it; and a ROM that is to start another kernel. */
static void test_firmware_beside(void **state)
{
    static uint8_t rom[0x10000], store[0x3000];
    struct image_module roms[2] = { { store, sizeof(store), "" }, { store, 0x1000, "" } };

    (void)state;
    rom[sizeof(rom) - 16] = 0xEA;
    image.data = rom;
    image.size = sizeof(rom);
    image.cmdline = "";
    image.roms = roms;
    image.rom_count = 1;
    assert_int_equal(load_rom(), 0);
    assert_int_equal(rom_count, 3);
    assert_true(rom_writes[0].to == 0xFFFF0000 && rom_writes[0].n == 0x10000);
    assert_true(rom_writes[1].to == 0xFFFED000 && rom_writes[1].n == 0x3000);
    make_old(0x207);
    image.data = file;
    image.size = file_size;
    image.roms = roms;
    image.rom_count = 1;
    assert_int_equal(load_rom(), -ENOEXEC); /* not a ROM */
    assert_true(fake_log_has("dom1: firmware: not a ROM"));
    roms[0] = (struct image_module){ rom, sizeof(rom), "" };
    image.rom_count = 2;
    assert_int_equal(load_rom(), 0); /* with words, which are the kernel's */
    assert_int_equal(start.mode, START_RESET);
    assert_true(rom_writes[1].to == 0xFFFEF000 && rom_writes[1].n == 0x1000);
    assert_true(rom_writes[2].to == 0xF0000);
    roms[1].size = 0x1001;
    assert_int_equal(load_rom(), -ENOEXEC);
    roms[1].size = IMAGE_ROM_MOST - 0xF000;
    assert_int_equal(load_rom(), -ENOEXEC);
}

static void test_firmware_vectors(void **state)
{
    static uint8_t rom[0x10000];
    uint8_t *vector = rom + sizeof(rom) - 16;

    (void)state;
    memset(rom, 0x90, sizeof(rom));
    assert_false(image_is_firmware(rom, sizeof(rom))); /* NOPs to the end */
    assert_false(image_is_firmware(rom, 0));
    vector[15] = 0;
    assert_false(image_is_firmware(rom, sizeof(rom)));
    vector[2] = 0xE9; /* as OVMF has had it */
    assert_true(image_is_firmware(rom, sizeof(rom)));
    vector[15] = 0x90;
    assert_true(image_is_firmware(rom, sizeof(rom)));
    memcpy(vector, "\x0F\x20\xC0", 3); /* MOV from CR0, as it has it now */
    assert_true(image_is_firmware(rom, sizeof(rom)));
    vector[2] = 0xC1;
    assert_false(image_is_firmware(rom, sizeof(rom)));
    vector[0] = 0x90;
    vector[1] = 0xF4;
    assert_false(image_is_firmware(rom, sizeof(rom)));
}

static void test_firmware_refusals(void **state)
{
    static uint8_t rom[0x10000];

    (void)state;
    rom[sizeof(rom) - 16] = 0xEA;
    image.data = rom;
    image.size = sizeof(rom);
    assert_int_equal(load_rom(), -EINVAL);
    assert_true(fake_log_has("dom1: firmware: takes no words"));
    image.cmdline = "";
    image.pvh = true;
    assert_int_equal(load_rom(), -EINVAL);
    assert_true(fake_log_has("type=hvm"));
    image.pvh = false;
    guest_ram_error = -ENOMEM;
    assert_int_equal(load_rom(), -ENOMEM);
}

static void make_2_04(void)
{
    make_old(0x204);
}

/* Sound images with some bytes of their headers changed: guest_ram.h watches the writes. */
static void test_random_changes(void **state)
{
    static void (*const makes[])(void) = { make_bzimage, make_elf32, make_flat, make_elf_mb2,
                                           make_2_04 };
    (void)state;
    srand(5);
    for (unsigned round = 0; round < 1000; round++) {
        makes[round % 5]();
        for (unsigned i = 1 + (unsigned)rand() % 4; i; i--)
            file[(unsigned)rand() % 0x270] = (uint8_t)rand();
        (void)!load();
    }
}

#define T(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_bzimage),
        T(test_bzimage_tables),
        T(test_bzimage_32),
        T(test_bad_bzimage),
        T(test_bzimage_high_ramdisk),
        T(test_real_mode),
        T(test_real_mode_without_size),
        T(test_oldest_real_mode),
        T(test_bad_real_mode),
        T(test_multiboot_elf),
        T(test_physical_entry),
        T(test_pvh),
        T(test_control),
        T(test_bad_pvh),
        T(test_many_notes),
        T(test_multiboot_elf64),
        T(test_multiboot_addresses),
        T(test_bad_multiboot),
        T(test_multiboot2),
        T(test_multiboot2_mmap),
        T(test_multiboot2_entry),
        T(test_both_headers),
        T(test_bad_multiboot2),
        T(test_sections),
        T(test_sections_of_the_same_bytes),
        T(test_plain_elf),
        T(test_packed),
        T(test_header_place),
        T(test_plan),
        T(test_plan_others),
        T(test_plan_large),
        T(test_no_plan),
        T(test_firmware),
        T(test_firmware_beside),
        T(test_firmware_vectors),
        T(test_firmware_refusals),
        T(test_random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
