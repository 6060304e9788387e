/* links: iommu/iommu.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * iommu/iommu.c alone, over a driver with several units that only says what it was asked for: who
 * is told to forget something, and what becomes of whom if a unit does not answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/tsc.h"
#include "iommu/amd.h"
#include "iommu/iommu.h"
#include "iommu/vtd.h"
#include "tests/fakes/log.h"

#define UNITS   3
#define DEVICES 6 /* device i is behind unit i % UNITS */
#define MINE    4
#define YOURS   5

struct acpi_info acpi;
struct virt_caps virt_caps;
uint64_t tsc_hz = 1000;
static struct config_segment segment;
static struct pci_device devices[DEVICES];
static struct slat mine, yours;
static unsigned flushed[UNITS];
static bool dead[UNITS];

static unsigned unit_of(const struct pci_device *d)
{
    return (unsigned)(d - devices) % UNITS;
}

const struct pci_device *pci_next(const struct pci_device *d)
{
    d = d ? d + 1 : devices;
    return d == devices + DEVICES ? NULL : d;
}

struct pci_device *pci_find(uint16_t number, uint16_t bdf)
{
    return number || bdf >= DEVICES ? NULL : &devices[bdf];
}

struct pci_name pci_name(const struct config_place *at)
{
    return (struct pci_name){ { 'd', (char)('0' + at->bdf) } };
}

void pci_stop(struct pci_device *d)
{
    d->stopped = true;
}

int ioapic_route_line(unsigned irq, uint32_t apic_id, uint8_t vector)
{
    fail_msg("line %u to CPU %u as 0x%x: no test asks for it", irq, apic_id, vector);
    return -ENODEV;
}

bool pci_is_apart(const struct pci_device *a, const struct pci_device *b)
{
    return a != b;
}

bool pci_is_conventional(const struct pci_device *d)
{
    (void)d;
    return false;
}

void pci_send_up(void)
{
}

/* ---- The driver ---- */

static void nothing(void)
{
}

static int attach(struct iommu_use *u)
{
    u->unit = &dead[unit_of(u->device)];
    return 0;
}

static bool detach(struct iommu_use *u)
{
    return !*(bool *)u->unit;
}

static void block(struct iommu_use *u)
{
    (void)u;
}

static void silence(uint16_t bdf)
{
    (void)bdf;
}

static bool flush(const struct iommu_use *u, gfn_t start, uint64_t frames)
{
    (void)start;
    (void)frames;
    flushed[(bool *)u->unit - dead]++;
    return !*(bool *)u->unit;
}

static bool routed;

static int route(struct iommu_use *u, unsigned index, uint32_t apic_id, uint8_t vector,
                 struct msi_message *out)
{
    *out = (struct msi_message){ apic_id, index + vector };
    routed = true;
    return *(bool *)u->unit ? -ENODEV : 0;
}

static void unroute(struct iommu_use *u, unsigned index)
{
    (void)index;
    routed = false;
    if (*(bool *)u->unit)
        pci_stop(u->device);
}

static const struct iommu_driver driver = {
    .route = route,
    .unroute = unroute,
    .share = nothing,
    .attach = attach,
    .detach = detach,
    .block = block,
    .silence = silence,
    .flush = flush,
};

const struct iommu_driver *amd_start(const uint8_t *ivrs, uint32_t length)
{
    (void)ivrs;
    (void)length;
    return &driver;
}

const struct iommu_driver *vtd_start(const uint8_t *dmar, uint32_t length)
{
    (void)dmar;
    (void)length;
    return NULL;
}

static int setup(void **state)
{
    static const uint8_t ivrs[1];

    (void)state;
    memset(devices, 0, sizeof(devices));
    memset(flushed, 0, sizeof(flushed));
    memset(dead, 0, sizeof(dead));
    mine = yours = (struct slat){ 0 };
    fake_log_reset();
    acpi.ivrs = ivrs;
    for (unsigned i = 0; i < DEVICES; i++)
        devices[i].at = (struct config_place){ &segment, (uint16_t)i };
    iommu_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DEVICES; i++)
        iommu_detach(&devices[i]);
    return 0;
}

static void attach_all(void)
{
    static const bool is_mine[DEVICES] = { true, true, false, true, false, false };

    for (unsigned i = 0; i < DEVICES; i++)
        assert_int_equal(
            iommu_attach(&devices[i], is_mine[i] ? &mine : &yours, is_mine[i] ? MINE : YOURS), 0);
}

/* ---- Tests ---- */

/* Each unit with a device of the domain's hears of it once; the others have nothing to forget. */
static void test_who_is_told(void **state)
{
    (void)state;
    attach_all();
    iommu_flush(MINE, gfn(0), 1); /* 0 and 3 are behind the first, 1 behind the second */
    assert_int_equal(flushed[0], 1);
    assert_int_equal(flushed[1], 1);
    assert_int_equal(flushed[2], 0);
    iommu_flush(YOURS, gfn(0), 1);
    assert_int_equal(flushed[0], 1);
    assert_int_equal(flushed[1], 2);
    assert_int_equal(flushed[2], 1);
    iommu_flush(MINE + 2, gfn(0), 1);
    assert_int_equal(flushed[0] + flushed[1] + flushed[2], 4);
}

/* A unit that is dead stops what is behind it, of those who want something of it. */
static void test_dead_unit(void **state)
{
    (void)state;
    attach_all();
    dead[0] = true;
    iommu_flush(YOURS, gfn(0), 1);
    assert_false(yours.lost);
    iommu_flush(MINE, gfn(0), 1);
    assert_true(mine.lost);
    assert_false(yours.lost);
    for (unsigned i = 0; i < DEVICES; i++)
        assert_int_equal(devices[i].stopped, i == 0 || i == 3);
    assert_true(fake_log_has("iommu: no answer: d0 of domain 4 is stopped"));
}

static void test_dead_at_the_end(void **state)
{
    (void)state;
    attach_all();
    dead[2] = true;
    iommu_detach(&devices[1]);
    assert_false(mine.lost);
    iommu_detach(&devices[2]);
    assert_true(yours.lost);
    assert_true(fake_log_has("iommu: no answer when d2 was taken back: its domain's memory is not "
                             "used again"));
}

/* What is in the table of a unit that is only late is not another's vector by then. */
static void test_no_route_by_a_dead_unit(void **state)
{
    struct msi_message m;

    (void)state;
    attach_all();
    assert_int_equal(iommu_route(&devices[0], 1, 2, 3, &m), 0);
    assert_true(routed);
    dead[0] = true;
    assert_int_equal(iommu_route(&devices[0], 1, 4, 5, &m), -ENODEV);
    assert_false(routed);
    assert_true(devices[0].stopped);
}

/* A device that has faulted 64 times within a minute is stopped, and stays so. */
static void test_faults_add_up(void **state)
{
    (void)state;
    attach_all();
    for (unsigned i = 0; i < 300; i++) {
        fake_tsc += 2 * tsc_hz;
        assert_false(iommu_note_fault(0, 1, IOMMU_READ, i));
    }
    assert_false(devices[1].stopped);
    fake_tsc += 60 * tsc_hz;
    for (unsigned i = 0; i < 64; i++)
        assert_false(iommu_note_fault(0, 1, IOMMU_READ, i));
    assert_true(devices[1].stopped);
    fake_tsc += 100 * tsc_hz;
    assert_true(iommu_note_fault(0, 1, IOMMU_READ, 0));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_route_by_a_dead_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_add_up, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
