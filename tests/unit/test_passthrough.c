/* links: passthrough/passthrough.c passthrough/space.c passthrough/registers.c passthrough/ports.c passthrough/message.c passthrough/intx.c passthrough/arrival.c passthrough/vector.c passthrough/reset.c passthrough/place.c pci/window.c devices/vpci.c pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/class.c pci/describe.c pci/reset.c pci/control.c lib/bitmap.c lib/fmt.c tests/fakes/str_copy.c tests/fakes/passed.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * A PCI device as a guest has it: what it finds in configuration space, where its registers are,
 * what becomes of its interrupts, and who may have it.
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
#include "lib/log.h"
#include "mm/frame.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"
#include "tests/fakes/passed.h"

#define PORTS   1u
#define MEMORY  2u
#define MASTER  4u
#define PLACE   0xE0000000u /* of BAR 0 at first */
#define MESSAGE 0xFEE00000u

static uint64_t in_use; /* pages, while nobody has it */

static int setup(void **state)
{
    struct assigned first = { 0 };

    (void)state;
    fake_log_reset();
    passed_reset();
    assert_int_equal(source_open(&first), 0); /* what is made for the first one stays */
    source_close(&first);
    in_use = fake_heap_in_use();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (passed)
        while (!passthrough_detach(passed))
            fake_tsc += 1000000;
    assert_int_equal(fake_heap_in_use(), in_use);
    return 0;
}

static int setup_attached(void **state)
{
    setup(state);
    return passed_attach();
}

static uint32_t rd(unsigned reg)
{
    return passed_config_read(reg, 4);
}

static void wr(unsigned reg, uint32_t value)
{
    passed_config_write(reg, 4, value);
    passed_check();
}

/* ---- Who may have it ---- */

static void refused(uint16_t bdf, const char *why)
{
    fake_log_reset();
    assert_int_equal(passthrough_check("alpha", true, 0, bdf), -ENODEV);
    assert_true(fake_log_has(why));
}

static void test_refusals(void **state)
{
    (void)state;
    struct pci_device *d = pci_find(0, PASSED_BDF);

    assert_int_equal(passthrough_check("alpha", true, 0, PASSED_BDF), 0);
    refused(FAKE_BDF(0, 9, 0), "alpha: pci=00:09.0: the machine has no such device");
    refused(FAKE_BDF(0, 5, 0), "alpha: pci=00:05.0: it has no interrupt pin");
    refused(FAKE_BDF(0, 6, 0), "alpha: pci=00:06.0: it is a bridge");
    d->used_as = "screen";
    refused(PASSED_BDF, "alpha: pci=00:04.0: Caisson uses it");
    d->used_as = NULL;
    d->owner = 3;
    refused(PASSED_BDF, "alpha: pci=00:04.0: another domain has it");
    d->owner = PCI_UNOWNED;
    d->bar[0].base = 0;
    refused(PASSED_BDF, "gave its registers no place");
    d->bar[0].base = PASSED_BASE;
    passed_iommu_error = -ENODEV;
    refused(PASSED_BDF, "alpha: pci=00:04.0: no IOMMU holds it back");
    assert_int_equal(passthrough_check("alpha", true, 1, PASSED_BDF), -ENODEV);
    assert_true(fake_log_has("alpha: pci=0001:00:04.0: the machine has no such device"));
}

/* By what they are: those that somebody has, and those that nobody can have, are passed over. */
static void test_kinds(void **state)
{
    const uint32_t none = PASSTHROUGH_NONE;

    (void)state;
    assert_int_equal(passthrough_find("alpha", true, 0x0108, none), PASSED_BDF);
    assert_int_equal(passthrough_find("alpha", true, 0x0108, PASSED_BDF), none);
    assert_int_equal(passthrough_find("alpha", true, 0x0106, none), none); /* it has no messages */
    assert_int_equal(passthrough_find("alpha", true, 0x0604, none), none);
    pci_find(0, FAKE_BDF(0, 5, 0))->pin = 1;
    pci_find(0, FAKE_BDF(0, 5, 0))->line = PASSED_IRQ;
    assert_int_equal(passthrough_find("alpha", true, PASSTHROUGH_ANY_CLASS, none), PASSED_BDF);
    assert_int_equal(passthrough_find("alpha", true, PASSTHROUGH_ANY_CLASS, PASSED_BDF),
                     FAKE_BDF(0, 5, 0));
    assert_int_equal(passthrough_find("alpha", true, PASSTHROUGH_ANY_CLASS, FAKE_BDF(0, 5, 0)),
                     none);
    assert_int_equal(passthrough_find("alpha", false, PASSTHROUGH_ANY_CLASS, PASSED_BDF), none);
    pci_find(0, PASSED_BDF)->owner = 3;
    assert_int_equal(passthrough_find("alpha", true, 0x0108, none), none);
    pci_find(0, PASSED_BDF)->owner = PCI_UNOWNED;
}

/* Registers that cannot be where they are said to be: the guest would reach what is there. */
static void test_misplaced(void **state)
{
    static const struct {
        uint64_t base, size;
        const char *why;
    } wrong[] = {
        { PASSED_BASE + 0x2000, 0x4000, "its registers are where none can be" },
        { 1ul << 48, 0x4000, "its registers are where none can be" },
        { 1ul << 48, 1ul << 48, "its registers are where none can be" },
        { 0xFEE00000, 0x1000, "its registers lie over the board's" },
        { 0xFEC00000, 0x1000, "its registers lie over the board's" },
        { PASSED_IOMMU, 0x4000, "its registers lie over the board's" },
        { 0xB0100000, 0x4000, "its registers lie over the board's" }, /* MCFG */
        { PASSED_SMALL & ~0xFFF, 0x1000, "its registers lie over those of another device" },
        { 0xFD000000, 0x4000, "its registers lie over those of another device" },
    };
    (void)state;
    struct pci_device *d = pci_find(0, PASSED_BDF);
    struct pci_device *bridge = pci_find(0, FAKE_BDF(0, 6, 0));
    mfn_t m;

    acpi.mcfg_count = 1;
    acpi.mcfg[0].base = maddr(0xB0000000);
    acpi.mcfg[0].last_bus = 1;
    pci_find(0, FAKE_BDF(0, 5, 0))->bar[3].base = 0xFD001000;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        d->bar[0].base = wrong[i].base;
        d->bar[0].size = wrong[i].size;
        refused(PASSED_BDF, wrong[i].why);
    }
    assert_int_equal(frame_alloc(2, 1, &m), 0);
    d->bar[0].base = m.v << PAGE_SHIFT;
    d->bar[0].size = PAGE_SIZE;
    refused(PASSED_BDF, "its registers lie over memory");
    frame_free(m, 2, 1);
    d->bar[0].base = PASSED_BASE;
    d->bar[0].size = 0x4000;
    bridge->subordinate = bridge->secondary = 1;
    assert_int_equal(passthrough_check("alpha", true, 0, PASSED_BDF), 0);
    passed_hardware->bdf = FAKE_BDF(1, 4, 0);
    d->at.bdf = FAKE_BDF(1, 4, 0);
    fake_function[2].word[8] = 0xFE00FE00; /* 1 MiB */
    assert_int_equal(passthrough_check("alpha", true, 0, FAKE_BDF(1, 4, 0)), 0);
    fake_function[2].word[8] = 0xFE10FE10;
    refused(FAKE_BDF(1, 4, 0), "no bridge passes on what is for its registers");
    fake_function[2].word[9] = 0xFFF1FE01; /* the other one, of 64 bits */
    assert_int_equal(passthrough_check("alpha", true, 0, FAKE_BDF(1, 4, 0)), 0);
    fake_function[2].word[10] = fake_function[2].word[11] = 1;
    refused(FAKE_BDF(1, 4, 0), "no bridge passes on what is for its registers");
}

static void test_iommu_refuses(void **state)
{
    (void)state;
    passed_iommu_error = -EBUSY;
    assert_int_equal(passed_attach(), -EBUSY);
    assert_true(fake_log_has("the IOMMU cannot let it in"));
    assert_null(passed_bus.plugged[2]);
}

static void test_too_large(void **state)
{
    (void)state;
    passed_enlarge(1ul << 42, 1ul << 42); /* of 1 GiB each */
    assert_int_equal(passed_attach(), -E2BIG);
    assert_true(fake_log_has("alpha: pci=00:04.0: its registers take too many pages"));
}

/* ---- Its life ---- */

static void test_life(void **state)
{
    (void)state;
    const struct pci_device *d = pci_find(0, PASSED_BDF);
    unsigned given = passed_given;

    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("alpha: has PCI device 00:04.0\n"));
    assert_int_equal(d->owner, PASSED_OWNER);
    assert_true(passed_attached);
    assert_int_equal(passed_given, given + 1);
    assert_true(passthrough_has(PASSED_OWNER, mfn(PASSED_BASE >> 12)));
    assert_false(passthrough_has(PASSED_OWNER, mfn((PASSED_BASE >> 12) + 4)));
    assert_false(passthrough_has(PASSED_OWNER + 1, mfn(PASSED_BASE >> 12)));
    wr(4, MEMORY | MASTER);
    assert_true(passed_hardware->word[1] & MASTER);
    passthrough_stop(passed);
    passthrough_stop(passed);
    assert_false(passed_hardware->word[1] & MASTER);
    assert_false(passed_attached);
    assert_false(passthrough_detach(passed)); /* it resets */
    assert_int_equal(passed_hardware->word[PASSED_EXPRESS / 4 + 2], 0xA810);
    passed_hardware->word[1] = passed_hardware->word[6] = 0;
    passed_hardware->word[4] = 4;
    assert_false(passthrough_detach(passed));
    assert_int_equal(d->owner, PASSED_OWNER);
    fake_tsc += 100000000;
    assert_true(passthrough_detach(passed));
    passed = NULL;
    assert_int_equal(d->owner, PCI_UNOWNED);
    assert_int_equal(passed_hardware->word[4], PASSED_BASE | 4); /* its flags stick */
    assert_int_equal(passed_hardware->word[6], PASSED_SMALL);
    assert_int_equal(passed_hardware->word[PASSED_EXPRESS / 4 + 2], 0x2810);
    vpci_init(&passed_bus, 0);
    assert_int_equal(passed_attach(), 0);
}

static void detach(void)
{
    while (!passthrough_detach(passed))
        fake_tsc += 1000000;
    passed = NULL;
    vpci_init(&passed_bus, 0);
}

/* It was asleep: it is waited for, and found where it was. It tells nobody of errors. */
static void test_as_firmware_left_it(void **state)
{
    (void)state;
    passed_hardware->word[PASSED_PM / 4 + 1] = 0x0103;
    passed_hardware->sticks[PASSED_PM / 4 + 1] = 0xFFFF;
    passed_hardware->word[PASSED_EXPRESS / 4 + 2] = 0x281F;
    uint64_t begun = fake_tsc;
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_tsc - begun >= 110000000);
    assert_int_equal(passed_hardware->word[PASSED_PM / 4 + 1], 0);
    assert_int_equal(passed_hardware->word[PASSED_EXPRESS / 4 + 2], 0x2810);
}

/* Some devices have a way to their own configuration space among their registers. */
static void test_moved(void **state)
{
    (void)state;
    assert_int_equal(passed_attach(), 0);
    passed_hardware->word[6] = 0xFD000000;
    detach();
    assert_true(fake_log_has("alpha: 00:04.0 has moved its registers on the machine's bus"));
    assert_int_equal(passed_hardware->word[6], PASSED_SMALL);
    assert_int_equal(passed_attach(), 0);
    passed_hardware->word[6] = 0xFD000000;
    passed_hardware->sticks[6] = 0;
    detach();
    assert_true(fake_log_has("alpha: 00:04.0 does not have its registers where they were"));
    assert_int_equal(pci_find(0, PASSED_BDF)->owner, PCI_BROKEN);
}

/* What cannot be reset does for one domain what another one has told it. */
static void test_without_reset(void **state)
{
    (void)state;
    passed_hardware->word[PASSED_EXPRESS / 4 + 1] &= ~(1u << 28);
    passed_hardware->word[PASSED_PM / 4 + 1] = 8;
    assert_int_equal(passthrough_check("beta", true, 0, PASSED_BDF), 0);
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("alpha: has PCI device 00:04.0, which cannot be reset"));
    detach();
    assert_int_equal(passthrough_check("beta", true, 0, PASSED_BDF), -ENODEV);
    assert_true(fake_log_has("beta: pci=00:04.0: another domain had it, and it cannot be reset"));
    assert_int_equal(passed_attach(), 0);
    detach();
    passed_hardware->word[PASSED_EXPRESS / 4 + 1] |= 1u << 28;
    assert_int_equal(passthrough_check("beta", true, 0, PASSED_BDF), 0);
}

/* Without a reset of its own it sleeps, wakes up, and has forgotten where it was; unless it says
 * that it does not forget. */
static void test_sleep(void **state)
{
    uint32_t *pm = &passed_hardware->word[PASSED_PM / 4 + 1];

    (void)state;
    passed_hardware->word[PASSED_EXPRESS / 4 + 1] &= ~(1u << 28);
    passed_hardware->sticks[PASSED_PM / 4 + 1] = 3;
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("alpha: has PCI device 00:04.0\n"));
    wr(PASSED_PM + 4, 3); /* its guest's wish is none of its own */
    assert_int_equal(*pm, 0);
    assert_false(passthrough_detach(passed));
    assert_int_equal(*pm, 3);
    fake_tsc += 100000000;
    assert_false(passthrough_detach(passed));
    assert_int_equal(*pm, 0);
    passed_hardware->word[1] = passed_hardware->word[6] = 0;
    passed_hardware->word[4] = 4;
    fake_tsc += 5000000;
    assert_false(passthrough_detach(passed));
    fake_tsc += 95000000;
    assert_true(passthrough_detach(passed));
    passed = NULL;
    assert_int_equal(passed_hardware->word[4], PASSED_BASE | 4);
    *pm = 8;
    vpci_init(&passed_bus, 0);
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("has PCI device 00:04.0, which cannot be reset"));
}

/* It has no reset of its own, and is behind the bridge, as the only one there. */
static void leave_it_its_bus(void)
{
    struct pci_device *bridge = pci_find(0, FAKE_BDF(0, 6, 0));
    struct pci_device *d = pci_find(0, PASSED_BDF);

    passed_hardware->word[PASSED_EXPRESS / 4 + 1] &= ~(1u << 28);
    passed_hardware->word[PASSED_PM / 4 + 1] = 8;
    bridge->subordinate = bridge->secondary = 1;
    passed_bdf = passed_hardware->bdf = d->at.bdf = FAKE_BDF(1, 4, 0);
    fake_function[2].word[8] = 0xFE00FE00; /* what it passes on: 1 MiB */
    fake_function[2].word[15] = 0x00010000;
    fake_function[2].sticks[15] = 0x0FFF0000;
}

/* Without any reset of its own, but alone on its bus, it is reset with that: a while in reset, a
 * while until it answers, which on conventional PCI is longer. */
static void test_bus_reset(void **state)
{
    const uint32_t *control = &fake_function[2].word[15];

    (void)state;
    leave_it_its_bus();
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("alpha: has PCI device 01:04.0\n"));
    assert_false(passthrough_detach(passed));
    assert_int_equal(*control, 0x00410000);
    fake_tsc += 100000000;
    assert_false(passthrough_detach(passed));
    assert_int_equal(*control, 0x00010000);
    passed_hardware->word[1] = passed_hardware->word[6] = 0;
    passed_hardware->word[4] = 4;
    fake_tsc += 95000000;
    assert_false(passthrough_detach(passed));
    fake_tsc += 5000000;
    assert_true(passthrough_detach(passed));
    passed = NULL;
    assert_int_equal(passed_hardware->word[4], PASSED_BASE | 4);
    vpci_init(&passed_bus, 0);
    pci_find(0, passed_bdf)->cap[PCI_CAP_PCIE] = 0;
    assert_int_equal(passed_attach(), 0);
    assert_false(passthrough_detach(passed));
    fake_tsc += 100000000;
    assert_false(passthrough_detach(passed));
    fake_tsc += 1000000000;
    assert_false(passthrough_detach(passed));
    fake_tsc += 10000000;
    assert_true(passthrough_detach(passed));
    passed = NULL;
}

/* Its domain is destroyed while it is on its way there, its bus in reset. */
static void test_taken_back_in_reset(void **state)
{
    struct passthrough_owner owner = { .id = PASSED_OWNER, .name = "alpha", .bus = &passed_bus };
    struct passthrough_room next = { 0 };
    uint16_t control = passed_hardware->word[PASSED_EXPRESS / 4 + 2];

    (void)state;
    leave_it_its_bus();
    passed_bus.intx.set = NULL;
    assert_int_equal(passthrough_attach(&passed, &owner, 0, passed_bdf, 2, &next), -EAGAIN);
    assert_int_equal(fake_function[2].word[15], 0x00410000);
    passed_hardware->gone = true;
    assert_false(passthrough_detach(passed));
    assert_int_equal(fake_function[2].word[15], 0x00010000);
    passed_hardware->gone = false;
    detach();
    assert_int_equal(pci_find(0, passed_bdf)->owner, PCI_UNOWNED);
    assert_int_equal(passed_hardware->word[PASSED_EXPRESS / 4 + 2], control & ~15);
}

/* What a guest has sent away answers ones: none of them is written back to it. */
static void test_away_for_a_while(void **state)
{
    uint16_t control = passed_hardware->word[PASSED_EXPRESS / 4 + 2];

    (void)state;
    assert_int_equal(passed_attach(), 0);
    passed_hardware->gone = true;
    assert_false(passthrough_detach(passed));
    passed_hardware->gone = false;
    detach();
    assert_int_equal(pci_find(0, PASSED_BDF)->owner, PCI_UNOWNED);
    assert_int_equal(passed_hardware->word[PASSED_EXPRESS / 4 + 2], control & ~15);
}

/* A neighbour there would be reset as well. */
static void test_no_bus_reset(void **state)
{
    (void)state;
    leave_it_its_bus();
    pci_find(0, FAKE_BDF(0, 5, 0))->at.bdf = FAKE_BDF(1, 5, 0);
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("alpha: has PCI device 01:04.0, which cannot be reset"));
    assert_int_equal(fake_function[2].word[15], 0x00010000);
}

static void test_it_stays_away(void **state)
{
    (void)state;
    assert_int_equal(passed_attach(), 0);
    passed_hardware->gone = true;
    assert_false(passthrough_detach(passed));
    fake_tsc += 200000000;
    assert_false(passthrough_detach(passed));
    fake_tsc += 2000000000;
    assert_true(passthrough_detach(passed));
    passed = NULL;
    assert_true(fake_log_has("00:04.0 does not come out of its reset"));
    refused(PASSED_BDF, "alpha: pci=00:04.0: it did not come out of its reset");
}

/* ---- Configuration space ---- */

static void test_header(void **state)
{
    (void)state;
    assert_int_equal(rd(0), 0xABCD8086);
    assert_int_equal(rd(4), 0x00100000);
    assert_int_equal(rd(8), 0x01080242);
    assert_int_equal(rd(0x0C), 0);
    wr(0x0C, UINT32_MAX);
    assert_int_equal(rd(0x0C), 0xFF);
    assert_int_equal(rd(0x2C), 0x11001AF4);
    assert_int_equal(rd(0x30), 0);
    assert_int_equal(rd(0x3C), 0);
    wr(0x3C, UINT32_MAX);
    assert_int_equal(rd(0x3C), 0xFF); /* no pin */
    passed_hardware->gone = true;
    assert_int_equal(rd(0), UINT32_MAX);
}

static void test_command(void **state)
{
    (void)state;
    wr(4, UINT32_MAX);
    assert_int_equal(rd(4), 0x00100547);
    assert_int_equal(passed_hardware->word[1] & 0xFFFF, 0x407); /* no SERR */
    passed_config_write(5, 1, 0);
    assert_int_equal(rd(4), 0x00100047);
    passed_hardware->word[1] |=
        0x20080000; /* it was refused; INTx is pending, which no one is told */
    assert_int_equal(rd(4), 0x20100047);
    pci_find(0, PASSED_BDF)->stopped = true;
    wr(4, MASTER);
    assert_false(passed_hardware->word[1] & MASTER);
}

static void (*out)(uint16_t port, unsigned size, uint32_t value);

/* Another pCPU stops it just before it is told that it may. */
static void stop_meanwhile(uint16_t port, unsigned size, uint32_t value)
{
    if (port == 0xCFC && value & MASTER)
        pci_find(0, PASSED_BDF)->stopped = true;
    out(port, size, value);
}

static void test_stopped_meanwhile(void **state)
{
    (void)state;
    out = fake_out;
    fake_out = stop_meanwhile;
    passed_config_write(4, 2, MEMORY | MASTER);
    fake_out = out;
    assert_int_equal(passed_hardware->word[1] & 0xFFFF, 0x402);
}

static void test_bars(void **state)
{
    (void)state;
    assert_int_equal(rd(0x10), PLACE | 4);
    assert_int_equal(rd(0x14), 0);
    assert_int_equal(rd(0x18), PLACE + 0x4000);
    assert_int_equal(rd(0x1C), 0xD021); /* ports */
    wr(0x10, UINT32_MAX);
    wr(0x14, UINT32_MAX);
    wr(0x18, UINT32_MAX);
    wr(0x1C, UINT32_MAX);
    assert_int_equal(rd(0x10), 0xFFFFC004);
    assert_int_equal(rd(0x14), 0xFFFFFFFF);
    assert_int_equal(rd(0x18), 0xFFFFFFC0);
    assert_int_equal(rd(0x1C), 0xFFFFFFE1);
    passed_config_write(0x12, 2, 0xD000);
    assert_int_equal(rd(0x10), 0xD000C004);
}

static void test_capabilities(void **state)
{
    (void)state;
    unsigned seen = 0, at = rd(0x34);

    assert_int_equal(rd(PASSED_PM) & 0xFFFF00FF, 0x06030001 & ~0u);
    assert_int_equal(rd(PASSED_MSI) & 0xFFFF00FF, 0x01800005);
    assert_int_equal(rd(PASSED_MSIX) & 0xFFFF00FF, 0x00040011);
    assert_int_equal(rd(PASSED_MSIX + 4), PASSED_TABLE);
    assert_int_equal(rd(PASSED_MSIX + 8), PASSED_BITS);
    assert_int_equal(rd(PASSED_EXPRESS) & 0xFFFF00FF, 0x00920010); /* integrated */
    assert_int_equal(rd(PASSED_EXPRESS + 4), 0x00008001);          /* no FLR */
    for (; at; at = rd(at) >> 8 & 0xFF)
        seen++;
    assert_int_equal(seen, 6);
    assert_int_equal(rd(PASSED_VENDORS) & 0xFFFF00FF, 0x01100009);
    wr(PASSED_VENDORS + 4, 0);
    assert_int_equal(rd(PASSED_VENDORS + 4), 0x00000004);
    assert_int_equal(passed_hardware->word[PASSED_VENDORS / 4 + 1], 0x00000004);
    assert_int_equal(rd(PASSED_VENDORS + 8), 0x1000);
    assert_int_equal(rd(0xFC), 0);
    wr(PASSED_PM + 4, UINT32_MAX);
    assert_int_equal(rd(PASSED_PM + 4), 0xB); /* it says that it sleeps */
    wr(PASSED_EXPRESS + 8, UINT32_MAX);
    assert_int_equal(rd(PASSED_EXPRESS + 8), 0x2810);
    assert_int_equal(rd(0xF0), 0);
}

/* ---- Registers ---- */

static bool map(uint64_t at)
{
    bool mapped = vpci_map(&passed_bus, at);

    passed_check();
    return mapped;
}

static void test_registers(void **state)
{
    (void)state;
    assert_false(map(PLACE)); /* not enabled */
    wr(4, MEMORY);
    assert_true(map(PLACE + 0x123));
    assert_int_equal(passed_behind(PLACE), PASSED_BASE >> 12);
    assert_true(map(PLACE)); /* another vCPU */
    assert_true(map(PLACE + 0x1FFF));
    assert_false(map(PLACE + PASSED_TABLE));
    assert_false(map(PLACE + PASSED_BITS));
    assert_false(map(PLACE + 0x4000)); /* the small one */
    assert_false(map(PLACE + 0x4040));
    assert_int_equal(passed_mapped, 2);
    wr(0x10, 0xD0000000);
    assert_int_equal(passed_mapped, 0);
    assert_false(map(PLACE));
    assert_true(map(0xD0001000));
    wr(4, 0);
    assert_int_equal(passed_mapped, 0);
}

/* Over RAM, over the interrupt controllers, below all, beyond the processor's reach, over another.
 */
static void test_bars_elsewhere(void **state)
{
    static const uint64_t never[] = {
        0, 0x10000000, 0xFEC00000, 0xFEE00000, 0xFFFFC000, 1ul << 52
    };
    (void)state;
    wr(4, MEMORY);
    for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        wr(0x10, (uint32_t)never[i]);
        wr(0x14, (uint32_t)(never[i] >> 32));
        assert_false(map(never[i]));
    }
    wr(0x10, 0);
    wr(0x14, 1);
    assert_true(map(1ul << 32));
    passed_put((1ul << 32) + 0x1000, 5); /* the guest's own */
    assert_true(map((1ul << 32) + 0x1000));
    wr(0x14, 2);
    assert_int_equal(passed_behind((1ul << 32) + 0x1000), 5);
    assert_int_equal(passed_behind(1ul << 32), 0);
    wr(0x18, PLACE);
    wr(0x10, PLACE);
    wr(0x14, 0);
    assert_true(map(PLACE));
}

/* As a graphics card has them: 2 MiB at a time, but where the table of messages is. */
static void test_large(void **state)
{
    const uint64_t first = 0xA0000000 >> 12, there = 0xD0000000;

    (void)state;
    passed_enlarge(0xA0000000, 256ul << 20);
    assert_int_equal(passed_attach(), 0);
    wr(0x10, (uint32_t)there);
    wr(0x14, 0);
    wr(4, MEMORY);
    assert_true(map(there + 0x00612345));
    assert_int_equal(passed_mapped, 1);
    assert_int_equal(passed_behind(there + 0x00600000), first + 0x600);
    assert_int_equal(passed_behind(there + 0x007FF000), first + 0x7FF);
    assert_int_equal(passed_behind(there + 0x00800000), 0);
    assert_true(map(there + 0x0FFFFFFF));
    assert_true(map(there + 0x00001000));
    assert_false(map(there + PASSED_TABLE));
    assert_true(map(there + 0x001FF000));
    assert_int_equal(passed_mapped, 4);
    assert_int_equal(passed_behind(there + 0x001FF000), first + 0x1FF);
    assert_int_equal(passed_behind(there + 0x001FE000), 0);
    wr(0x10, 0xC0000000);
    assert_int_equal(passed_mapped, 0);
}

/* Below 4 GiB as long as there is room, which is between the first of them and the I/O APIC. */
static void test_room(void **state)
{
    static const struct {
        uint64_t base, size, at;
    } bars[] = { { 0xA0000000, 256ul << 20, 0xE0000000 },
                 { 0x80000000, 512ul << 20, PASSED_HIGH },
                 { 1ul << 40, 2ul << 30, PASSED_HIGH } };

    for (unsigned i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
        setup(state);
        passed_enlarge(bars[i].base, bars[i].size);
        assert_int_equal(passed_attach(), 0);
        assert_int_equal(rd(0x10), (uint32_t)bars[i].at | 4);
        assert_int_equal(rd(0x14), bars[i].at >> 32);
        wr(4, MEMORY);
        assert_true(map(bars[i].at + bars[i].size - 1));
        teardown(state);
    }
    passed = NULL;
}

/* What is in the way of a large piece: empty tables, which go, and something of the guest's. */
static void test_large_not_alone(void **state)
{
    const uint64_t there = 0x1000000000;

    (void)state;
    passed_enlarge(1ul << 40, 2ul << 30);
    assert_int_equal(passed_attach(), 0);
    wr(0x10, (uint32_t)there);
    wr(0x14, (uint32_t)(there >> 32));
    wr(4, MEMORY);
    passed_in_the_way = true;
    assert_true(map(there + (1ul << 30)));
    assert_int_equal(passed_mapped, 0);
    assert_int_equal(passed_came_out, 1);
    assert_true(map(there + (1ul << 30)));
    assert_int_equal(passed_mapped, 1);
    assert_int_equal(passed_behind(there + (2ul << 30) - 1), (1ul << 28) + (2ul << 18) - 1);
    assert_true(map(there + (1ul << 30) + PAGE_SIZE)); /* another vCPU, that came later */
    passed_put(there + 0x00200000, 5);
    assert_true(map(there + 0x00200000));
    assert_true(map(there + 0x00201000));
    assert_int_equal(passed_behind(there + 0x00201000), (1ul << 28) + 0x201);
    assert_true(map(there + 0x00400000));
    assert_int_equal(passed_mapped, 3);
    passed_put(1ul << 32, 5);
    wr(0x10, 0); /* smaller ones are in the way of 1 GiB without a table of messages in it, too */
    wr(0x14, 1);
    assert_true(map((1ul << 32) + (1ul << 30)));
    passed_put((3ul << 32) + (1ul << 30), 5);
    wr(0x14, 3);
    assert_true(map((3ul << 32) + (1ul << 30)));
    assert_true(map((3ul << 32) + (1ul << 30) + 0x1000));
    assert_true(map((3ul << 32) + (1ul << 30) + 0x200000));
    assert_int_equal(passed_behind((3ul << 32) + (1ul << 30)), 5);
    assert_int_equal(passed_behind((3ul << 32) + (1ul << 30) + 0x3FF000), (1ul << 28) + 0x403FF);
    assert_int_equal(passed_mapped, 2);
}

/* What a BAR has left goes a piece at a time; until then nothing is mapped anew. */
static void test_leaves_slowly(void **state)
{
    (void)state;
    wr(4, MEMORY);
    assert_true(map(PLACE));
    assert_true(map(PLACE + 0x1000));
    passed_taken = 1;
    passed_told = 0;
    wr(0x10, 0xD0000000);
    assert_int_equal(passed_mapped, 1);
    assert_int_equal(passed_told, 1);
    assert_int_equal(passed_came_out, 1);
    assert_true(map(0xD0000000));
    wr(0x10, 0xC8000000); /* on, before all is gone */
    assert_int_equal(passed_mapped, 0);
    assert_true(map(0xC8000000));
    assert_int_equal(passed_mapped, 0);
    passed_interrupt(0);
    for (unsigned i = 0; i < 2; i++)
        vpci_settle(&passed_bus);
    assert_int_equal(passed_told, 3);
    vpci_settle(&passed_bus);
    assert_int_equal(passed_told, 3);
    assert_true(map(0xC8000000));
    assert_true(map(0xC8000000)); /* there */
    assert_int_equal(passed_mapped, 1);
    assert_int_equal(passed_behind(0xC8000000), PASSED_BASE >> 12);
    wr(0x10, 0xD0000000);
    teardown(state); /* in the middle of it */
    passed = NULL;
}

static uint64_t mem(uint64_t at, unsigned size)
{
    uint64_t value;

    vpci_memory_read(&passed_bus, at, size, &value);
    return size == 8 ? value : value & ((1ul << 8 * size) - 1);
}

static void put(uint64_t at, unsigned size, uint64_t value)
{
    vpci_memory_write(&passed_bus, at, size, value);
    passed_check();
}

static void test_trapped(void **state)
{
    (void)state;
    uint64_t value, small = PLACE + 0x4000;

    wr(4, MEMORY);
    assert_false(vpci_memory_read(&passed_bus, PLACE - 8, 8, &value));
    assert_false(vpci_memory_write(&passed_bus, small + 64, 4, 0));
    put(small, 8, 0x0123456789ABCDEF);
    assert_int_equal(mem(small, 4), 0x89ABCDEF);
    assert_int_equal(mem(small + 6, 2), 0x0123);
    assert_int_equal(mem(small + 63, 1), 0);
    assert_int_equal(mem(small + 62, 4), UINT32_MAX); /* beyond its end */
    assert_int_equal(mem(small + 1, 4), UINT32_MAX);
    memset(passed_registers + PASSED_BITS, 0x5A, 8);
    assert_int_equal(mem(PLACE + PASSED_BITS, 8), 0x5A5A5A5A5A5A5A5A);
    put(PLACE + PASSED_BITS, 4, 0);
    assert_int_equal(mem(PLACE + PASSED_BITS, 4), 0x5A5A5A5A);
    put(PLACE + PASSED_TABLE + 16 * PASSED_COUNT, 4, 77); /* what shares its page */
    assert_int_equal(mem(PLACE + PASSED_TABLE + 16 * PASSED_COUNT, 4), 77);
    assert_int_equal(passed_registers[PASSED_TABLE + 16 * PASSED_COUNT], 77);
}

/* ---- Ports ---- */

static uint32_t port(uint16_t at, unsigned size)
{
    uint32_t value = passed_bus.ports.ops->read(&passed_bus.ports, at, size, 0);

    passed_check();
    return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

static void port_put(uint16_t at, unsigned size, uint32_t value)
{
    passed_bus.ports.ops->write(&passed_bus.ports, at, size, value, 0);
    passed_check();
}

static bool has_port(uint16_t at)
{
    return vpci_has_port(&passed_bus, at);
}

static void test_ports(void **state)
{
    (void)state;
    memcpy(passed_ports, "\x01\x23\x45\x67\x89", 5);
    wr(4, MEMORY);
    assert_false(has_port(0xD020));
    assert_int_equal(port(0xD020, 4), UINT32_MAX);
    wr(4, PORTS);
    assert_int_equal(passed_hardware->word[1] & 7, PORTS | MEMORY);
    assert_true(has_port(0xD020) && has_port(0xD03F));
    assert_false(has_port(0xD01F) || has_port(0xD040));
    assert_int_equal(port(0xD020, 4), 0x67452301);
    assert_int_equal(port(0xD022, 2), 0x6745);
    assert_int_equal(port(0xD024, 1), 0x89);
    assert_int_equal(port(0xD021, 2), 0xFFFF); /* not aligned */
    assert_int_equal(port(0xD01E, 4), UINT32_MAX);
    port_put(0xD03C, 4, 0x11223344);
    port_put(0xD03C, 2, 0x5566);
    port_put(0xD03F, 1, 0x77);
    port_put(0xD03D, 2, 0);
    assert_memory_equal(passed_ports + 28, "\x66\x55\x22\x77", 4);
    wr(0x1C, 0xFFE0); /* the last ones */
    assert_false(has_port(0xD020));
    port_put(0xD020, 1, 0);
    assert_int_equal(passed_ports[0], 1);
    assert_int_equal(port(0xFFE0, 1), 1);
    wr(0x1C, 0x1FFE0); /* there are none */
    assert_false(has_port(0xFFE0));
    wr(0x1C, 0xD020);
    wr(4, 0);
    assert_false(has_port(0xD020));
    assert_int_equal(passed_hardware->word[1] & 7, MEMORY);
}

/* Where the machine's firmware has not put them as it should: it is done without all of them. */
static void test_ports_misplaced(void **state)
{
    static const struct {
        uint64_t base;
        const char *why;
    } wrong[] = {
        { 0, "no ports: the machine's firmware gave its registers no place" },
        { 0xC010, "no ports: its registers are where none can be" },
        { 0x10000, "no ports: its registers are where none can be" },
        { 0x600, "no ports: its registers lie over the board's" },
        { 0x1860, "no ports: its registers lie over the board's" }, /* near its power management */
        { 0xC100, "no ports: its registers lie over those of another device" },
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        setup(state);
        acpi.pm_timer_port = 0x1808;
        struct pci_bar *other = &pci_find(0, FAKE_BDF(0, 5, 0))->bar[3];
        *other = (struct pci_bar){ .base = 0xC110, .size = 4, .io = true };
        pci_find(0, PASSED_BDF)->bar[3].base = wrong[i].base;
        passed_hardware->word[7] = (uint32_t)wrong[i].base | 1;
        assert_int_equal(passed_attach(), 0);
        assert_true(fake_log_has(wrong[i].why));
        assert_int_equal(rd(0x1C), 0);
        passed_config_write(4, 4, PORTS | MEMORY);
        assert_int_equal(passed_hardware->word[1] & 7, MEMORY);
        teardown(state);
    }
    passed = NULL;
}

/* Behind a bridge, which passes some on, and where there is no room. */
static void test_ports_behind(void **state)
{
    (void)state;
    struct pci_device *d = pci_find(0, PASSED_BDF), *bridge = pci_find(0, FAKE_BDF(0, 6, 0));

    bridge->subordinate = bridge->secondary = 1;
    d->at.bdf = FAKE_BDF(1, 4, 0);
    fake_function[2].word[7] = 0xC0C0;
    assert_null(place_objection(d, true));
    fake_function[2].word[7] = 0xB0A0;
    assert_string_equal(place_objection(d, true), "no bridge passes on what is for its registers");
    fake_function[2].word[7] = 0xD0D0;
    assert_non_null(place_objection(d, true));
}

/* ---- Interrupts ---- */

static uint64_t entry(unsigned i, unsigned word)
{
    return PLACE + PASSED_TABLE + 16 * i + 4 * word;
}

static void give(unsigned i, uint32_t address, uint32_t data)
{
    put(entry(i, 0), 8, address);
    put(entry(i, 2), 8, data); /* and not masked */
}

static void come(unsigned i)
{
    passed_interrupt(i);
    vpci_settle(&passed_bus);
    passed_check();
}

static void test_msix(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    assert_int_equal(mem(entry(1, 3), 4), 1); /* masked */
    give(1, MESSAGE | 2 << 12, 0x41);
    come(1);
    assert_int_equal(passed_delivered, 0); /* not on */
    wr(PASSED_MSIX, 0x80000000);
    come(1);
    assert_int_equal(passed_delivered, 1);
    assert_int_equal(passed_told, 1);
    assert_int_equal(passed_message.vector, 0x41);
    assert_int_equal(passed_message.dest, 2);
    assert_false(passed_message.logical);
    come(0); /* that one is masked */
    put(entry(1, 3), 4, 1);
    come(1);
    assert_int_equal(passed_delivered, 1);
    give(1, MESSAGE | 0xFF << 12 | 4, 0x142);
    assert_int_equal(mem(entry(1, 0), 8), MESSAGE | 0xFF << 12 | 4);
    come(1);
    assert_int_equal(passed_message.vector, 0x42);
    assert_true(passed_message.logical && passed_message.mode == APIC_LOWEST);
    give(1, MESSAGE | 0xFF << 12, 0x42);
    come(1);
    assert_int_equal(passed_message.dest, APIC_DEST_ALL);
    wr(PASSED_MSIX, 0xC0000000); /* all are masked */
    come(1);
    wr(PASSED_MSIX, 0);
    come(1);
    assert_int_equal(passed_delivered, 3);
    put(entry(1, 3), 1, 0); /* no such access */
    put(entry(0, 3), 2, 0);
    assert_int_equal(mem(entry(0, 3), 2), 1);
}

/* NMI, INIT, vectors of exceptions, and writes that are no interrupts at all. */
static void test_no_interrupts(void **state)
{
    static const uint32_t wrong[][2] = { { MESSAGE, 0x440 },   { MESSAGE, 0x540 },
                                         { MESSAGE, 0x740 },   { MESSAGE, 0x240 },
                                         { MESSAGE, 0x0F },    { 0x1000, 0x41 },
                                         { 0xFED00000, 0x41 }, { 0, 0 } };
    (void)state;
    unsigned before = fake_log_lines[LOG_WARN];

    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        give(0, wrong[i][0], wrong[i][1]);
        come(0);
    }
    give(0, MESSAGE, 0x41);
    put(entry(0, 1), 4, 1); /* above 4 GiB */
    come(0);
    assert_int_equal(passed_delivered, 0);
    assert_int_equal(fake_log_lines[LOG_WARN], before + 1); /* once */
}

static void test_msi(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSI + 4, MESSAGE | 1 << 12);
    wr(PASSED_MSI + 12, 0x55);
    come(ASSIGNED_MSI);
    assert_int_equal(passed_delivered, 0);
    wr(PASSED_MSI, 0x00710000); /* more messages are not to be had */
    assert_int_equal(rd(PASSED_MSI) >> 16, 0x0181);
    come(ASSIGNED_MSI);
    assert_int_equal(passed_delivered, 1);
    assert_int_equal(passed_message.vector, 0x55);
    assert_int_equal(passed_message.dest, 1);
    wr(PASSED_MSI + 16, 1);
    come(ASSIGNED_MSI);
    wr(PASSED_MSI + 16, 0);
    come(ASSIGNED_MSI);
    assert_int_equal(passed_delivered, 2);
    wr(PASSED_MSIX, 0x80000000); /* that goes first */
    come(ASSIGNED_MSI);
    wr(PASSED_MSIX, 0);
    wr(PASSED_MSI, 0);
    come(ASSIGNED_MSI);
    assert_int_equal(passed_delivered, 2);
}

/* What the IOMMU has no way for is not given away. */
static void test_no_route(void **state)
{
    (void)state;
    passed_route_error = -ERANGE;
    assert_int_equal(passed_attach(), -ERANGE);
    assert_true(fake_log_has("alpha: pci=00:04.0: its interrupts cannot be routed (error 34)"));
    assert_null(passed_bus.plugged[2]);
}

/* ---- Vectors ---- */

static const struct assigned *neighbour;

/* Of the machine's: others have as many as they may on each pCPU. */
static void use_up(unsigned leave)
{
    for (unsigned pcpu = 0; pcpu < PASSED_PCPUS; pcpu++)
        for (unsigned n = 0; n < 256; n++)
            (void)vector_take(neighbour, 0, pcpu);
    for (unsigned n = 0; n < leave; n++)
        vector_give(PASSED_PCPUS - 1, (uint8_t)(VECTOR_FIRST + n));
}

static void leave_all(void)
{
    for (unsigned pcpu = 0; pcpu < PASSED_PCPUS; pcpu++)
        for (unsigned v = VECTOR_FIRST; v <= VECTOR_LAST; v++)
            vector_give(pcpu, (uint8_t)v);
}

/* A device has all its vectors from the first: what others take later is not its own. */
static void test_vectors_are_kept(void **state)
{
    struct assigned other = { 0 };

    (void)state;
    neighbour = &other;
    use_up(0);
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    for (unsigned i = 0; i < PASSED_COUNT; i++) {
        give(i, MESSAGE, 0x40 + i);
        come(i);
        assert_int_equal(passed_delivered, i + 1);
    }
    while (!passthrough_detach(passed))
        fake_tsc += 1000000;
    passed = NULL;
    leave_all();
}

/* It is shown as many messages as there are vectors for, wherever these are. */
static void test_few_vectors(void **state)
{
    struct assigned other = { 0 };

    (void)state;
    neighbour = &other;
    use_up(4);
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("alpha: pci=00:04.0: the machine has interrupt vectors for 3 of its 5 "
                             "messages"));
    assert_int_equal(rd(PASSED_MSIX) >> 16, 2);
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    give(2, MESSAGE, 0x41);
    give(3, MESSAGE, 0x42);
    come(2);
    come(3);
    assert_int_equal(passed_delivered, 1);
    assert_int_equal(passed_goes_to(2), PASSED_PCPUS - 1);
    while (!passthrough_detach(passed))
        fake_tsc += 1000000;
    passed = NULL;
    leave_all();
}

static void test_no_vectors(void **state)
{
    struct assigned other = { 0 };

    (void)state;
    neighbour = &other;
    use_up(0);
    assert_int_equal(passed_attach(), -ENOSPC);
    assert_true(fake_log_has("alpha: pci=00:04.0: the machine has no interrupt vectors left"));
    leave_all();
}

/* While one device is told something, another one's interrupt waits for nobody. */
static void test_waits_for_no_other(void **state)
{
    struct assigned other = { .owner = passed->owner };

    (void)state;
    other.owner.id = PASSED_OWNER + 1;
    other.message[7].open = true;
    assert_int_equal(source_open(&other), 0);
    uint8_t vector = vector_take(&other, 7, 1);
    source_lock(passed);
    passed_raise(1, vector);
    source_unlock(passed);
    assert_int_equal(other.pending, 1u << 7);
    assert_int_equal(passed->pending, 0);
    vector_give(1, vector);
    passed_raise(1, vector); /* it was on its way */
    source_close(&other);
}

/* An interrupt goes where its vCPU has gone, but not at once each time. */
static void test_follows(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    give(1, MESSAGE | 2 << 12, 0x41);
    unsigned routes = passed_routes;
    come(1);
    assert_int_equal(passed_goes_to(1), 0);
    passed_unit[2].pcpu = 3;
    come(1);
    assert_int_equal(passed_goes_to(1), 3);
    assert_int_equal(passed_delivered, 2);
    vpci_settle(&passed_bus); /* what was on its way to the other one would be lost */
    assert_int_equal(passed_delivered, 3);
    come(1);
    assert_int_equal(passed_delivered, 4);
    passed_unit[2].pcpu = 1;
    come(1);
    assert_int_equal(passed_goes_to(1), 3);
    fake_tsc += 10000000;
    come(1);
    assert_int_equal(passed_goes_to(1), 1);
    assert_int_equal(passed_routes, routes + 2);
    passed_route_error = -ENODEV;
    passed_unit[2].pcpu = 0;
    fake_tsc += 10000000;
    come(1);
    passed_route_error = 0;
    assert_int_equal(passed_goes_to(1), 1);
    vpci_settle(&passed_bus);
    passed_delivered = 0;
    come(1);
    assert_int_equal(passed_delivered, 1);
}

/* What an interrupt takes from others, or from nobody, its vCPU owes. */
static void test_is_charged(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    give(1, MESSAGE | 2 << 12, 0x41);
    fake_tsc_step = 100;
    passed_interrupt(1);
    assert_true(passed_unit[2].owed >= 1600);
    passed_unit[2].owed = 0;
    passed_runs = NULL;
    passed_interrupt(1);
    assert_true(passed_unit[2].owed >= 1600);
    passed_unit[2].owed = 0;
    passed_runs = &passed_group;
    passed_interrupt(1);
    assert_int_equal(passed_unit[2].owed, 0);
    fake_tsc_step = 0;
}

/* In the time of others few come, all of the device's together. */
static void test_abroad(void **state)
{
    (void)state;
    passed_runs = &passed_other;
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    for (unsigned i = 0; i < PASSED_COUNT; i++)
        give(i, MESSAGE | 2 << 12, 0x60 + i);
    for (unsigned i = 0; i < 1000; i++)
        passed_interrupt(i % PASSED_COUNT);
    assert_int_equal(passed_told, 9);
    assert_int_equal(passed_unit[2].owed, 9 * 1500);
    passed_wait(1000000); /* it is charged for that too */
    assert_ptr_equal(passed->release.unit, &passed_unit[2]);
    for (unsigned i = 0; i < 1000; i++)
        passed_interrupt(i % PASSED_COUNT);
    assert_int_equal(passed_told, 18);
}

/* A device that is told both sends nothing by MSI. */
static void test_one_kind(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSI + 4, MESSAGE);
    wr(PASSED_MSI + 12, 0x55);
    for (unsigned i = 0; i < 3; i++) {
        wr(PASSED_MSI, 1u << 16);
        assert_int_equal(passed_hardware->word[PASSED_MSIX / 4] >> 30, 0);
        assert_true(passed_hardware->word[PASSED_MSI / 4] & 1u << 16);
        give(0, MESSAGE, 0x41);
        wr(PASSED_MSI + 16, i & 1); /* masked by its guest as well */
        wr(PASSED_MSIX, 0x80000000);
        assert_int_equal(passed_hardware->word[PASSED_MSIX / 4] >> 30, 2);
        assert_false(passed_hardware->word[PASSED_MSI / 4] & 1u << 16);
        come(0);
        wr(PASSED_MSIX, 0);
        wr(PASSED_MSI + 16, 0);
        come(ASSIGNED_MSI);
        assert_int_equal(passed_delivered, 2 * i + 2);
        wr(PASSED_MSI, 0);
        assert_false(passed_hardware->word[PASSED_MSI / 4] & 1u << 16);
    }
}

/* What it says of MSI lies over its power management, of which its guest sees one only: what is
 * written to that one means nothing for the other. The words behind it would be none of its space.
 */
static void test_capabilities_overlap(void **state)
{
    struct pci_device *d = pci_find(0, PASSED_BDF);

    (void)state;
    d->cap[PCI_CAP_PM] = 0xF8;
    d->cap[PCI_CAP_MSI] = 0xFC;
    passed_hardware->word[0xF8 / 4] = 0x01;
    passed_hardware->word[0xFC / 4] = 0x05;
    passed_hardware->word[PASSED_VENDORS / 4] = 0;
    assert_int_equal(passed_attach(), 0);
    assert_int_equal(rd(0xF8) & 0xFF, 1);
    assert_false(passed->message[ASSIGNED_MSI].routed);
    wr(0xFC, 3);
    assert_int_equal(rd(0xFC) & 3, 3);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(passed->message[ASSIGNED_MSI].word[i], i == 3);
}

/* It says that its capability is short, which leaves room for no more, and that it is long later.
 */
static void test_capability_grows(void **state)
{
    uint32_t *word = passed_hardware->word;

    (void)state;
    pci_find(0, PASSED_BDF)->cap[PCI_CAP_MSI] = 0xF0;
    passed_hardware->sticks[0xF0 / 4] = 1u << 16;
    passed_hardware->sticks[0xF4 / 4] = passed_hardware->sticks[0xF8 / 4] = UINT32_MAX;
    word[0xF0 / 4] = 0x05;
    word[PASSED_VENDORS / 4] = 0;
    assert_int_equal(passed_attach(), 0);
    assert_int_equal(rd(0xF0) & 0xFFFF00FF, 5);
    word[0xF0 / 4] |= 0x01800000;
    wr(0xF4, MESSAGE);
    wr(0xF8, 0x55);
    wr(0xF0, 0x10000);
    assert_int_equal(word[0xF4 / 4], 0xFEE00000);
    assert_true(word[0xF0 / 4] & 0x10000);
}

/* What was mapped for its first owner is not what it has now. */
static void test_table_grows(void **state)
{
    (void)state;
    assert_int_equal(passed_attach(), 0);
    while (!passthrough_detach(passed))
        fake_tsc += 1000000;
    passed = NULL;
    vpci_init(&passed_bus, 0);
    passed_hardware->word[PASSED_MSIX / 4] |= 0x01FF0000; /* 512 entries now, on two pages */
    assert_int_equal(passed_attach(), -ENODEV);
    assert_true(fake_log_has("alpha: pci=00:04.0: it has other registers than before"));
}

/* A storm costs no more than so much, and what it brought is not lost. */
static void test_storm(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    passed_runs = &passed_group;
    wr(PASSED_MSIX, 0x80000000);
    give(3, MESSAGE, 0x60);
    for (unsigned i = 0; i < 1000; i++)
        passed_interrupt(3);
    assert_int_equal(passed_told, 65);
    vpci_settle(&passed_bus);
    assert_int_equal(passed_delivered, 1);
    passed_wait(1000000);
    come(3);
    assert_int_equal(passed_delivered, 2);
    for (unsigned i = 0; i < 1000; i++)
        passed_interrupt(3);
    put(entry(3, 3), 4, 1); /* the guest masks it meanwhile */
    passed_wait(1000000);
    come(3);
    assert_int_equal(passed_told, 2 * 65 + 1 - 1);
}

/* A device that does not heed its mask is shut out, whether it is held back or its guest wants
 * none. */
static void test_disobeys(void **state)
{
    const bool open = !*state;

    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    give(3, MESSAGE, 0x60);
    if (!open)
        put(entry(3, 3), 4, 1);
    passed_ignores_mask = true;
    for (unsigned i = 0; i < 1000 && passed_is_routed(3); i++)
        passed_interrupt(3);
    assert_false(passed_is_routed(3));
    assert_false(passed_hardware->word[1] & MASTER);
    assert_true(passed_told <= (open ? 129 : 0));
    assert_true(fake_log_has("00:04.0: sends interrupts that are masked: it is stopped"));
    passed_wait(1000000);
    give(3, MESSAGE, 0x60);
    wr(4, MEMORY | MASTER);
    assert_false(passed_is_routed(3));
    assert_false(passed_hardware->word[1] & MASTER);
}

static void test_disobeys_guest(void **state)
{
    void *masked = &masked;

    (void)state;
    test_disobeys(&masked);
}

/* Nor does it help it to send fewer. */
static void test_disobeys_slowly(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    give(3, MESSAGE, 0x60);
    for (unsigned i = 0; i < 80 * 100; i++) { /* some do come while it is masked: at first */
        passed_ignores_mask = i % 80 < 12;
        passed_interrupt(3);
        passed_wait(25000);
    }
    assert_true(passed_is_routed(3));
    passed_ignores_mask = true;
    for (unsigned i = 0; i < 40 * 20; i++) {
        passed_interrupt(3);
        passed_wait(25000);
    }
    assert_false(passed_is_routed(3));
    assert_true(fake_log_has("00:04.0: sends interrupts that are masked: it is stopped"));
}

/* Many that came together are sent on a few at a time: each may be for all vCPUs. */
static void test_few_at_once(void **state)
{
    (void)state;
    passed_reaches = 4;
    wr(4, MEMORY | MASTER);
    wr(PASSED_MSIX, 0x80000000);
    for (unsigned i = 0; i < PASSED_COUNT; i++) {
        give(i, MESSAGE | 0xFF << 12, 0x60 + i);
        passed_interrupt(i);
    }
    passed_told = 0;
    vpci_settle(&passed_bus);
    assert_int_equal(passed_delivered, 3);
    assert_int_equal(passed_told, 1);
    vpci_settle(&passed_bus);
    assert_int_equal(passed_delivered, 5);
    assert_int_equal(passed_told, 1);
}

/* What is under way when the domain ends reaches nobody, and its vectors are given out again. */
static void test_vectors(void **state)
{
    (void)state;
    for (unsigned life = 0; life < 100; life++) {
        wr(4, MEMORY | MASTER);
        wr(PASSED_MSIX, 0x80000000);
        for (unsigned i = 0; i < PASSED_COUNT; i++)
            give(i, MESSAGE, 0x60 + i);
        come(PASSED_COUNT - 1);
        assert_int_equal(passed_delivered, life + 1);
        while (!passthrough_detach(passed))
            fake_tsc += 1000000;
        passed = NULL;
        vpci_init(&passed_bus, 0);
        assert_int_equal(passed_attach(), 0);
    }
}

/* All that its table has are masked, not only those that its guest is shown. */
static void test_all_masked(void **state)
{
    uint32_t *table = (uint32_t *)(void *)(passed_registers + PASSED_TABLE);

    (void)state;
    passed_hardware->word[PASSED_MSIX / 4] |= 39u << 16;
    pci_find(0, PASSED_BDF)->mapped[1].at = NULL; /* as if it had never been another's */
    assert_int_equal(passed_attach(), 0);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(table[4 * i + 3], 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define A(f) cmocka_unit_test_setup_teardown(f, setup_attached, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_refusals),
        T(test_kinds),
        T(test_misplaced),
        T(test_iommu_refuses),
        T(test_too_large),
        T(test_life),
        T(test_it_stays_away),
        A(test_header),
        A(test_command),
        A(test_bars),
        A(test_capabilities),
        A(test_registers),
        A(test_bars_elsewhere),
        A(test_trapped),
        T(test_no_route),
        A(test_one_kind),
        A(test_msix),
        A(test_no_interrupts),
        A(test_msi),
        A(test_storm),
        A(test_vectors),
        A(test_few_at_once),
        A(test_disobeys),
        A(test_disobeys_guest),
        T(test_capabilities_overlap),
        T(test_capability_grows),
        T(test_table_grows),
        T(test_all_masked),
        A(test_stopped_meanwhile),
        A(test_disobeys_slowly),

        T(test_as_firmware_left_it),
        T(test_moved),
        T(test_without_reset),
        A(test_vectors_are_kept),
        T(test_few_vectors),
        T(test_no_vectors),
        A(test_follows),
        A(test_waits_for_no_other),
        A(test_is_charged),
        A(test_abroad),
        T(test_large),
        T(test_large_not_alone),
        A(test_leaves_slowly),
        A(test_ports),
        T(test_ports_misplaced),
        T(test_ports_behind),
        T(test_room),
        T(test_sleep),
        T(test_bus_reset),
        T(test_no_bus_reset),
        T(test_taken_back_in_reset),
        T(test_away_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
