/* links: iommu/iommu.c iommu/amd.c iommu/amd_device.c iommu/ivrs.c pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/control.c pci/group.c lib/bitmap.c lib/fmt.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/p2m_lent.c virt/slat.c tests/fakes/amd_vi.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/virt.c */
/*
 * Devices that domains have, on a pretended IOMMU of AMD's: it walks the domains' own page tables,
 * and keeps what it has read there until it is told to forget it. The domain's p2m says what is
 * right.
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
#include "arch/x86/mtrr.h"
#include "arch/x86/tsc.h"
#include "guestmem/p2m.h"
#include "iommu/driver.h"
#include "iommu/iommu.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "pci/pci.h"
#include "svm/npt.h"
#include "tests/fakes/amd_vi.h"
#include "tests/fakes/config_space.h"
#include "tests/fakes/log.h"
#include "tests/fakes/virt.h"

#define UNIT  FAKE_BDF(0, 0, 2)
#define NIC   FAKE_BDF(0, 3, 0)
#define DISK  FAKE_BDF(0, 4, 0)
#define OTHER FAKE_BDF(0, 5, 0)
#define KEPT  FAKE_BDF(0, 6, 0) /* the firmware keeps memory for it */
#define ALIAS FAKE_BDF(0, 7, 0) /* sends under another name */
#define ALONE FAKE_BDF(0, 8, 0) /* behind no unit */
#define MINE  9
#define YOURS 0

struct acpi_info acpi;
static struct p2m mine, yours;
static struct pci_device *nic, *disk, *other;
static uint8_t ivrs[48 + 24 + 4 + 16 + 32];

uint8_t mtrr_type(maddr_t start, uint64_t size)
{
    (void)start;
    (void)size;
    return 6;
}

/* A unit, with the devices 00:00.0 to 00:05.0, 00:06.0 with memory, and an alias. */
static void make_ivrs(void)
{
    static const uint8_t rest[] = {
        3,    0x00, 0x00, 0x02, 4,    0x37, 0x00, 0x00, /* ExtINT is let through */
        66,   0x38, 0x00, 0x00, 0,    0x39, 0x00, 0x00, /* 00:07.0, as 00:07.1 */
        0,    0,    0,    0,                            /* nothing */
        0x21, 0x08, 32,   0,    0x30, 0,    0,    0,    /* IVMD: one */
    };
    uint8_t head[24] = { 0x10, 0, 24 + 20, 0, UNIT };
    uint64_t base = FAKE_VI_BASE;

    memset(ivrs, 0, sizeof(ivrs));
    memcpy(head + 8, &base, 8);
    memcpy(ivrs + 48, head, sizeof(head));
    memcpy(ivrs + 48 + sizeof(head), rest, sizeof(rest));
    acpi.ivrs = ivrs;
    acpi.ivrs_bytes = sizeof(ivrs);
}

static int setup(void **state)
{
    static const uint16_t bdfs[] = { NIC, DISK, OTHER, KEPT, ALIAS, ALONE };
    static const struct slat_format format = NPT_FORMAT;
    struct fake_function *f;

    (void)state;
    fake_vi_reset();
    fake_log_reset();
    fake_bus_reset();
    fake_virt_reset();
    virt_caps.slat = format;
    virt_caps.amd = true;
    f = fake_device(UNIT, 0x080600, 0x80);
    f->word[13] = 0x40;
    memset(f->sticks + 16, 0xFF, 16);
    fake_capability(f, 0x40, 0x05, 0, 0x0080);
    fake_device(FAKE_BDF(0, 0, 0), 0x060000, 0x80);
    for (unsigned i = 0; i < sizeof(bdfs) / sizeof(bdfs[0]); i++)
        fake_device(bdfs[i], 0x020000, 0);
    make_ivrs();
    pci_start(NULL, 0, NULL);
    iommu_start();
    iommu_share();
    assert_true(iommu_is_on());
    nic = pci_find(0, NIC);
    disk = pci_find(0, DISK);
    other = pci_find(0, OTHER);
    assert_int_equal(p2m_init(&mine, MINE), 0);
    assert_int_equal(p2m_init(&yours, YOURS), 0);
    assert_int_equal(p2m_add_ram(&mine, gfn(0), 0xA0), 0);
    assert_int_equal(p2m_add_ram(&mine, gfn(0x100), 0x700), 0);
    assert_int_equal(p2m_add_ram(&yours, gfn(0), 0x600), 0);
    return 0;
}

static int teardown(void **state)
{
    static struct pci_device **const all[] = { &nic, &disk, &other };

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        iommu_detach(*all[i]);
    while (!p2m_destroy(&mine) || !p2m_destroy(&yours))
        ;
    assert_int_equal(frame_count(MINE), 0);
    assert_int_equal(frame_count(YOURS), 0);
    return 0;
}

static uint64_t frame_at(struct p2m *p, uint64_t g)
{
    mfn_t m;

    assert_int_equal(p2m_populate(p, gfn(g), &m), 0);
    return m.v << PAGE_SHIFT;
}

static bool reaches(uint16_t bdf, uint64_t g, bool writes)
{
    uint64_t maddr;

    return fake_vi_access(bdf, g << PAGE_SHIFT, writes, &maddr);
}

static void attach(struct pci_device *d, struct p2m *p)
{
    assert_int_equal(iommu_attach(d, &p->slat, p->owner), 0);
}

/* All frames of a small guest: the device reaches where the p2m says, by no other rights. */
static void assert_same(uint16_t bdf, struct p2m *p, uint64_t end)
{
    for (uint64_t g = 0; g < end; g++) {
        struct slat_entry e;
        uint64_t maddr;
        bool there = slat_lookup(&p->slat, gfn(g), &e) == 0;

        assert_int_equal(fake_vi_access(bdf, g << PAGE_SHIFT | 0x123, false, &maddr), there);
        if (!there)
            continue;
        assert_int_equal(maddr, e.mfn.v << PAGE_SHIFT | 0x123);
        assert_int_equal(reaches(bdf, g, true), (e.rights & SLAT_W) != 0);
    }
}

/* ---- By the domain's tables ---- */

static void test_as_the_domain(void **state)
{
    mfn_t lent;

    (void)state;
    frame_at(&mine, 0);
    frame_at(&mine, 0x100); /* single frames */
    frame_at(&mine, 0x400); /* 2 MiB */
    assert_int_equal(frame_alloc(ORDER_4K, YOURS, &lent), 0);
    assert_int_equal(p2m_lend(&mine, gfn(0x900), lent, SLAT_R), 0);
    assert_int_equal(p2m_lend(&mine, gfn(0x901), lent, SLAT_R | SLAT_W | SLAT_X), 0);
    assert_false(reaches(NIC, 0, false));
    attach(nic, &mine);
    assert_same(NIC, &mine, 0xA00);
    assert_false(reaches(NIC, 1ul << 36, false));
    assert_false(reaches(NIC, 1ul << 51, false));
    assert_false(reaches(DISK, 0, false));
    iommu_detach(nic);
    assert_false(reaches(NIC, 0, false));
    assert_int_equal(p2m_remove(&mine, gfn(0x900)), 0);
    assert_int_equal(p2m_remove(&mine, gfn(0x901)), 0);
    frame_free(lent, ORDER_4K, YOURS);
}

static void test_giant(void **state)
{
    gfn_t next = gfn(0);
    int err;

    (void)state;
    assert_int_equal(p2m_add_ram(&mine, gfn(1ul << 18), 1ul << 18), 0);
    do
        err = p2m_populate_some(&mine, &next);
    while (err == -EAGAIN);
    assert_int_equal(err, 0);
    attach(nic, &mine);
    uint64_t maddr;
    assert_true(fake_vi_access(NIC, (1ul << 30) + 0x12345678, true, &maddr));
    assert_int_equal(maddr, frame_at(&mine, (1ul << 18) + 0x12345) | 0x678);
    assert_int_equal(p2m_remove(&mine, gfn((1ul << 18) + 0x12345)), 0);
    assert_false(reaches(NIC, (1ul << 18) + 0x12345, false));
    assert_true(reaches(NIC, (1ul << 18) + 0x12344, false));
}

static void test_two_domains(void **state)
{
    uint64_t maddr;

    (void)state;
    frame_at(&mine, 0);
    frame_at(&yours, 0);
    attach(nic, &mine);
    attach(disk, &yours);
    attach(other, &yours);
    assert_true(fake_vi_access(NIC, 0, true, &maddr));
    assert_int_equal(maddr, frame_at(&mine, 0));
    assert_true(fake_vi_access(DISK, 0, true, &maddr));
    assert_int_equal(maddr, frame_at(&yours, 0));
    assert_true(fake_vi_access(OTHER, 0, true, &maddr));
    assert_int_equal(maddr, frame_at(&yours, 0));
    assert_int_equal(yours.slat.devices, 2);
    iommu_detach(disk);
    assert_false(reaches(DISK, 0, false));
    assert_true(reaches(OTHER, 0, false));
    assert_true(reaches(NIC, 0, false));
    assert_int_equal(yours.slat.devices, 1);
    attach(disk, &mine); /* by other tables under the same name */
    assert_true(fake_vi_access(DISK, 0, true, &maddr));
    assert_int_equal(maddr, frame_at(&mine, 0));
}

/* ---- What is taken away ---- */

static void test_frame_goes(void **state)
{
    (void)state;
    frame_at(&mine, 0x100);
    frame_at(&mine, 0x400);
    attach(nic, &mine);
    assert_same(NIC, &mine, 0xA00); /* the unit knows all of it now */
    assert_int_equal(p2m_remove(&mine, gfn(0x100)), 0);
    assert_same(NIC, &mine, 0xA00);
    assert_int_equal(p2m_remove(&mine, gfn(0x433)), 0); /* out of 2 MiB */
    assert_same(NIC, &mine, 0xA00);
    assert_int_equal(p2m_move(&mine, gfn(0x434), gfn(0x433)), 0);
    assert_same(NIC, &mine, 0xA00);
    assert_int_equal(p2m_fill(&mine, gfn(0x434)), 0);
    assert_same(NIC, &mine, 0xA00);
    p2m_reap(&mine, 0);
}

static bool every(void *ctx, mfn_t m)
{
    (void)ctx;
    (void)m;
    return true;
}

static void test_lent_frame_goes(void **state)
{
    gfn_t next = gfn(0);
    mfn_t lent, registers;
    bool is_lent;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_4K, YOURS, &lent), 0);
    attach(nic, &mine);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(p2m_lend(&mine, gfn(0x900 + i), lent, SLAT_R | SLAT_W), 0);
    assert_same(NIC, &mine, 0xA00);
    assert_int_equal(p2m_remove(&mine, gfn(0x900)), 0);
    assert_same(NIC, &mine, 0xA00);
    assert_int_equal(p2m_lend_device(&mine, gfn(0x902), mfn(1UL << 24)), 0); /* is nobody's */
    while (!p2m_each_lent(&mine, &next, every, NULL))
        ;
    assert_int_equal(p2m_lookup(&mine, gfn(0x902), &registers, &is_lent), 0);
    assert_true(
        p2m_take_device(&mine, &(struct p2m_registers){ gfn(0x902), mfn(1UL << 24), 1, 0 }));
    assert_same(NIC, &mine, 0xA00);
    assert_false(reaches(NIC, 0x901, false));
    frame_free(lent, ORDER_4K, YOURS);
}

/* Tables that became empty go for it, which the unit may know. */
static void test_block_in_place_of_tables(void **state)
{
    (void)state;
    p2m_set_most(&mine, 0x2000, 64);
    attach(nic, &mine);
    assert_int_equal(p2m_fill(&mine, gfn(0x1000)), 0);
    assert_same(NIC, &mine, 0x1200);
    assert_int_equal(p2m_remove(&mine, gfn(0x1000)), 0);
    p2m_reap(&mine, 0);
    assert_int_equal(p2m_fill_block(&mine, gfn(0x1000), ORDER_2M), 0);
    assert_same(NIC, &mine, 0x1200);
}

/* A domain without devices waits for nobody. */
static void test_costs_nothing(void **state)
{
    (void)state;
    frame_at(&yours, 0);
    attach(nic, &mine);
    uint64_t tail = FAKE_VI_REG(0x2008);
    assert_int_equal(p2m_remove(&yours, gfn(0)), 0);
    assert_int_equal(FAKE_VI_REG(0x2008), tail);
    p2m_reap(&yours, 0);
}

/* At random, with the unit asked about some places each time. */
static void test_any_order(void **state)
{
    (void)state;
    srand(1);
    attach(nic, &mine);
    for (unsigned i = 0; i < 4000; i++) {
        gfn_t g = gfn((uint64_t)rand() % 0x800), to = gfn((uint64_t)rand() % 0x800);
        mfn_t m;
        uint64_t maddr;
        int err = 0;

        switch (rand() % 4) {
        case 0:
            err = p2m_remove(&mine, g);
            break;
        case 1:
            err = p2m_fill(&mine, g);
            break;
        case 2:
            err = p2m_move(&mine, g, to);
            break;
        case 3:
            err = p2m_populate(&mine, g, &m);
            break;
        }
        assert_true(err == 0 || err == -ENOENT || err == -EEXIST || err == -EFAULT ||
                    err == -ENOMEM);
        p2m_reap(&mine, 0);
        for (unsigned k = 0; k < 8; k++) {
            struct slat_entry e;
            bool there;

            g = k < 2 ? (k ? to : g) : gfn((uint64_t)rand() % 0x800);
            there = slat_lookup(&mine.slat, g, &e) == 0;
            assert_int_equal(fake_vi_access(NIC, g.v << PAGE_SHIFT, true, &maddr), there);
            if (there)
                assert_int_equal(maddr, e.mfn.v << PAGE_SHIFT);
        }
    }
}

/* ---- Interrupts ---- */

static bool sends(uint16_t bdf, uint32_t data, uint8_t apic_id, uint8_t vector)
{
    uint8_t id, v;

    return fake_vi_message(bdf, data, &id, &v) && id == apic_id && v == vector;
}

static void test_routes(void **state)
{
    struct msi_message m, n;

    (void)state;
    assert_int_equal(iommu_route(nic, 0, 1, 0x40, &m), -ENODEV);
    attach(nic, &mine);
    attach(disk, &yours);
    assert_false(sends(NIC, 0, 0, 0));
    assert_int_equal(iommu_route(nic, 3, 1, 0x40, &m), 0);
    assert_int_equal(iommu_route(nic, 31, 0xFE, 0xEF, &n), 0);
    assert_int_equal(m.address, 0xFEE00000);
    assert_true(sends(NIC, m.data, 1, 0x40));
    assert_true(sends(NIC, n.data, 0xFE, 0xEF));
    for (uint32_t data = 0; data < 0x10000; data++) { /* whatever else it sends */
        uint8_t id, vector;
        bool mine_too = (data & 0x7FF) == m.data || (data & 0x7FF) == n.data;
        assert_int_equal(fake_vi_message(NIC, data, &id, &vector), mine_too);
        assert_false(fake_vi_message(DISK, data, &id, &vector));
    }
    assert_int_equal(iommu_route(nic, 3, 2, 0x41, &m), 0); /* another CPU */
    assert_true(sends(NIC, m.data, 2, 0x41));
    iommu_unroute(nic, 3);
    assert_false(sends(NIC, m.data, 2, 0x41));
    iommu_detach(nic);
    assert_false(sends(NIC, n.data, 0xFE, 0xEF));
    assert_int_equal(fake_vi_entry(NIC)[2], 0x0200000000000001); /* as the firmware wants it */
}

static void test_no_such_route(void **state)
{
    struct msi_message m;

    (void)state;
    attach(nic, &mine);
    assert_int_equal(iommu_route(nic, IOMMU_ROUTES, 1, 0x40, &m), -EINVAL);
    assert_int_equal(iommu_route(nic, 0, 255, 0x40, &m), -ERANGE); /* everybody */
    assert_int_equal(iommu_route(nic, 0, 256, 0x40, &m), -ERANGE);
    iommu_unroute(nic, IOMMU_ROUTES);
    iommu_unroute(disk, 0);
}

/* ---- Who tries ---- */

static void test_faults(void **state)
{
    (void)state;
    frame_at(&mine, 0);
    attach(nic, &mine);
    fake_log_reset();
    for (unsigned i = 0; i < 63; i++) {
        assert_false(reaches(NIC, 0x5000 + i, true));
        fake_vi_handler();
    }
    assert_true(fake_log_has("iommu: 00:03.0 of domain 9 wrote to 0x5000000, which it was not "
                             "given: blocked"));
    assert_int_equal(fake_log_lines[1], 4);
    assert_true(reaches(NIC, 0, true)); /* it goes on where it may */
    assert_false(nic->stopped);
    assert_false(reaches(NIC, 0x5000, false));
    fake_vi_handler();
    assert_true(fake_log_has("iommu: 00:03.0 of domain 9 has tried 64 times: stopped"));
    assert_true(nic->stopped);
    assert_int_equal(fake_function[2].word[1] & 4, 0);
    assert_false(reaches(NIC, 0, true)); /* and if it masters all the same? */
    fake_vi_handler();
    assert_int_equal(nic->faults, 64);
    assert_int_equal(fake_log_lines[1], 5);
    iommu_detach(nic);
    attach(nic, &mine);                   /* as new */
    for (unsigned i = 0; i < 1000; i++) { /* now and then does not add up */
        fake_tsc += tsc_hz;
        assert_false(reaches(NIC, 0x5000 + i, true));
        fake_vi_handler();
    }
    assert_true(reaches(NIC, 0, true));
    assert_false(nic->stopped);
}

/* With what no entry silences it keeps the unit from telling of others, until it is taken back. */
static void test_heard_again(void **state)
{
    (void)state;
    attach(nic, &mine);
    for (unsigned i = 0; i < 5000; i++) {
        fake_vi_event(8ul << 60 | NIC, 0xFEE00000);
        fake_vi_handler();
    }
    assert_int_equal(FAKE_VI_REG(0x18) & 8, 0);
    for (unsigned i = 0; i < 300; i++) /* the ring runs over, and nobody looks */
        fake_vi_event(8ul << 60 | NIC, 0xFEE00000);
    iommu_detach(nic);
    assert_int_equal(FAKE_VI_REG(0x18) & 8, 8);
    attach(disk, &mine);
    assert_false(reaches(DISK, 0x5000, true));
    fake_vi_handler();
    assert_true(fake_log_has("iommu: 00:04.0 of domain 9 wrote to 0x5000000"));
}

/* One that is stopped gets no route any more, whoever has not heard of it yet. */
static void test_stopped_has_no_route(void **state)
{
    struct msi_message m;

    (void)state;
    attach(nic, &mine);
    assert_int_equal(iommu_route(nic, 3, 1, 0x40, &m), 0);
    for (unsigned i = 0; i < 64; i++) {
        assert_false(reaches(NIC, 0x5000 + i, true));
        fake_vi_handler();
    }
    assert_int_equal(iommu_route(nic, 3, 2, 0x41, &m), -ENODEV);
    assert_false(sends(NIC, m.data, 2, 0x41));
}

/* ---- Who is not given away ---- */

static void assert_refused(struct pci_device *d, int err, const char *why)
{
    assert_int_equal(iommu_attach(d, &mine.slat, MINE), err);
    assert_true(fake_log_has(why));
    assert_int_equal(mine.slat.devices, 0);
    fake_log_reset();
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused(pci_find(0, KEPT), -EOPNOTSUPP, "00:06.0: the firmware keeps memory for it");
    assert_refused(pci_find(0, ALIAS), -EOPNOTSUPP,
                   "00:07.0: it and another device send under one name");
    assert_refused(pci_find(0, ALONE), -ENODEV, "00:08.0 cannot be given away (error 19)");
    nic->used_as = "console";
    assert_refused(nic, -EBUSY, "00:03.0 cannot be given away (error 16)");
    nic->used_as = NULL;
    attach(nic, &yours);
    assert_refused(nic, -EBUSY, "00:03.0 cannot be given away");
    virt_caps.amd = false;
    assert_refused(disk, -EOPNOTSUPP, "00:04.0: the page tables of guests are not AMD's");
}

/* The functions of a slot may speak to each other without anybody's knowing. */
static void test_refused_for_another(void **state)
{
    struct pci_device *d;

    (void)state;
    fake_device(NIC + 1, 0x020000, 0x80);
    fake_device(NIC + 2, 0x060400, 1);
    fake_function[2].word[3] = 0x800000;
    pci_start(NULL, 0, NULL);
    nic = pci_find(0, NIC);
    disk = pci_find(0, DISK);
    other = pci_find(0, NIC + 1);
    assert_refused(pci_find(0, NIC + 2), -EOPNOTSUPP, "00:03.2 is a bridge");
    attach(nic, &yours);
    assert_refused(other, -EBUSY,
                   "iommu: 00:03.0 is in use, and the other cannot be kept apart from it");
    attach(other, &yours);
    attach(disk, &mine);
    iommu_detach(nic);
    iommu_detach(other);
    other->used_as = "screen";
    d = nic;
    assert_int_equal(iommu_attach(d, &mine.slat, MINE), -EBUSY);
    other->used_as = NULL;
    attach(nic, &mine);
}

static void test_no_memory(void **state)
{
    (void)state;
    frame_fail_nth(1);
    assert_refused(nic, -ENOMEM, "00:03.0 cannot be given away (error 12)");
    frame_fail_nth(0);
    attach(nic, &mine);
}

/* A unit that does not answer any more cannot be told to forget: its devices are stopped at the
 * source, before the frame goes. */
static void test_unit_dies(void **state)
{
    (void)state;
    mfn_t first = mfn(frame_at(&mine, 0) >> PAGE_SHIFT);
    mfn_t second = mfn(frame_at(&mine, 1) >> PAGE_SHIFT), lent, left;
    assert_int_equal(frame_alloc(ORDER_4K, YOURS, &lent), 0);
    assert_int_equal(frame_alloc(ORDER_4K, YOURS + 1, &left), 0);
    assert_int_equal(p2m_lend(&mine, gfn(0x900), lent, SLAT_R | SLAT_W), 0);
    assert_int_equal(p2m_lend(&mine, gfn(0x901), left, SLAT_R | SLAT_W), 0);
    attach(nic, &mine);
    fake_function[2].word[1] |= 4;
    fake_vi_dead = true;
    assert_int_equal(p2m_remove(&mine, gfn(0)), 0);
    assert_true(fake_log_has("iommu: no answer: 00:03.0 of domain 9 is stopped"));
    assert_int_equal(fake_function[2].word[1] & 4, 0);
    assert_true(nic->stopped);
    assert_int_equal(iommu_attach(disk, &mine.slat, MINE), -ENODEV);
    p2m_reap(&mine, 0);
    assert_int_equal(frame_owner(first), OWNER_PINNED); /* nobody gets what it may still reach */
    p2m_take_back(&mine, gfn(0x900), lent);
    p2m_take_back(&mine, gfn(0x901), left);
    assert_int_equal(frame_count(YOURS + 1), 1);
    frame_return(left, YOURS + 1); /* whose it was counts it no more, though it stays away */
    assert_int_equal(frame_owner(left), OWNER_PINNED);
    assert_int_equal(frame_count(YOURS + 1), 0);
    uint64_t tables = mine.slat.tables, caissons = frame_count(OWNER_CAISSON);
    iommu_detach(nic);
    assert_true(fake_log_has("no answer when 00:03.0 was taken back"));
    while (!p2m_destroy(&mine))
        ;
    assert_int_equal(frame_owner(second), OWNER_PINNED);
    frame_free(lent, ORDER_4K, YOURS);
    assert_int_equal(frame_owner(lent), OWNER_PINNED);
    assert_int_equal(frame_count(MINE), 0);
    assert_int_equal(frame_count(OWNER_CAISSON), caissons + tables + 1); /* and of interrupts */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_the_domain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_giant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_domains, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frame_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lent_frame_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block_in_place_of_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_such_route, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_for_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heard_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_has_no_route, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unit_dies, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
