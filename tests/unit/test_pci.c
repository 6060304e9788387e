/* links: pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/class.c pci/describe.c pci/reset.c lib/bitmap.c lib/fmt.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The walk over the PCI buses, on one that the test makes up: sound devices, and every kind of
 * nonsense that firmware and broken cards may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "mm/aspace.h"
#include "pci/pci.h"
#include "tests/fakes/config_space.h"
#include "tests/fakes/log.h"

#define BUS_BYTES 0x100000

struct acpi_info acpi;
static uint32_t *memory; /* configuration space in memory: two buses */
static maddr_t mapped;
static size_t mapped_bytes;

void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    assert_int_equal(kind, ASPACE_UC);
    mapped = start;
    mapped_bytes = size;
    return size <= 2 * BUS_BYTES ? memory : NULL;
}

static uint64_t not_reserved; /* from there on */

static bool is_reserved(maddr_t start, uint64_t size)
{
    return start.v + size <= not_reserved;
}

static int setup(void **state)
{
    (void)state;
    memset(&acpi, 0, sizeof(acpi));
    fake_bus_reset();
    fake_log_reset();
    not_reserved = UINT64_MAX;
    mapped_bytes = 0;
    memory = malloc(2 * BUS_BYTES);
    memset(memory, 0xFF, 2 * BUS_BYTES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static unsigned count(void)
{
    unsigned n = 0;

    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d))
        n++;
    return n;
}

static const struct pci_device *device(const char *name)
{
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
        if (strcmp(pci_name(&d->at).text, name) == 0)
            return d;
    }
    fail_msg("there is no %s", name);
    return NULL;
}

enum part { HEAD, BARS, LAST };

/* What it is; what comes next, its BARs or, if it has none, its abilities; what comes last. */
static void assert_part(const struct pci_device *d, enum part part, const char *want)
{
    char text[400], *rest = text, *found = NULL;

    pci_describe(d, "|", text, sizeof(text));
    for (unsigned i = 0; i <= part && (part < LAST || rest); i++)
        found = strsep(&rest, "|");
    assert_string_equal(found ? found : "", want);
}

static struct fake_function *bridge(uint16_t bdf, uint32_t buses)
{
    struct fake_function *f = fake_device(bdf, 0x060400, 1);

    f->word[6] = buses;
    return f;
}

/* ---- Who is there ---- */

static void test_walk(void **state)
{
    (void)state;
    fake_device(FAKE_BDF(0, 0, 0), 0x060000, 0);
    fake_device(FAKE_BDF(0, 3, 0), 0x020000, 0x80);
    fake_device(FAKE_BDF(0, 3, 5), 0x020000, 0x80);
    fake_device(FAKE_BDF(0, 4, 0), 0x010802, 0);
    fake_device(FAKE_BDF(0, 4, 1), 0x010802, 0); /* the first one says that it is alone */
    fake_device(FAKE_BDF(0, 5, 2), 0x020000, 0); /* no function 0 */
    bridge(FAKE_BDF(0, 31, 0), 0x030200);
    bridge(FAKE_BDF(2, 1, 0), 0x030302);
    fake_device(FAKE_BDF(3, 31, 0), 0x0C0330, 0);
    fake_device(FAKE_BDF(7, 0, 0), 0x020000, 0); /* no bridge leads there */
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(count(), 7);
    assert_true(fake_log_has("pci: 7 devices, found by ports"));
    assert_int_equal(device("00:1f.0")->secondary, 2);
    assert_int_equal(device("02:01.0")->subordinate, 3);
    assert_part(device("00:03.5"), HEAD,
                "00:03.5 Ethernet, class 020000, 8086:abcd rev 42, ports, memory, master");
    assert_part(
        device("00:1f.0"), HEAD,
        "00:1f.0 PCI bridge, class 060400, 8086:abcd rev 42, ports, memory, master, to buses 02 "
        "to 03");
    assert_int_equal(fake_log_lines[1], 0);
}

static void test_no_bus(void **state)
{
    (void)state;
    fake_bus_absent = true;
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(count(), 0);
    assert_true(fake_log_has("pci: 0 devices, found by nothing"));
}

static void test_vendors_that_are_none(void **state)
{
    static const uint32_t ids[] = { 0, 0x0000FFFF, 0xFFFF0001, 0x12340000 };

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        fake_device(FAKE_BDF(0, i, 0), 0x020000, 0)->word[0] = ids[i];
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(count(), 0);
}

static void test_unknown_header(void **state)
{
    (void)state;
    fake_bar(fake_device(FAKE_BDF(0, 0, 0), 0x020000, 0x7F), 0, 0xFE000000, 0xFFF00000);
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(count(), 1);
    assert_int_equal(fake_function[0].writes, 0);
    assert_true(fake_log_has("pci: 00:00.0 has an unknown header"));
}

static void test_bridges_in_loops(void **state)
{
    (void)state;
    bridge(FAKE_BDF(0, 1, 0), 0x010000); /* nowhere */
    bridge(FAKE_BDF(0, 2, 0), 0x020100);
    bridge(FAKE_BDF(0, 3, 0), 0x020100); /* where the one before leads */
    bridge(FAKE_BDF(0, 4, 0), 0x030500); /* ends before it begins */
    bridge(FAKE_BDF(1, 1, 0), 0x010001); /* back to the root */
    bridge(FAKE_BDF(1, 2, 0), 0x010101); /* to itself */
    bridge(FAKE_BDF(1, 3, 0), 0xFFFFFF); /* up to the end, where nobody is */
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(count(), 7);
    assert_true(fake_log_has("bridge 00:01.0 to buses 00 to 01: not higher ones, or"));
    assert_true(fake_log_has("bridge 00:03.0 to buses 01 to 02"));
    assert_true(fake_log_has("bridge 00:04.0 to buses 05 to 03"));
    assert_true(fake_log_has("bridge 01:01.0 to buses 00 to 01"));
    assert_true(fake_log_has("bridge 01:02.0 to buses 01 to 01"));
    assert_int_equal(fake_log_lines[1], 5);
    assert_int_equal(device("00:03.0")->secondary, 0);
}

static void test_too_many(void **state)
{
    (void)state;
    fake_bus_crowded = true;
    for (unsigned bus = 0; bus < 8; bus++)
        bridge(FAKE_BDF(bus, 0, 0), 0xFF0000 | (bus + 1) << 8)->word[3] |= 0x800000;
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(count(), PCI_MOST);
    assert_true(fake_log_has("pci: no room for 04:00.0 and those behind it"));
    assert_int_equal(fake_log_lines[1], 1);
}

/* ---- Where they are ---- */

static void test_bars(void **state)
{
    struct fake_function *f = fake_device(FAKE_BDF(0, 2, 0), 0x020000, 0), before;

    (void)state;
    fake_bar(f, 0, 0xFE000000, 0xFFFE0000);
    fake_bar(f, 1, 0xC001, 0x0000FFC0); /* only 16 of its bits are there */
    fake_bar(f, 2, 0x0000000C, 0x00000000);
    fake_bar(f, 3, 0x00000038, 0xFFFFFFF8); /* 32 GiB */
    fake_bar(f, 4, 0x00000008, 0xFFF00000); /* no place yet */
    fake_bar(f, 5, 0x0000E004, 0xFFFFF000); /* says 64 bits, has no second half */
    fake_bar(fake_device(FAKE_BDF(0, 3, 0), 0x020000, 0), 0, 0x00000001, 0); /* ports, but none */
    f->word[12] = 0xFEB80001;
    f->sticks[12] = 0xFFF80001;
    before = *f;
    pci_start(NULL, 0, is_reserved);
    assert_part(device("00:02.0"), BARS,
                "memory 0xfe000000 128K, port 0xc000 64B, memory 0x3800000000 32G prefetchable, "
                "memory 0x0 1M prefetchable, memory 0xe000 4K, ROM 0xfeb80000 512K");
    assert_part(device("00:03.0"), BARS, "");
    assert_memory_equal(f->word, before.word, sizeof(before.word));
    assert_true(f->writes > 0);
    assert_false(f->moved_live);
}

static void test_bridges_are_not_measured(void **state)
{
    (void)state;
    fake_bar(fake_device(FAKE_BDF(0, 0, 0), 0x060000, 0), 3, 0xE0000004, 0xF0000000);
    fake_bar(bridge(FAKE_BDF(0, 1, 0), 0x010100), 0, 0xFEA00000, 0xFFFFF000);
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(fake_function[0].writes + fake_function[1].writes, 0);
    assert_part(device("00:00.0"), BARS, "memory 0xe0000000");
    assert_part(device("00:01.0"), BARS, "memory 0xfea00000");
}

/* The framebuffer lies somewhere in a BAR whose end nobody knows: of two the nearer one has it. */
static void test_what_is_in_use(void **state)
{
    static const struct pci_use uses[] = { { 0xD0200000, false, "screen" },
                                           { 0x3F8, true, "COM1" } };
    struct fake_function *far = fake_device(FAKE_BDF(0, 1, 0), 0x020000, 0);
    struct fake_function *screen = fake_device(FAKE_BDF(0, 2, 0), 0x038000, 0);
    struct fake_function *serial = fake_device(FAKE_BDF(0, 3, 0), 0x070002, 0);
    struct fake_function *off = fake_device(FAKE_BDF(0, 4, 0), 0x030000, 0);
    struct fake_function *small = fake_device(FAKE_BDF(0, 5, 0), 0x020000, 0);

    (void)state;
    fake_bar(far, 0, 0xC0000000, 0xF0000000);
    fake_bar(screen, 0, 0xD0000008, 0xF0000000);
    fake_bar(serial, 0, 0x000003F9, 0xFFFFFFF8);
    fake_bar(off, 0, 0xD0100000, 0xFFF00000);
    off->word[1] = 0;                           /* answers nowhere */
    fake_bar(small, 0, 0xD0080000, 0xFFF80000); /* too small for it, by where it is */
    pci_start(uses, 2, is_reserved);
    assert_int_equal(screen->writes + serial->writes, 0);
    assert_true(far->writes && off->writes && small->writes);
    assert_null(device("00:01.0")->used_as);
    assert_string_equal(device("00:02.0")->used_as, "screen");
    assert_part(
        device("00:03.0"), HEAD,
        "00:03.0 serial port, class 070002, 8086:abcd rev 42, ports, memory, master, Caisson's "
        "COM1");
    assert_null(device("00:04.0")->used_as);
    assert_null(device("00:05.0")->used_as);
}

static void test_vga_in_use(void **state)
{
    static const struct pci_use use = { 0xB8000, false, "screen" };

    (void)state;
    fake_device(FAKE_BDF(0, 1, 0), 0x030000, 0)->word[1] = 0; /* the second card */
    fake_bar(fake_device(FAKE_BDF(0, 2, 0), 0x030000, 0), 0, 0xE0000000, 0xFF000000);
    pci_start(&use, 1, is_reserved);
    assert_null(device("00:01.0")->used_as);
    assert_string_equal(device("00:02.0")->used_as, "screen");
    assert_int_equal(fake_function[1].writes, 0);
}

/* ---- What they can do ---- */

static void test_capabilities(void **state)
{
    struct fake_function *f = fake_device(FAKE_BDF(0, 1, 0), 0x020000, 0);

    (void)state;
    f->word[13] = 0x40;
    fake_capability(f, 0x40, 0x01, 0x52, 0x4803); /* the lower bits of a link mean nothing */
    f->word[17] = 3;
    fake_capability(f, 0x50, 0x05, 0x60, 0x0086);
    fake_capability(f, 0x60, 0x10, 0x80, 0x0002);
    f->word[0x64 / 4] = 1u << 28;
    fake_capability(f, 0x80, 0x11, 0x90, 0x001F);
    fake_capability(f, 0x90, 0x09, 0xA0, 0);
    fake_capability(f, 0xA0, 0x13, 0, 0x0206);
    pci_start(NULL, 0, is_reserved);
    assert_part(device("00:01.0"), BARS, "PM in D3, MSI 8, PCIe, MSI-X 32, AF, FLR");
    assert_int_equal(device("00:01.0")->cap[PCI_CAP_MSI], 0x50);
    f->gone = true;
    assert_part(device("00:01.0"), HEAD, "00:01.0 Ethernet, class 020000, 8086:abcd rev 42, gone");
    assert_part(device("00:01.0"), BARS, "PM in D3, MSI 128, PCIe, MSI-X 2048, AF, FLR");
}

static void test_capabilities_in_a_loop(void **state)
{
    struct fake_function *f = fake_device(FAKE_BDF(0, 1, 0), 0x020000, 0);

    (void)state;
    f->word[13] = 0x40;
    fake_capability(f, 0x40, 0x01, 0x50, 0);
    fake_capability(f, 0x50, 0x05, 0x40, 0);
    pci_start(NULL, 0, is_reserved);
    assert_true(fake_log_has("pci: 00:01.0: capabilities lead to 0x40, none there or a loop"));
    assert_int_equal(device("00:01.0")->cap[PCI_CAP_MSI], 0x50);
}

static void test_capabilities_astray(void **state)
{
    struct fake_function *f = fake_device(FAKE_BDF(0, 1, 0), 0x020000, 0);

    (void)state;
    f->word[13] = 0x40;
    fake_capability(f, 0x40, 0x01, 0x10, 0);
    pci_start(NULL, 0, is_reserved);
    assert_true(fake_log_has("capabilities lead to 0x10, none"));
}

/* One that would reach beyond the end is none: what it says would have to be read there. */
static void test_capability_at_the_end(void **state)
{
    struct fake_function *f = fake_device(FAKE_BDF(0, 1, 0), 0x020000, 0);

    (void)state;
    f->word[13] = 0xFC;
    fake_capability(f, 0xFC, 0x01, 0xF8, 0);
    fake_capability(f, 0xF8, 0x01, 0, 0);
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(device("00:01.0")->cap[PCI_CAP_PM], 0xF8);
    assert_part(device("00:01.0"), BARS, "PM in D1");
}

/* ---- In memory ---- */

/* A function there, with a PCIe capability. All its bits stick: its ROM has 2 KiB. */
static uint32_t *in_memory(unsigned bus, unsigned slot, uint32_t class)
{
    uint32_t *words = memory + (bus << 18 | slot << 13);

    memset(words, 0, 4096);
    words[0] = 0xABCD8086;
    words[1] = 0x00100000;
    words[2] = class << 8;
    words[13] = 0x40;
    words[16] = 0x00020010;
    return words;
}

static void give_mcfg(uint16_t segment, uint8_t first_bus, uint8_t last_bus)
{
    acpi.mcfg[acpi.mcfg_count++] = (struct acpi_mcfg){
        .base = maddr(0xB0000000), .segment = segment, .first_bus = first_bus, .last_bus = last_bus
    };
}

static void extended(uint32_t *words, unsigned at, uint16_t id, uint32_t next)
{
    words[at / 4] = id | 1u << 16 | next << 20;
}

/* Bus 1 is a root of its own: no bridge leads there. */
static void test_in_memory(void **state)
{
    uint32_t *words = in_memory(1, 3, 0x020000);

    (void)state;
    fake_bus_absent = true;
    in_memory(0, 0, 0x060000);
    give_mcfg(0, 0, 1);
    extended(words, 0x100, 0x0001, 0x140);
    extended(words, 0x140, 0x0010, 0x200);
    words[0x14C / 4] = 0x00080008;
    extended(words, 0x200, 0x000D, 0x210);
    extended(words, 0x210, 0x000E, 0xFF8);
    extended(words, 0xFF8, 0x000F, 0);
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(mapped.v, 0xB0000000);
    assert_int_equal(mapped_bytes, 2 * BUS_BYTES);
    assert_true(fake_log_has("pci: 2 devices, found by MCFG"));
    assert_part(device("01:03.0"), LAST, "PCIe, AER, ACS, ARI, ATS, SR-IOV 8");
}

static void test_extended_loop(void **state)
{
    uint32_t *words = in_memory(0, 3, 0x020000);

    (void)state;
    fake_bus_absent = true;
    give_mcfg(0, 0, 0);
    extended(words, 0x100, 0x0001, 0x140);
    extended(words, 0x140, 0x000D, 0x100);
    pci_start(NULL, 0, is_reserved);
    assert_true(fake_log_has("pci: 00:03.0: capabilities lead to 0x100, none"));
    words[1] = 0x00100000; /* plain memory: the command's zeroes went over the status */
    extended(words, 0x140, 0x000D, 0x0FC);
    pci_start(NULL, 0, is_reserved);
    assert_true(fake_log_has("capabilities lead to 0xfc, none"));
}

/* MCFG leads to something else, or to memory that is in use: the ports are asked. */
static void test_mcfg_is_wrong(void **state)
{
    (void)state;
    fake_device(FAKE_BDF(0, 0, 0), 0x060000, 0);
    fake_device(FAKE_BDF(0, 1, 0), 0x020000, 0);
    give_mcfg(0, 0, 1);
    pci_start(NULL, 0, is_reserved);
    assert_true(fake_log_has("pci: MCFG: no configuration space at 0xb0000000"));
    assert_true(fake_log_has("pci: 2 devices, found by ports"));
    acpi.mcfg[0].last_bus = 2; /* cannot be mapped here */
    pci_start(NULL, 0, is_reserved);
    assert_null(device("00:01.0")->at.segment->ecam);
    in_memory(0, 0, 0x060000);
    in_memory(0, 1, 0x020000);
    acpi.mcfg[0].last_bus = 1;
    pci_start(NULL, 0, is_reserved);
    assert_ptr_equal(device("00:01.0")->at.segment->ecam, memory);
}

/* Whatever looks like a device there is not touched. */
static void test_mcfg_in_memory(void **state)
{
    uint32_t *words = in_memory(0, 0, 0x020000), before = words[4];

    (void)state;
    fake_bus_absent = true;
    not_reserved = 0xB01FFFFF; /* all of it but a byte */
    give_mcfg(0, 0, 1);
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(count(), 0);
    assert_int_equal(mapped_bytes, 0);
    assert_int_equal(words[4], before);
    assert_true(fake_log_has("pci: MCFG: no configuration space at 0xb0000000"));
}

static void test_another_segment(void **state)
{
    (void)state;
    fake_device(FAKE_BDF(0, 1, 0), 0x020000, 0);
    in_memory(0, 1, 0x020000);
    give_mcfg(0x12, 0x40, 0x41);
    pci_start(NULL, 0, is_reserved);
    assert_int_equal(mapped.v, 0xB4000000);
    assert_true(fake_log_has("pci: 2 devices, found by ports"));
    assert_non_null(device("0012:40:01.0")->at.segment->ecam);
    assert_null(device("00:01.0")->at.segment->ecam);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_bus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vendors_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridges_in_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridges_are_not_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vga_in_use, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capabilities_in_a_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capabilities_astray, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capability_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extended_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcfg_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcfg_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_segment, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
