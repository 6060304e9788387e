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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
