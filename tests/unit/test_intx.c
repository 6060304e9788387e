/* links: passthrough/passthrough.c passthrough/space.c passthrough/registers.c passthrough/ports.c passthrough/message.c passthrough/intx.c passthrough/arrival.c passthrough/vector.c passthrough/reset.c passthrough/place.c pci/window.c devices/vpci.c pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/class.c pci/describe.c pci/reset.c pci/control.c lib/bitmap.c lib/fmt.c tests/fakes/str_copy.c tests/fakes/passed.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * A PCI device's interrupt pin: who has its line, and what becomes of what comes there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "tests/fakes/log.h"
#include "tests/fakes/passed.h"

#define MEMORY  2u
#define MASTER  4u
#define NOINTX  0x400u
#define PENDING 0x00080000u
#define OTHER   FAKE_BDF(0, 5, 0)
#define LINE    2 /* of the guest's: the device is in slot 6 */

static void detach(void)
{
    while (!passthrough_detach(passed))
        fake_tsc += 1000000;
    passed = NULL;
    vpci_init(&passed_bus, 0);
}

static int setup(void **state)
{
    (void)state;
    fake_log_reset();
    passed_reset();
    passed_give_line();
    return 0;
}

static int setup_attached(void **state)
{
    setup(state);
    return passed_attach();
}

static int teardown(void **state)
{
    (void)state;
    if (passed)
        detach();
    assert_true(passed_line_masked);
    return 0;
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

/* Its guest, on its way back into it, sees the level. */
static void settle(void)
{
    vpci_settle(&passed_bus);
    passed_check();
}

static void end(void)
{
    vpci_end(&passed_bus, LINE);
    passed_check();
}

static bool may_assert(void)
{
    return !(passed_hardware->word[1] & NOINTX);
}

/* ---- What comes ---- */

static void test_comes(void **state)
{
    (void)state;
    assert_int_equal(rd(0x3C), 0x010A);
    assert_false(passed_line_comes()); /* its guest has not switched it on */
    wr(4, MEMORY | MASTER);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(passed_line_comes());
        assert_false(passed_line_comes());
        settle();
        assert_true(passed_level[LINE]);
        assert_int_equal(passed_delivered, 0);
        end();
        assert_false(passed_level[LINE]);
    }
    end(); /* nobody has asked for that one */
    vpci_end(&passed_bus, LINE + 1);
    passed_hardware->word[1] |= PENDING;
    assert_true(rd(4) & PENDING);
    wr(4, MEMORY | MASTER | NOINTX);
    assert_true(rd(4) & NOINTX);
    assert_false(passed_line_comes());
}

/* By the specification one that sends messages asserts no pin. But it is kept from sending them,
 * where they cannot be masked, by their switch. */
static void test_beside_messages(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    assert_true(may_assert());
    wr(PASSED_MSI + 4, 0xFEE00000);
    wr(PASSED_MSI + 12, 0x55);
    wr(PASSED_MSI, 1u << 16);
    assert_false(may_assert());
    wr(PASSED_MSI, 0);
    assert_true(may_assert());
    wr(PASSED_MSIX, 1u << 31);
    assert_false(may_assert());
    wr(4, MEMORY);
    assert_false(may_assert());
    wr(PASSED_MSIX, 0);
    assert_true(may_assert());
}

/* It never lowers its pin: as often as its guest ends it, and no more than that costs others. */
static void test_storm(void **state)
{
    unsigned came = 0;

    (void)state;
    passed_runs = &passed_other;
    wr(4, MEMORY | MASTER);
    for (unsigned i = 0; i < 1000; i++) {
        came += passed_line_comes();
        settle();
        end();
    }
    assert_int_equal(came, 9);
    assert_int_equal(passed_unit[0].owed, 9 * 1500);
    passed_wait(1000000);
    assert_true(passed_line_comes());
    passed_runs = &passed_group; /* in its own time it may more */
    fake_tsc += 2000000;
    came = 0;
    for (unsigned i = 0; i < 1000 && came < 65; i++) {
        settle();
        end();
        came += passed_line_comes();
    }
    assert_int_equal(came, 65);
    assert_true(passed->held);
    passed_wait(1000000); /* the last one has not been ended */
    assert_false(passed_line_comes());
    settle();
    end();
    assert_true(passed_line_comes());
}

/* It goes where its vCPU has gone, when nothing is under way by the old way. */
static void test_follows(void **state)
{
    (void)state;
    wr(4, MEMORY | MASTER);
    passed_unit[0].pcpu = 3;
    passed_route_error = -EBUSY;
    unsigned routes = passed_routes;
    assert_true(passed_line_comes());
    settle();
    end();
    assert_int_equal(passed_routes, routes);
    passed_route_error = 0;
    fake_tsc += 10000000;
    assert_true(passed_line_comes());
    settle();
    assert_int_equal(passed_routes, routes + 1);
    settle(); /* it is not said once more */
    end();
    assert_false(passed_level[LINE]);
    settle();
    assert_false(passed_level[LINE]);
    assert_true(passed_line_comes());
    settle();
    assert_true(passed_level[LINE]);
}

/* ---- Who has it ---- */

static void is_refused(const char *why)
{
    fake_log_reset();
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has(why));
    assert_int_equal(rd(0x3C), 0);
    wr(4, MEMORY | MASTER);
    assert_false(may_assert());
    detach();
    passed_give_line();
}

/* A device that has messages is done without it. */
static void test_no_line(void **state)
{
    (void)state;
    pci_find(0, PASSED_BDF)->line = 0xFF;
    is_refused("alpha: pci=00:04.0: no INTx: the machine's firmware gave it no interrupt line");
    passed_line_error = -EBUSY;
    is_refused("alpha: pci=00:04.0: no INTx: its interrupt line is the board's");
    passed_line_error = -EINVAL;
    is_refused("alpha: pci=00:04.0: no INTx: its interrupt line is not level-triggered");
    passed_line_error = 0;
    pci_find(0, PASSED_BDF)->pin = 0;
    is_refused("alpha: pci=00:04.0: no INTx: it has no interrupt pin");
    passed_bus.intx.set = NULL; /* a pvh domain's board */
    is_refused("alpha: has PCI device 00:04.0");
    assert_false(fake_log_has("INTx"));
}

/* One that has none is not. */
static void test_nothing_but_a_line(void **state)
{
    struct pci_device *d = pci_find(0, PASSED_BDF);

    (void)state;
    d->cap[PCI_CAP_MSI] = d->cap[PCI_CAP_MSIX] = 0;
    assert_int_equal(passthrough_check("alpha", true, 0, PASSED_BDF), 0);
    assert_int_equal(passed_attach(), 0);
    passed_config_write(4, 4, MEMORY | MASTER);
    assert_true(passed_line_comes());
    detach();
    assert_int_equal(passed_attach(), -ENODEV); /* that board has no lines */
    assert_true(fake_log_has(
        "alpha: pci=00:04.0: it has no messages, and the domain's board no interrupt lines"));
    passed_line_error = -EINVAL;
    assert_int_equal(passthrough_check("alpha", true, 0, PASSED_BDF), -ENODEV);
    assert_true(fake_log_has("alpha: pci=00:04.0: its interrupt line is not level-triggered"));
}

/* Another one on that line of the machine's. */
static struct assigned other(uint16_t owner)
{
    struct assigned a = { .device = pci_find(0, OTHER), .slot = 3 };

    a.owner.id = owner;
    a.owner.bus = &passed_bus;
    a.device->pin = 1;
    a.device->line = PASSED_IRQ;
    return a;
}

static void test_shared_with_others(void **state)
{
    struct assigned a = other(PASSED_OWNER + 1);

    (void)state;
    assert_int_equal(passed_attach(), 0);
    assert_string_equal(intx_open(&a), "another domain has its interrupt line");
    assert_false(a.intx);
    intx_close(&a);
    wr(4, MEMORY | MASTER);
    assert_true(passed_line_comes());
    detach();
    passed_give_line();
    assert_null(intx_open(&a)); /* it is free again */
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_log_has("no INTx: another domain has its interrupt line"));
    intx_close(&a);
}

/* Of the same domain: both are on one line of the guest's as well. */
static void test_shared(void **state)
{
    struct assigned a = other(PASSED_OWNER);

    (void)state;
    assert_int_equal(passed_attach(), 0);
    assert_int_equal(passthrough_check("beta", true, 0, OTHER), -ENODEV);
    assert_true(fake_log_has("beta: pci=00:05.0: another domain has its interrupt line"));
    assert_int_equal(passthrough_check("alpha", true, 0, OTHER), 0);
    assert_null(intx_open(&a));
    assert_true(a.intx);
    assert_false(intx_leads(&a));
    assert_int_equal(a.line, LINE);
    assert_int_equal(VPCI_PIN_OF(a.slot, a.line), 4);
    assert_int_equal(VPCI_LINE_OF(a.slot, 4), LINE);
    intx_close(&a);
    assert_true(intx_leads(passed));
}

/* Those that nobody has: what firmware left asserted would be heard for the domain's. */
static void test_silenced(void **state)
{
    struct assigned a = other(PASSED_OWNER + 1);

    (void)state;
    fake_function[1].sticks[1] = 0xFFFF;
    assert_int_equal(passed_attach(), 0);
    assert_true(fake_function[1].word[1] & NOINTX);
    detach();
    passed_give_line();
    fake_function[1].word[1] = 0;
    fake_function[1].sticks[1] = 7;
    (void)a;
    is_refused("no INTx: a device on its interrupt line cannot be kept from it");
}

/* At its end, at whatever moment, nothing of it is heard any more. */
static void test_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        passed_give_line();
        assert_int_equal(passed_attach(), 0);
        wr(4, MEMORY | MASTER);
        if (i % 4)
            assert_true(passed_line_comes());
        if (i % 4 > 1)
            settle();
        passthrough_stop(passed);
        assert_true(passed_line_masked);
        assert_false(may_assert());
        vpci_end(&passed_bus, LINE);
        assert_true(passed_line_masked);
        passed_config_write(4, 4, MEMORY | MASTER);
        assert_false(may_assert());
        detach();
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define A(f) cmocka_unit_test_setup_teardown(f, setup_attached, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A(test_comes),
        A(test_beside_messages),
        A(test_storm),
        A(test_follows),
        T(test_no_line),
        T(test_nothing_but_a_line),
        T(test_shared_with_others),
        T(test_shared),
        T(test_silenced),
        T(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
