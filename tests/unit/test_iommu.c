/* links: iommu/iommu.c iommu/amd.c iommu/amd_device.c iommu/ivrs.c pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/control.c pci/group.c lib/bitmap.c lib/fmt.c tests/fakes/amd_vi.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/virt.c virt/slat.c */
/*
 * AMD's IOMMU, on a pretended one: that it is found and started, that no device gets through while
 * nobody has it, and who tries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "iommu/amd.h"
#include "iommu/iommu.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "pci/pci.h"
#include "tests/fakes/amd_vi.h"
#include "tests/fakes/config_space.h"
#include "tests/fakes/log.h"

#define BASE   FAKE_VI_BASE
#define IOMMU  FAKE_BDF(0, 0, 2)
#define NIC    FAKE_BDF(0, 3, 0)
#define IOAPIC FAKE_BDF(0, 0x14, 0)

#define CONTROL    FAKE_VI_REG(0x18)
#define STATUS     FAKE_VI_REG(0x2020)
#define EVENT_HEAD FAKE_VI_REG(0x2010)
#define EVENT_TAIL FAKE_VI_REG(0x2018)

struct acpi_info acpi;
static uint8_t ivrs[512];
static uint32_t ivrs_bytes;

static bool access_memory(uint16_t bdf, uint64_t address, bool writes)
{
    uint64_t maddr;

    return fake_vi_access(bdf, address, writes, &maddr);
}

static bool send_message(uint16_t bdf)
{
    uint8_t apic_id, vector;

    return fake_vi_message(bdf, 0, &apic_id, &vector);
}

/* ---- The firmware's table ---- */

static void put(const void *bytes, uint32_t count)
{
    memcpy(ivrs + ivrs_bytes, bytes, count);
    ivrs_bytes += count;
}

/* The head of a unit's block with so many bytes behind it. */
static void put_unit(uint8_t type, uint64_t base, uint16_t more)
{
    uint8_t head[40] = { type, 0x01 };
    uint16_t bytes = (uint16_t)((type == 0x10 ? 24 : 40) + more), bdf = IOMMU;

    memcpy(head + 2, &bytes, 2);
    memcpy(head + 4, &bdf, 2);
    memcpy(head + 8, &base, 8);
    put(head, bytes - more);
}

static const uint8_t devices[] = {
    3,  0x00, 0x00, 0x00, 4,  0xFF, 0xFF, 0x00,                   /* a range: all */
    2,  0x10, 0x00, 0xD7,                                         /* 00:02.0 */
    66, 0x20, 0x00, 0x01, 0,  0x21, 0x00, 0,                      /* 00:04.0, as 00:04.1 */
    3,  0x00, 0x01, 0x40, 4,  0x0F, 0x01, 0x00,                   /* 01:00.0 to 01:01.7 */
    72, 0x00, 0x00, 0x02, 0,  0xA0, 0x00, 1,                      /* the I/O APIC */
    0,  0,    0,    0,    72, 0,    0,    0,    0, 0xA8, 0x00, 2, /* nothing; an HPET */
};

static void start(void)
{
    acpi.ivrs = ivrs;
    acpi.ivrs_bytes = ivrs_bytes;
    pci_start(NULL, 0, NULL);
    iommu_start();
}

/* The firmware's table alone, for ASan to guard its end. */
static void read_again(void)
{
    uint8_t *exactly = malloc(ivrs_bytes);

    memcpy(exactly, ivrs, ivrs_bytes);
    ivrs_read(exactly, ivrs_bytes);
    free(exactly);
}

static int setup(void **state)
{
    struct fake_function *f;

    (void)state;
    memset(&acpi, 0, sizeof(acpi));
    fake_vi_reset();
    fake_log_reset();
    fake_bus_reset();
    f = fake_device(IOMMU, 0x080600, 0x80);
    f->word[13] = 0x40;
    memset(f->sticks + 16, 0xFF, 16);
    fake_capability(f, 0x40, 0x05, 0, 0x0080);
    fake_device(FAKE_BDF(0, 0, 0), 0x060000, 0x80);
    fake_device(NIC, 0x020000, 0);
    memset(ivrs, 0, sizeof(ivrs));
    ivrs_bytes = 48;
    return 0;
}

static int setup_sound(void **state)
{
    setup(state);
    put_unit(0x10, BASE, sizeof(devices));
    put(devices, sizeof(devices));
    start();
    return 0;
}

/* ---- What devices may ---- */

static void test_nothing_gets_through(void **state)
{
    (void)state;
    for (uint32_t bdf = 0; bdf < 0x10000; bdf++) {
        assert_false(access_memory((uint16_t)bdf, 0x1000, false));
        assert_false(access_memory((uint16_t)bdf, 0xFEE00000, true));
        assert_int_equal(send_message((uint16_t)bdf), bdf == IOAPIC);
    }
    assert_true(
        fake_log_has("iommu: AMD-Vi: 1 of 1 units answer: devices behind them reach nothing"));
    assert_int_equal(fake_vi_forgotten, 3);
    assert_int_equal(CONTROL, 0x140F); /* HyperTransport as the firmware says, and coherent */
}

static void test_settings(void **state)
{
    (void)state;
    assert_int_equal(fake_vi_entry(0x10)[2], 0xC700000000000001);
    assert_int_equal(fake_vi_entry(0x10)[1], 1ul << 40);
    assert_int_equal(fake_vi_entry(0x20)[2], 0x0100000000000001);
    assert_int_equal(fake_vi_entry(0x21)[2], 0x0100000000000001);
    assert_int_equal(fake_vi_entry(0x22)[2], 1);
    assert_int_equal(fake_vi_entry(0xFF)[2], 1);
    assert_int_equal(fake_vi_entry(0x100)[2], 0x4000000000000001);
    assert_int_equal(fake_vi_entry(0x10F)[2], 0x4000000000000001);
    assert_int_equal(fake_vi_entry(0x110)[2], 1);
    assert_int_equal(fake_vi_entry(IOAPIC)[2], 0x0200000000000000);
}

static void test_interrupt_of_its_own(void **state)
{
    const uint32_t *words = fake_function[0].word;

    (void)state;
    assert_int_equal(words[16], 0x00810005);
    assert_int_equal(words[17], 0xFEE05000);
    assert_int_equal(words[18], 0);
    assert_int_equal(words[19], 0x31);
    assert_int_equal(fake_log_lines[1], 0);
}

/* ---- Who tries ---- */

static void test_fault(void **state)
{
    const struct pci_device *d = pci_find(0, NIC);

    (void)state;
    access_memory(NIC, 0x12345000, true);
    fake_vi_handler();
    assert_true(fake_log_has("iommu: 00:03.0 wrote to 0x12345000, which it was not given: blocked, "
                             "and stopped"));
    assert_int_equal(fake_function[2].word[1] & 7, 3); /* no bus master any more */
    assert_int_equal(d->faults, 1);
    assert_int_equal(fake_vi_forgotten, 4);
    assert_false(
        access_memory(NIC, 0x1000, false)); /* it does not stop: that is no event any more */
    fake_vi_handler();
    assert_int_equal(d->faults, 1);
    for (unsigned i = 0; i < 600; i++) { /* more than the ring has places */
        fake_vi_event(2ul << 60 | NIC, 0x1000);
        fake_vi_handler();
    }
    assert_int_equal(d->faults, 601);
    assert_int_equal(fake_log_lines[1], 1);
}

/* It forgets what comes then, and goes on when it has been emptied. */
static void test_log_runs_over(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++)
        access_memory(NIC, 0x1000, false);
    assert_true(STATUS & 1);
    fake_vi_handler();
    assert_int_equal(pci_find(0, NIC)->faults, 255);
    assert_int_equal(STATUS & 1, 0);
    access_memory(FAKE_BDF(0, 0, 0), 0x1000, false);
    fake_vi_handler();
    assert_int_equal(pci_find(0, 0)->faults, 1);
    assert_true(fake_log_has("00:03.0 read from 0x1000"));
}

static void test_other_events(void **state)
{
    (void)state;
    access_memory(FAKE_BDF(9, 9, 0), 0x1000, false); /* nobody whom we know */
    fake_vi_event(5ul << 60, 0xABC0);
    fake_vi_event(5ul << 60, 0xABC0);
    fake_vi_handler();
    assert_true(fake_log_has("iommu: event 5000000000000000 000000000000abc0; said once"));
    assert_int_equal(fake_log_lines[1], 1);
}

/* Events that no entry silences: the device is stopped as for any other, and if it does not stop,
 * nothing is heard any more. */
static void test_deaf(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        fake_vi_event(8ul << 60 | NIC, 0xFEE00000);
        fake_vi_handler();
    }
    assert_true(pci_find(0, NIC)->stopped);
    assert_int_equal(fake_log_lines[0], 1);
    assert_int_equal(CONTROL & 8, 0);
}

/* In one go, where the unit can. */
static void test_forgets_all(void **state)
{
    (void)state;
    FAKE_VI_REG(0x30) = 1u << 6;
    put_unit(0x10, BASE, 0);
    start();
    assert_int_equal(fake_vi_forgotten, 0x10000);
}

/* Nor what nobody can be named for. */
static void test_deaf_for_nobody(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        fake_vi_event(10ul << 60, 0);
        fake_vi_handler();
    }
    assert_int_equal(CONTROL & 8, 0);
}

/* A tail that cannot be leads to places of the ring all the same. */
static void test_broken_tail(void **state)
{
    (void)state;
    EVENT_TAIL = 0xFFFFFFFF;
    fake_vi_handler();
    assert_int_equal(EVENT_HEAD, 4080);
}

/* ---- What goes wrong ---- */

static void test_same_unit_twice(void **state)
{
    (void)state;
    put_unit(0x10, BASE, 0);
    put_unit(0x11, BASE, 4);
    put((const uint8_t[]){ 1, 0, 0, 0x04 }, 4);
    put_unit(0x40, BASE, 24);
    put((const uint8_t[24]){ [0] = 240, [21] = 2 }, 24);
    start();
    assert_true(fake_log_has("1 of 1 units answer"));
    assert_int_equal(fake_vi_entry(0xFFFF)[2], 1ul << 58 | 1);
}

static void test_dead_unit(void **state)
{
    (void)state;
    fake_vi_dead = true;
    put_unit(0x10, BASE, 0);
    put_unit(0x10, BASE + 0x10000, 0); /* cannot even be mapped */
    start();
    assert_true(fake_log_has("iommu: AMD-Vi: 0 of 2 units answer"));
    assert_int_equal(fake_log_lines[0], 1);
}

static void test_too_many_units(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 9; i++)
        put_unit(0x10, BASE + 0x10000ul * i, 0);
    start();
    assert_true(fake_log_has("iommu: more than 8 units, the others stay off"));
    assert_true(fake_log_has("1 of 8 units answer"));
}

static void test_no_memory(void **state)
{
    (void)state;
    put_unit(0x10, BASE, 0);
    pci_start(NULL, 0, NULL);
    for (unsigned n = 1; n <= 4; n++) {
        acpi.ivrs = ivrs;
        acpi.ivrs_bytes = ivrs_bytes;
        frame_fail_nth(n);
        iommu_start();
        assert_true(fake_log_has(n < 4 ? "no memory for it: devices reach all" : "0 of 1 units"));
        fake_log_reset();
    }
    frame_fail_nth(0);
}

static void test_memory_kept_for_devices(void **state)
{
    (void)state;
    put((const uint8_t[32]){ 0x21, 0, 32 }, 32);
    put_unit(0x10, BASE, 0);
    start();
    assert_true(fake_log_has("memory that the firmware keeps for devices (IVMD) is out of reach"));
    assert_true(fake_log_has("1 of 1 units answer"));
}

/* Every end that the table could have, and every length of the block. */
static void test_cut_anywhere(void **state)
{
    uint32_t whole;

    (void)state;
    put_unit(0x11, BASE, sizeof(devices));
    put(devices, sizeof(devices));
    whole = ivrs_bytes;
    start();
    for (ivrs_bytes = 37; ivrs_bytes < whole; ivrs_bytes++)
        read_again();
    assert_true(fake_log_has("iommu: IVRS: broken at byte 48, the rest ignored"));
    for (unsigned length = 0; length < 256; length++) {
        ivrs[50] = (uint8_t)length;
        read_again();
    }
    assert_true(fake_log_has("iommu: IVRS: an entry of type 72 is cut off"));
}

static void test_none(void **state)
{
    (void)state;
    iommu_start();
    assert_string_equal(fake_log_text, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_gets_through, setup_sound),
        cmocka_unit_test_setup(test_settings, setup_sound),
        cmocka_unit_test_setup(test_interrupt_of_its_own, setup_sound),
        cmocka_unit_test_setup(test_fault, setup_sound),
        cmocka_unit_test_setup(test_log_runs_over, setup_sound),
        cmocka_unit_test_setup(test_other_events, setup_sound),
        cmocka_unit_test_setup(test_deaf, setup_sound),
        cmocka_unit_test_setup(test_deaf_for_nobody, setup_sound),
        cmocka_unit_test_setup(test_forgets_all, setup),
        cmocka_unit_test_setup(test_broken_tail, setup_sound),
        cmocka_unit_test_setup(test_same_unit_twice, setup),
        cmocka_unit_test_setup(test_dead_unit, setup),
        cmocka_unit_test_setup(test_too_many_units, setup),
        cmocka_unit_test_setup(test_no_memory, setup),
        cmocka_unit_test_setup(test_memory_kept_for_devices, setup),
        cmocka_unit_test_setup(test_cut_anywhere, setup),
        cmocka_unit_test_setup(test_none, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
