/* links: devices/vpci.c tests/fakes/panic.c */
/*
 * The PCI configuration ports, register by register, in every width.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vpci.h"

static struct vpci pci;

static int setup(void **state)
{
    (void)state;
    vpci_init(&pci, 0);
    return 0;
}

static uint32_t rd(uint32_t offset, unsigned size)
{
    uint32_t all = size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;

    return pci.dev.ops->read(&pci.dev, offset, size, 0) & all; /* as the bus does */
}

static void wr(uint32_t offset, unsigned size, uint32_t value)
{
    pci.dev.ops->write(&pci.dev, offset, size, value, 0);
}

static uint32_t config(uint32_t address)
{
    wr(VPCI_ADDRESS, 4, address);
    return rd(VPCI_DATA, 4);
}

static void test_address(void **state)
{
    (void)state;
    assert_int_equal(rd(VPCI_ADDRESS, 4), 0);
    wr(VPCI_ADDRESS, 4, 0xFFFFFFFF);
    assert_int_equal(rd(VPCI_ADDRESS, 4), 0x80FFFFFC);
    wr(VPCI_ADDRESS, 4, 0x80000000);
    assert_int_equal(rd(VPCI_ADDRESS, 4), 0x80000000);
}

/* How systems find out that this is mechanism 1: a byte to 0xCFB must change nothing. */
static void test_address_takes_no_bytes(void **state)
{
    (void)state;
    wr(VPCI_ADDRESS, 4, 0x80000000);
    for (uint32_t offset = 0; offset < 4; offset++) {
        wr(offset, 1, 1);
        assert_int_equal(rd(offset, 1), 0xFF);
    }
    wr(VPCI_ADDRESS, 2, 0x1234);
    assert_int_equal(rd(VPCI_ADDRESS, 2), 0xFFFF);
    assert_int_equal(rd(VPCI_ADDRESS, 4), 0x80000000);
}

static void test_host_bridge(void **state)
{
    (void)state;
    assert_int_equal(config(0x80000000), 0x12378086);
    assert_int_equal(config(0x80000008) >> 8, 0x060000); /* class */
    assert_int_equal(rd(VPCI_DATA + 3, 1), 0x06);
    assert_int_equal(rd(VPCI_DATA + 2, 2), 0x0600);
    assert_int_equal(config(0x8000000C), 0); /* header type 0, one function */
    for (uint32_t reg = 0x10; reg < 0x100; reg += 4)
        assert_int_equal(config(0x80000000 | reg), 0); /* no windows, no capabilities */
}

static void test_writes_change_nothing(void **state)
{
    (void)state;
    for (uint32_t reg = 0; reg < 0x100; reg += 4) {
        uint32_t before = config(0x80000000 | reg);

        wr(VPCI_DATA, 4, ~before);
        assert_int_equal(rd(VPCI_DATA, 4), before);
    }
}

static void test_nobody_else(void **state)
{
    (void)state;
    for (uint32_t function = 1; function < 1 << 16; function++)
        assert_int_equal(config(0x80000000 | function << 8), UINT32_MAX);
    assert_int_equal(config(0), UINT32_MAX); /* not enabled: no configuration cycle */
    assert_int_equal(rd(VPCI_DATA, 1), 0xFF);
}

/* Accesses that reach over the end, and a reset. */
static void test_edges(void **state)
{
    (void)state;
    wr(VPCI_ADDRESS, 4, 0x80000000);
    assert_int_equal(rd(VPCI_DATA + 1, 4), UINT32_MAX);
    assert_int_equal(rd(VPCI_DATA + 3, 2), 0xFFFF);
    assert_int_equal(rd(3, 4), UINT32_MAX);
    pci.dev.ops->reset(&pci.dev, 0);
    assert_int_equal(rd(VPCI_ADDRESS, 4), 0);
}

/* What a guest's own firmware finds there. */
static void test_piix4(void **state)
{
    (void)state;
    vpci_init(&pci, 0x600);
    assert_int_equal(config(0x80000000), 0x12378086);
    assert_int_equal(config(0x80000800), 0x71108086);
    assert_int_equal(config(0x80000808) >> 8, 0x060100); /* an ISA bridge */
    assert_int_equal(config(0x8000080C) >> 16, 0x0080);  /* one function of several */
    assert_int_equal(config(0x80000840), 0);
    assert_int_equal(config(0x80000B00), 0x71138086);
    assert_int_equal(config(0x80000B40), 0x601); /* its ports */
    assert_int_equal(config(0x80000B80), 1);     /* enabled */
    assert_int_equal(config(0x80000B58), 1 << 25);
    assert_int_equal(config(0x80000B44), 0);
    assert_int_equal(config(0x00000B40), UINT32_MAX);
    wr(VPCI_ADDRESS, 4, 0x80000B40);
    wr(VPCI_DATA, 4, 0xB001);
    assert_int_equal(rd(VPCI_DATA, 2), 0x601);
    for (uint32_t function = 1; function < 1 << 16; function++)
        if (function != 8 && function != 11)
            assert_int_equal(config(0x80000000 | function << 8), UINT32_MAX);
}

/* ---- By memory ---- */

static uint32_t ecam(uint32_t offset, unsigned size)
{
    uint32_t all = size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;

    return pci.ecam.ops->read(&pci.ecam, offset, size, 0) & all;
}

static unsigned written_reg;
static uint32_t written, written_mask;

static uint32_t own_read(struct vpci_function *f, unsigned reg)
{
    (void)f;
    return 0x03020100 + reg * 0x01010101;
}

static void own_write(struct vpci_function *f, unsigned reg, uint32_t value, uint32_t mask)
{
    (void)f;
    written_reg = reg;
    written = value;
    written_mask = mask;
}

/* The same registers, at another place; mechanism 1 keeps its address. */
static void test_ecam(void **state)
{
    static const struct vpci_function_ops ops = { .read = own_read, .write = own_write };
    static struct vpci_function own = { .ops = &ops };

    (void)state;
    vpci_plug(&pci, 1, &own); /* device 5 */
    assert_int_equal(ecam(0, 4), 0x12378086);
    assert_int_equal(ecam(2, 2), 0x1237);
    assert_int_equal(ecam(0x28040, 4), 0x43424140);
    assert_int_equal(ecam(0x28042, 2), 0x4342);
    assert_int_equal(ecam(0x280FF, 1), 0xFF);
    assert_int_equal(ecam(0x28100, 4), 0); /* no capability */
    assert_int_equal(ecam(0x28FFC, 4), 0);
    assert_int_equal(ecam(0x100, 4), 0);
    assert_int_equal(ecam(0x29000, 4), UINT32_MAX); /* no second function */
    assert_int_equal(ecam(0x29100, 4), UINT32_MAX);
    assert_int_equal(ecam(0xFF000, 4), UINT32_MAX);
    pci.ecam.ops->write(&pci.ecam, 0x28106, 2, 0x1234, 0);
    pci.ecam.ops->write(&pci.ecam, 0x28043, 4, 0x1234, 0); /* crosses a doubleword: nobody's */
    assert_int_equal(written_mask, 0);
    pci.ecam.ops->write(&pci.ecam, 0x28046, 2, 0x99991234, 0);
    assert_int_equal(written_reg, 0x44);
    assert_int_equal(written, 0x12340000);
    assert_int_equal(written_mask, 0xFFFF0000);
    assert_int_equal(rd(VPCI_ADDRESS, 4), 0);
}

/* ---- Interrupt lines ---- */

static bool level[VPCI_LINES];
static struct vpci_function plugged[2];
static unsigned ended[2];

static void set_level(void *ctx, unsigned n, bool up)
{
    assert_ptr_equal(ctx, &pci);
    level[n] = up;
}

/* Still asserted: it is raised again at once. */
static void was_ended(struct vpci_function *f)
{
    unsigned i = (unsigned)(f - plugged);

    if (!ended[i]++ && i)
        vpci_raise(&pci, 1, 5);
}

/* Two on a line: it is high as long as one asserts it, and both learn of its end. */
static void test_lines(void **state)
{
    static const struct vpci_function_ops ops = { .ended = was_ended };

    (void)state;
    pci.intx = (struct line){ .set = set_level, .ctx = &pci };
    for (unsigned i = 0; i < 2; i++) {
        plugged[i].ops = &ops;
        vpci_plug(&pci, 1 + 4 * i, &plugged[i]);
    }
    vpci_raise(&pci, 1, 1);
    vpci_raise(&pci, 1, 5);
    assert_true(level[1]);
    vpci_end(&pci, 0);
    assert_int_equal(ended[0] + ended[1], 0);
    vpci_end(&pci, 1);
    assert_int_equal(ended[0], 1);
    assert_int_equal(ended[1], 1);
    assert_true(level[1]);
    vpci_end(&pci, 1);
    assert_int_equal(ended[0], 1);
    assert_int_equal(ended[1], 2);
    assert_false(level[1]);
}

/* As firmware knows a PIIX4 board. */
static void test_where_pins_lead(void **state)
{
    static const unsigned irqs[] = { 11, 10, 10, 11 };

    (void)state;
    for (unsigned slot = 0; slot < VPCI_SLOTS; slot++) {
        for (unsigned pin = 1; pin <= 4; pin++) {
            unsigned line = VPCI_LINE_OF(slot, pin);
            assert_int_equal(line, (slot + pin - 1) % 4);
            assert_int_equal(VPCI_PIN_OF(slot, line), pin);
            assert_int_equal(VPCI_ISA_IRQ(line), irqs[line]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_address, setup),
        cmocka_unit_test_setup(test_address_takes_no_bytes, setup),
        cmocka_unit_test_setup(test_host_bridge, setup),
        cmocka_unit_test_setup(test_writes_change_nothing, setup),
        cmocka_unit_test_setup(test_nobody_else, setup),
        cmocka_unit_test_setup(test_edges, setup),
        cmocka_unit_test_setup(test_piix4, setup),
        cmocka_unit_test_setup(test_ecam, setup),
        cmocka_unit_test_setup(test_lines, setup),
        cmocka_unit_test_setup(test_where_pins_lead, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
