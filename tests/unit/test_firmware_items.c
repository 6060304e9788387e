/* links: machine/firmware_items.c machine/acpi_guest.c gen/machine/dsdt.c gen/machine/dsdt_pvh.c gen/machine/boot_rom.c lib/string.c tests/fakes/panic.c */
/*
 * What a guest's firmware is told: the directory and its files, and the ACPI tables after their
 * script has been carried out as firmware does, at addresses of its own choice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/limits.h"
#include "machine/firmware_items.h"
#include "machine/acpi_tables.h"
#include "tests/unit/acpi_sum.h"

#define TABLES 0x03FF0000u /* where the test's firmware puts them */
#define RSDP   0x000F5A00u

static struct firmware_items f;
static struct firmware_board board;
static uint8_t tables[ACPI_GUEST_MAX_SIZE], rsdp[sizeof(struct acpi_rsdp)];

static const struct vfwcfg_item *item(uint16_t key)
{
    for (unsigned i = 0; i < f.count; i++)
        if (f.items[i].key == key)
            return &f.items[i];
    return NULL;
}

/* As firmware finds it: by the directory's bytes, in big endian. */
static const struct vfwcfg_item *file(const char *name)
{
    const uint8_t *directory = item(0x19)->data;
    unsigned n = directory[3];

    assert_int_equal(item(0x19)->size, 4 + 64 * n);
    for (const uint8_t *e = directory + 4; n; n--, e += 64) {
        if (strcmp((const char *)e + 8, name))
            continue;
        const struct vfwcfg_item *found = item((uint16_t)(e[4] << 8 | e[5]));
        assert_int_equal(found->size,
                         (uint32_t)e[0] << 24 | (uint32_t)e[1] << 16 | (uint32_t)e[2] << 8 | e[3]);
        return found;
    }
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    board = (struct firmware_board){
        .vcpus = 3, .address_bits = 40, .hpet = true, .ram_low = 64 << 20
    };
    firmware_items_build(&f, &board);
    return 0;
}

static void test_numbered_items(void **state)
{
    (void)state;
    assert_memory_equal(item(0)->data, "QEMU", 4);
    assert_int_equal(*(const uint32_t *)item(1)->data, 3);
    assert_int_equal(*(const uint16_t *)item(5)->data, 3);
    assert_int_equal(*(const uint16_t *)item(0xF)->data, 3);
    assert_int_equal(*(const uint16_t *)item(0xE)->data, 1);
    assert_null(item(0x8003));
}

static void test_memory(void **state)
{
    const struct e820_entry *map = file("etc/e820")->data;

    (void)state;
    assert_int_equal(file("etc/e820")->size, 20);
    assert_int_equal(map[0].start, 0);
    assert_int_equal(map[0].size, 64 << 20);
    assert_int_equal(map[0].type, E820_RAM);
    board.ram_above = 1 << 20;
    firmware_items_build(&f, &board);
    assert_int_equal(file("etc/e820")->size, 40);
    assert_true(map[1].start == 1UL << 32);
    assert_int_equal(map[1].size, 1 << 20);
}

/* With the byte that ends it, as QEMU's has it. */
static void first_is(const char *path)
{
    const struct vfwcfg_item *order = file("bootorder");

    assert_string_equal(order->data, path);
    assert_int_equal(order->size, strlen(path) + 1);
}

static void test_other_files(void **state)
{
    static const char floppy[100] = "floppy";

    (void)state;
    assert_int_equal(*(const uint64_t *)file("etc/sercon-port")->data, 0x3F8);
    assert_null(file("floppyimg/ramdisk"));
    assert_null(file("bootorder"));
    board.floppy = floppy;
    board.floppy_size = sizeof(floppy);
    firmware_items_build(&f, &board);
    assert_ptr_equal(file("floppyimg/ramdisk")->data, floppy);
    assert_int_equal(file("floppyimg/ramdisk")->size, 100);
    first_is("/rom@floppyimg/ramdisk");
}

/* ---- A kernel ---- */

static uint8_t sum(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t s = 0;

    while (n--)
        s += *b++;
    return s;
}

/* As the option ROM finds it, and Plug and Play BIOS Specification 1.0a has that. */
static void test_kernel(void **state)
{
    static const struct firmware_part parts[FIRMWARE_PARTS] = { { 0x10000, 1024, "setup" },
                                                                { 0x100000, 5, "linux" },
                                                                { 0x200000, 0, NULL },
                                                                { 0x20000, 2, "a" } };
    static const uint16_t keys[][3] = {
        { 0x16, 0x17, 0x18 }, { 0x07, 0x08, 0x11 }, { 0x0A, 0x0B, 0x12 }, { 0x13, 0x14, 0x15 }
    };

    (void)state;
    assert_null(file("genroms/kernel"));
    assert_null(item(0x08));
    board.kernel = parts;
    board.kernel_stack = 0xE000;
    firmware_items_build(&f, &board);
    for (unsigned i = 0; i < FIRMWARE_PARTS; i++) {
        assert_int_equal(*(const uint32_t *)item(keys[i][0])->data, parts[i].at);
        assert_int_equal(*(const uint32_t *)item(keys[i][1])->data, parts[i].size);
        assert_ptr_equal(item(keys[i][2])->data, parts[i].data);
        assert_int_equal(item(keys[i][2])->size, parts[i].size);
    }
    assert_int_equal(*(const uint16_t *)item(0xE)->data, 0); /* no menu */
    first_is("/rom@genroms/kernel");
    const uint8_t *rom = file("genroms/kernel")->data;
    assert_int_equal(file("genroms/kernel")->size, 512 * rom[2]);
    assert_memory_equal(rom, "\x55\xAA", 2);
    assert_int_equal(sum(rom, 512), 0);
    assert_memory_equal(rom + rom[0x1A], "$PnP", 4);
    assert_int_equal(sum(rom + rom[0x1A], 16u * rom[rom[0x1A] + 5]), 0);
    assert_memory_equal(rom + 0x1C, "\x00\xE0", 2);
}

/* ---- The script ---- */

static uint8_t *place(const char *name, uint32_t *where)
{
    bool is_rsdp = !strcmp(name, "etc/acpi/rsdp");

    assert_true(is_rsdp || !strcmp(name, "etc/acpi/tables"));
    *where = is_rsdp ? RSDP : TABLES;
    return is_rsdp ? rsdp : tables;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

static void add_pointer(const uint8_t *c)
{
    uint32_t where, other;
    uint8_t *to = place((const char *)c + 4, &other) + get32(c + 116);
    uint64_t v = 0;

    place((const char *)c + 60, &where);
    memcpy(&v, to, c[120]);
    v += where;
    memcpy(to, &v, c[120]);
}

/* SeaBIOS takes what all bytes come to from the one that is there, EDK II puts that in its place.
 */
static bool puts;

static void add_checksum(const uint8_t *c)
{
    uint32_t where;
    uint8_t *at = place((const char *)c + 4, &where), all = 0;

    for (uint32_t i = 0; i < get32(c + 68); i++)
        all += at[get32(c + 64) + i];
    uint8_t *result = at + get32(c + 60);
    *result = (uint8_t)((puts ? 0 : *result) - all);
}

static void carry_out(const struct vfwcfg_item *script)
{
    const uint8_t *c = script->data;

    assert_int_equal(script->size % 128, 0);
    for (uint64_t n = 0; n < script->size / 128; n++, c += 128) {
        if (get32(c) == 1)
            assert_true(n < 2); /* all is there before it is changed */
        else if (get32(c) == 2)
            add_pointer(c);
        else
            add_checksum(c);
    }
}

static const struct acpi_header *table(uint64_t address)
{
    assert_true(address > TABLES && address < TABLES + file("etc/acpi/tables")->size);
    return (const void *)(tables + (address - TABLES));
}

static void check_table(uint64_t address, const char *signature)
{
    const struct acpi_header *h = table(address);

    assert_memory_equal(h->signature, signature, 4);
    assert_int_equal(acpi_sum(h, h->length), 0);
}

static void test_acpi(void **state)
{
    static const char *const names[] = { "FACP", "APIC", "SSDT", "HPET" };
    const struct acpi_rsdp *r = (const void *)rsdp;

    (void)state;
    memcpy(tables, file("etc/acpi/tables")->data, file("etc/acpi/tables")->size);
    memcpy(rsdp, file("etc/acpi/rsdp")->data, file("etc/acpi/rsdp")->size);
    carry_out(file("etc/table-loader"));
    assert_int_equal(acpi_sum(r, 20), 0);
    assert_int_equal(acpi_sum(r, 36), 0);
    check_table(r->rsdt, "RSDT");
    check_table(r->xsdt, "XSDT");
    assert_int_equal(table(r->rsdt)->length, 36 + 4 * 4);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t wide;
        memcpy(&wide, (const uint8_t *)table(r->xsdt) + 36 + 8 * i, 8);
        check_table(wide, names[i]);
        check_table(get32((const uint8_t *)table(r->rsdt) + 36 + 4 * i), names[i]);
    }
    const struct acpi_fadt *fadt = (const void *)table(get32((const uint8_t *)table(r->rsdt) + 36));
    check_table(fadt->dsdt, "DSDT");
    assert_int_equal(fadt->dsdt, fadt->x_dsdt);
    assert_memory_equal(table(fadt->x_facs)->signature, "FACS", 4);
}

static void test_acpi_as_edk2_does(void **state)
{
    puts = true;
    test_acpi(state);
    puts = false;
}

static void test_most(void **state)
{
    (void)state;
    board.vcpus = MAX_VCPUS;
    board.floppy = "x";
    board.floppy_size = 1;
    firmware_items_build(&f, &board);
    assert_true(f.commands <= FIRMWARE_SCRIPT);
    test_acpi(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_numbered_items, setup),
        cmocka_unit_test_setup(test_memory, setup),
        cmocka_unit_test_setup(test_other_files, setup),
        cmocka_unit_test_setup(test_kernel, setup),
        cmocka_unit_test_setup(test_acpi, setup),
        cmocka_unit_test_setup(test_acpi_as_edk2_does, setup),
        cmocka_unit_test_setup(test_most, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
