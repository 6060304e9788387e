/* links: pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/group.c lib/bitmap.c lib/fmt.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Which devices an IOMMU can keep apart, on a bus with every kind of bridge.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "mm/aspace.h"
#include "pci/pci.h"
#include "tests/fakes/config_space.h"

#define ROOT 4
#define UP   5
#define DOWN 6

struct acpi_info acpi;

void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    (void)start;
    (void)size;
    (void)kind;
    return NULL;
}

/* type: of a PCI Express port, or 0: conventional. */
static void bridge(uint16_t bdf, unsigned type, uint8_t to, uint8_t last)
{
    struct fake_function *f = fake_device(bdf, 0x060400, 1);

    f->word[6] = (uint32_t)(bdf >> 8) | (uint32_t)to << 8 | (uint32_t)last << 16;
    f->word[13] = type ? 0x40 : 0;
    if (type)
        fake_capability(f, 0x40, 0x10, 0, (uint16_t)(type << 4 | 2));
}

/* The extended capabilities are not behind the ports: the walk is told. */
static void add_acs(uint16_t bdf, uint32_t can)
{
    for (unsigned i = 0; i < fake_function_count; i++) {
        if (fake_function[i].bdf == bdf) {
            fake_function[i].word[0x84 / 4] = can;
            fake_function[i].sticks[0x84 / 4] = can << 16;
        }
    }
    pci_find(0, bdf)->cap[PCI_CAP_ACS] = 0x80;
}

static int setup(void **state)
{
    (void)state;
    fake_bus_reset();
    fake_device(FAKE_BDF(0, 0, 0), 0x060000, 0);
    bridge(FAKE_BDF(0, 1, 0), ROOT, 1, 1);
    fake_device(FAKE_BDF(1, 0, 0), 0x020000, 0);
    bridge(FAKE_BDF(0, 2, 0), ROOT, 2, 2); /* without ACS */
    fake_device(FAKE_BDF(2, 0, 0), 0x020000, 0);
    bridge(FAKE_BDF(0, 3, 0), 0, 3, 3);
    fake_device(FAKE_BDF(3, 1, 0), 0x020000, 0);
    fake_device(FAKE_BDF(3, 2, 0), 0x020000, 0);
    fake_device(FAKE_BDF(0, 4, 0), 0x020000, 0x80);
    fake_device(FAKE_BDF(0, 4, 1), 0x020000, 0x80);
    bridge(FAKE_BDF(0, 5, 0), ROOT, 4, 7); /* to a switch */
    bridge(FAKE_BDF(4, 0, 0), UP, 5, 7);
    bridge(FAKE_BDF(5, 0, 0), DOWN, 6, 6);
    bridge(FAKE_BDF(5, 1, 0), DOWN, 7, 7); /* without ACS */
    fake_device(FAKE_BDF(6, 0, 0), 0x020000, 0);
    fake_device(FAKE_BDF(7, 0, 0), 0x020000, 0);
    pci_start(NULL, 0, NULL);
    add_acs(FAKE_BDF(0, 1, 0), 0x7F);
    add_acs(FAKE_BDF(0, 5, 0), 0x7F);
    add_acs(FAKE_BDF(5, 0, 0), 0x7F);
    pci_send_up();
    return 0;
}

static bool apart(uint16_t a, uint16_t b)
{
    bool yes = pci_is_apart(pci_find(0, a), pci_find(0, b));

    assert_int_equal(pci_is_apart(pci_find(0, b), pci_find(0, a)), yes);
    return yes;
}

static void test_ports(void **state)
{
    (void)state;
    assert_true(apart(FAKE_BDF(1, 0, 0), FAKE_BDF(2, 0, 0)));
    assert_true(apart(FAKE_BDF(1, 0, 0), FAKE_BDF(0, 0, 0)));
    assert_false(apart(FAKE_BDF(1, 0, 0), FAKE_BDF(0, 1, 0))); /* the port itself */
    assert_false(apart(FAKE_BDF(6, 0, 0), FAKE_BDF(7, 0, 0))); /* the second can reach the first */
    assert_true(apart(FAKE_BDF(6, 0, 0), FAKE_BDF(1, 0, 0)));
    assert_true(apart(FAKE_BDF(7, 0, 0), FAKE_BDF(1, 0, 0)));
    add_acs(FAKE_BDF(5, 1, 0), 0x1D);
    assert_false(apart(FAKE_BDF(6, 0, 0), FAKE_BDF(7, 0, 0))); /* it could, but is not told to */
    pci_send_up();
    assert_true(apart(FAKE_BDF(6, 0, 0), FAKE_BDF(7, 0, 0)));
    add_acs(FAKE_BDF(5, 1, 0), 0x0D); /* not all that is wanted */
    fake_function[13].word[0x84 / 4] = 0x0D;
    pci_send_up();
    assert_false(apart(FAKE_BDF(6, 0, 0), FAKE_BDF(7, 0, 0)));
}

static void test_functions(void **state)
{
    (void)state;
    assert_false(apart(FAKE_BDF(0, 4, 0), FAKE_BDF(0, 4, 1)));
    add_acs(FAKE_BDF(0, 4, 0), 0x0C);
    pci_send_up();
    assert_false(apart(FAKE_BDF(0, 4, 0), FAKE_BDF(0, 4, 1)));
    add_acs(FAKE_BDF(0, 4, 1), 0x0C);
    pci_send_up();
    assert_true(apart(FAKE_BDF(0, 4, 0), FAKE_BDF(0, 4, 1)));
}

static void test_conventional(void **state)
{
    (void)state;
    assert_false(apart(FAKE_BDF(3, 1, 0), FAKE_BDF(3, 2, 0)));
    assert_true(apart(FAKE_BDF(3, 1, 0), FAKE_BDF(1, 0, 0)));
    assert_true(pci_is_conventional(pci_find(0, FAKE_BDF(3, 1, 0))));
    assert_false(pci_is_conventional(pci_find(0, FAKE_BDF(0, 4, 0))));
    assert_false(pci_is_conventional(pci_find(0, FAKE_BDF(7, 0, 0))));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ports, setup),
        cmocka_unit_test_setup(test_functions, setup),
        cmocka_unit_test_setup(test_conventional, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
