/* links: iommu/iommu.c iommu/dmar.c iommu/vtd.c iommu/vtd_unit.c iommu/vtd_table.c iommu/vtd_device.c iommu/vtd_fault.c iommu/vtd_interrupt.c pci/walk.c pci/bar.c pci/capability.c pci/config.c pci/control.c pci/group.c lib/bitmap.c lib/fmt.c tests/fakes/config_space.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c virt/slat.c */
/*
 * Intel's IOMMU, on a pretended one: it reads tables and commands from memory as the real one does,
 * keeps what it has read until it is told to forget it, also what was not present, and complains of
 * what the specification forbids. The test lets devices try to get through it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "arch/x86/tsc.h"
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "iommu/amd.h"
#include "iommu/iommu.h"
#include "iommu/vtd.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "pci/pci.h"
#include "svm/npt.h"
#include "tests/fakes/config_space.h"
#include "tests/fakes/log.h"
#include "virt/virt.h"
#include "vmx/ept.h"

#define BASE       0xFED90000
#define BRIDGE     FAKE_BDF(0, 2, 0)
#define NIC        FAKE_BDF(0, 3, 0)
#define USB        FAKE_BDF(0, 0x1D, 0)
#define BEHIND     FAKE_BDF(1, 0, 0)
#define IOAPIC     FAKE_BDF(0xFF, 0, 0)
#define ADDRESS    0xFFFFFFFFFF000ul
#define RECORDS    4
#define KEPT       64
#define BLOCKED    UINT64_MAX
#define MESSAGES   0xFEE00000u
#define REMAPPABLE 0x10u

struct acpi_info acpi;
uint64_t tsc_hz = 1000000000;
struct virt_caps virt_caps;

/* ---- The pretended unit ---- */

static struct model {
    uint32_t words[0x1000 / 4];
    uint64_t root, interrupts, fault_status;
    unsigned root_changes, open_moments, interrupted, flushes, record;
    bool dead, flushed;
    struct vtd_entry context[0x10000], irte[VTD_ROUTES];
    bool knows_context[0x10000], knows_irte[VTD_ROUTES];
    struct translation {
        uint64_t domain, page, pages, out; /* in 4 KiB, of a mapping; domain 0: none */
    } kept[KEPT];
    unsigned next_kept, picks;
} model;

#define REG(offset)   model.words[(offset) / 4]
#define REG64(offset) (REG(offset) | (uint64_t)REG((offset) + 4) << 32)
#define STATUS        REG(0x1C)
#define FAULT_REGS    0x220

static void put64(unsigned offset, uint64_t value)
{
    REG(offset) = (uint32_t)value;
    REG(offset + 4) = (uint32_t)(value >> 32);
}

/* What a unit that does not look into caches sees: lines as they were when they were flushed. */
#define LINES 0x8000
static struct {
    const uint8_t *at;
    uint8_t bytes[64];
} lines[LINES];

static unsigned line_of(const uint8_t *at)
{
    unsigned n = (unsigned)((uintptr_t)at / 64 % LINES);

    while (lines[n].at && lines[n].at != at)
        n = (n + 1) % LINES;
    return n;
}

static void flushed(const void *p)
{
    const uint8_t *at = (const uint8_t *)((uintptr_t)p & ~63ul);
    unsigned n = line_of(at);

    lines[n].at = at;
    memcpy(lines[n].bytes, at, 64);
}

static const void *memory(uint64_t at)
{
    return (const void *)(uintptr_t)at;
}

/* Of a table. */
static uint64_t read_word(uint64_t at)
{
    const uint8_t *line = memory(at & ~63ul);
    uint64_t word;

    if (REG(0x10) & 1)
        return *(const uint64_t *)memory(at);
    assert_ptr_equal(lines[line_of(line)].at, line);
    memcpy(&word, lines[line_of(line)].bytes + at % 64, 8);
    return word;
}

static struct vtd_entry read_entry(uint64_t table, unsigned n)
{
    return (struct vtd_entry){ read_word(table + 16ul * n), read_word(table + 16ul * n + 8) };
}

static void forget_contexts(void)
{
    memset(model.knows_context, 0, sizeof(model.knows_context));
}

/* Domain 0: of all. A large mapping is kept as one, and stays if less than all of it is named. */
static void forget_pages(uint64_t domain, uint64_t first, uint64_t last)
{
    for (struct translation *t = model.kept; t < model.kept + KEPT; t++) {
        if ((!domain || t->domain == domain) && t->page >= first && t->page + t->pages - 1 <= last)
            t->domain = 0;
    }
}

static void forget_some_pages(const uint64_t *c)
{
    uint64_t domain = c[0] >> 16 & 0xFFFF, order = c[1] & 0x3F, kind = c[0] >> 4 & 3;
    uint64_t first = c[1] >> 12, last = first + (1ul << order) - 1;

    assert_int_equal(c[0] >> 6 & 3, 3); /* what is under way is waited for */
    assert_true((kind == 1) == !domain);
    model.picks += kind == 3;
    if (kind == 3)
        assert_true(REG64(0x08) >> 39 & 1 && order <= (REG64(0x08) >> 48 & 63) &&
                    !(first & (last - first)));
    forget_pages(domain, kind == 3 ? first : 0, kind == 3 ? last : UINT64_MAX);
}

static void carry_out(const uint64_t *c)
{
    switch (c[0] & 0xF) {
    case 1:
        assert_int_equal(c[0] >> 4 & 3, 1);
        forget_contexts();
        break;
    case 2:
        forget_some_pages(c);
        break;
    case 4:
        memset(model.knows_irte, 0, sizeof(model.knows_irte));
        break;
    case 5:
        assert_int_equal(c[0] & 0xFFFFFFFF, 0x25);
        *(uint32_t *)memory(c[1]) = (uint32_t)(c[0] >> 32);
        break;
    default:
        fail_msg("command %lx", c[0]);
    }
}

static void run_queue(void)
{
    const uint64_t *ring = memory(REG64(0x90) & ADDRESS);

    assert_int_equal(REG64(0x90) & 0xFFF, 0);
    if (REG64(0x08) & 0x10)
        assert_true(model.flushed);
    model.flushed = false;
    for (; REG(0x80) != REG(0x88); REG(0x80) = (REG(0x80) + 16) % 4096)
        carry_out(ring + REG(0x80) / 8);
}

/* One bit at a time, and it takes effect at once. */
static void command(uint32_t value, uint32_t before)
{
    uint32_t states = 0x96800000, changed = (value ^ before) & states, once = value & ~states;

    assert_true(!(changed & (changed - 1)) && !(once & (once - 1)) && (!changed || !once));
    if (once == 1u << 30) {
        model.root = REG64(0x20);
        model.root_changes++;
        STATUS |= 1u << 30;
    }
    if (once == 1u << 24) {
        model.interrupts = REG64(0xB8);
        STATUS |= 1u << 24;
    }
    if (once == 1u << 27) {
        model.flushed = true;
        model.flushes++;
    }
    if (changed == 1u << 26 && value & changed)
        assert_int_equal(REG(0x88), 0);
    if (changed == 1u << 26 && !(value & changed))
        assert_int_equal(REG(0x88), REG(0x80));
    if (changed == 1u << 31)
        model.open_moments += !(value & changed);
    if (changed == 1u << 26)
        REG(0x80) = 0;
    STATUS = (STATUS & ~states) | (value & states);
}

static void update_faults(void)
{
    bool pending = false;

    for (unsigned i = 0; i < RECORDS; i++)
        pending |= REG(FAULT_REGS + 16 * i + 12) >> 31;
    model.fault_status = (model.fault_status & ~2ul) | (pending ? 2 : 0);
    REG(0x34) = (uint32_t)model.fault_status;
}

static void written(volatile void *at, uint32_t value)
{
    size_t offset = (size_t)((volatile uint8_t *)at - (uint8_t *)model.words);

    if (offset >= sizeof(model.words) || model.dead)
        return;
    if (offset == 0x18)
        command(value, STATUS);
    if (offset == 0x88 && STATUS & 1u << 26)
        run_queue();
    if (offset == 0x34)
        model.fault_status &= ~(uint64_t)value | 2;
    if (offset >= FAULT_REGS && offset < FAULT_REGS + RECORDS * 16 && offset % 16 == 12)
        REG(offset) = 0;
    update_faults();
}

static void record_fault(uint16_t bdf, uint64_t address, uint32_t top)
{
    unsigned reg = FAULT_REGS + 16 * model.record;

    if (model.fault_status & 1)
        return;
    if (REG(reg + 12) >> 31) {
        model.fault_status |= 1;
    } else {
        put64(reg, address & ~0xFFFul);
        REG(reg + 8) = bdf;
        REG(reg + 12) = top | 1u << 31;
        model.record = (model.record + 1) % RECORDS;
        model.interrupted += !(model.fault_status & 2) && !(REG(0x38) >> 31);
    }
    update_faults();
}

static const struct vtd_entry *context_of(uint16_t bdf)
{
    uint64_t root = read_entry(model.root & ADDRESS, bdf >> 8).low;

    assert_true(root & 1);
    if (!model.knows_context[bdf])
        model.context[bdf] = read_entry(root & ADDRESS, bdf & 0xFF);
    model.knows_context[bdf] = true;
    return &model.context[bdf];
}

/* *pages: of the mapping. */
static uint64_t walk(const struct vtd_entry *e, uint64_t address, uint64_t *pages)
{
    unsigned levels = (e->high & 7) + 2;
    uint64_t at = e->low & ADDRESS;

    assert_true(e->high & 0xFFFF00); /* in caching mode domain 0 is not ours */
    assert_true(REG64(0x08) >> (6 + levels) & 1);
    if (address >> (12 + 9 * levels))
        return BLOCKED;
    for (unsigned l = levels; l-- > 0;) {
        uint64_t entry = read_word(at + 8 * (address >> (12 + 9 * l) & 511));
        uint64_t within = (1ul << (12 + 9 * l)) - 1;

        if ((entry & 3) != 3)
            return BLOCKED;
        assert_true(!(entry >> 11 & 1) || (REG64(0x10) >> 7 & 1 && (!l || entry & 0x80)));
        assert_true(!l || !(entry & 0x80) || (l < 3 && REG64(0x08) >> (33 + l) & 1));
        *pages = (within + 1) >> 12;
        if (!l || entry & 0x80)
            return (entry & ADDRESS & ~within) | (address & within);
        at = entry & ADDRESS;
    }
    return BLOCKED;
}

/* The same, and it is kept. */
static uint64_t translate(const struct vtd_entry *e, uint64_t address)
{
    uint64_t domain = e->high >> 8 & 0xFFFF, page = address >> 12, pages, out;

    for (struct translation *t = model.kept; t < model.kept + KEPT; t++) {
        if (t->domain == domain && page - t->page < t->pages)
            return t->out + address - (t->page << 12);
    }
    out = walk(e, address, &pages);
    if (out != BLOCKED)
        model.kept[model.next_kept++ % KEPT] =
            (struct translation){ domain, page & ~(pages - 1), pages, out & ~((pages << 12) - 1) };
    return out;
}

/* A device reads or writes: where it comes out. */
static uint64_t dma(uint16_t bdf, uint64_t address, bool writes)
{
    const struct vtd_entry *e;
    uint64_t out = BLOCKED;

    if (!(STATUS >> 31))
        return address;
    e = context_of(bdf);
    if (e->low & 1)
        out = translate(e, address);
    if (out == BLOCKED && !(e->low & 2))
        record_fault(bdf, address, (writes ? 0 : 1u << 30) | (e->low & 1 ? 5 : 2));
    return out;
}

static const struct vtd_entry *irte_of(unsigned n)
{
    if (!model.knows_irte[n])
        model.irte[n] = read_entry(model.interrupts & ADDRESS, n);
    model.knows_irte[n] = true;
    return &model.irte[n];
}

/* A device sends a message: CPU and vector, or blocked. */
static uint64_t send_message(uint16_t bdf, uint32_t address, uint16_t data)
{
    unsigned n = (address >> 5 & 0x7FFF) + (address & 8 ? data : 0);
    const struct vtd_entry *e;

    if (!(STATUS >> 25 & 1))
        return (uint64_t)(address >> 12 & 0xFF) << 8 | (data & 0xFF);
    if (!(address & REMAPPABLE)) {
        record_fault(bdf, 0, 0x25);
        return BLOCKED;
    }
    assert_int_equal(model.interrupts & 0xF, 10);
    e = n < VTD_ROUTES ? irte_of(n) : NULL;
    if (!e || !(e->low & 1) || (e->high >> 18 & 3 && (uint16_t)e->high != bdf)) {
        record_fault(bdf, (uint64_t)n << 48, 0x22);
        return BLOCKED;
    }
    return (e->low >> (model.interrupts & 0x800 ? 32 : 40)) << 8 | (e->low >> 16 & 0xFF);
}

/* ---- What the driver calls ---- */

static irq_fn handler;
static ioapic_remap_fn remap;
static bool x2apic;
static uint32_t cpu;

void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    assert_int_equal(size, 0x1000);
    assert_int_equal(kind, ASPACE_UC);
    return start.v == BASE ? model.words : NULL;
}

int irq_alloc_vector(irq_fn fn)
{
    handler = fn;
    return 0x31;
}

uint32_t lapic_id(void)
{
    return cpu;
}

bool lapic_reaches(uint32_t id)
{
    return x2apic || id < 255;
}

/* AMD's; see test_iommu.c. */
const struct iommu_driver *amd_start(const uint8_t *ivrs, uint32_t length)
{
    fail_msg("%u bytes at %p are not Intel's", length, (const void *)ivrs);
    return NULL;
}

void ioapic_remap(ioapic_remap_fn fn)
{
    remap = fn;
}

/* Each line is at the pin of its number. */
int ioapic_route_line(unsigned irq, uint32_t apic_id, uint8_t vector)
{
    return remap((uint8_t)irq, vector, apic_id, true);
}

/* ---- The firmware's table ---- */

static uint8_t dmar[4096];
static uint32_t dmar_bytes;

static void put(const void *bytes, uint32_t count)
{
    memcpy(dmar + dmar_bytes, bytes, count);
    dmar_bytes += count;
}

static void put_number(uint64_t value, unsigned bytes)
{
    put(&value, bytes);
}

/* A unit whose list of devices has so many bytes, which follow. */
static void put_unit(uint64_t base, uint8_t flags, uint16_t list)
{
    put_number(0, 2);
    put_number(16u + list, 2);
    put_number(flags, 4); /* and segment 0 */
    put_number(base, 8);
}

static void put_region(uint64_t start, uint64_t last, uint16_t list)
{
    put_number(1, 2);
    put_number(24u + list, 2);
    put_number(0, 4);
    put_number(start, 8);
    put_number(last, 8);
}

static const uint8_t ioapic_scope[] = { 3, 8, 0, 0, 2, 0xFF, 0, 0 };
static const uint8_t usb_scope[] = { 1, 8, 0, 0, 0, 0, 0x1D, 0 };
static const uint8_t nic_scope[] = { 1, 8, 0, 0, 0, 0, 3, 0 };
static const uint8_t bridge_scope[] = { 2, 8, 0, 0, 0, 0, 2, 0 };
static const uint8_t behind_scope[] = { 1, 10, 0, 0, 0, 0, 2, 0, 0, 0 };

static void start(void)
{
    acpi.dmar.there = true;
    acpi.dmar.bytes = dmar;
    acpi.dmar.length = dmar_bytes;
    pci_start(NULL, 0, NULL);
    iommu_start();
}

static int setup(void **state)
{
    struct fake_function *f;

    (void)state;
    memset(&acpi, 0, sizeof(acpi));
    acpi.ioapic_id = 2;
    acpi.dmar.remaps_interrupts = true;
    memset(&model, 0, sizeof(model));
    put64(0x08, 6 | 0x200 | 47ul << 16 | FAULT_REGS / 16ul << 24 | 1ul << 34 |
                    (RECORDS - 1ul) << 40); /* 65536 domains, 3 levels, 2M */
    put64(0x10, 0xF | 0x50ul << 8);
    REG(0x00) = 0x10;
    REG(0x38) = 1u << 31;
    fake_mmio_written = written;
    fake_clflush = NULL;
    memset(lines, 0, sizeof(lines));
    fake_log_reset();
    fake_bus_reset();
    virt_caps = (struct virt_caps){ .slat = EPT_FORMAT, .slat_2m = true };
    x2apic = false;
    cpu = 5;
    remap = NULL;
    handler = NULL;
    fake_device(FAKE_BDF(0, 0, 0), 0x060000, 0x80);
    f = fake_device(BRIDGE, 0x060400, 1);
    f->word[6] = 0x00010100;
    f = fake_device(NIC, 0x020000, 0);
    f->word[13] = 0x40;
    fake_capability(f, 0x40, 0x11, 0x60, 64); /* MSI-X: 65 */
    fake_capability(f, 0x60, 0x10, 0, 2);
    f->word[0x68 / 4] = 0x00002810;
    memset(f->sticks + 0x68 / 4, 0xFF, 4);
    fake_device(USB, 0x0C0300, 0);
    fake_device(BEHIND, 0x010802, 0);
    memset(dmar, 0, sizeof(dmar));
    dmar_bytes = 48;
    return 0;
}

static int setup_sound(void **state)
{
    setup(state);
    put_unit(BASE, 1, sizeof(ioapic_scope));
    put(ioapic_scope, sizeof(ioapic_scope));
    start();
    return 0;
}

/* ---- What devices may ---- */

static void test_nothing_gets_through(void **state)
{
    (void)state;
    assert_true(
        fake_log_has("iommu: VT-d: 1 of 1 units answer: devices behind them reach nothing"));
    assert_true(fake_log_has(
        "iommu: VT-d 1.0 at 0xfed90000: 48-bit addresses, tables of 3 levels, 2M, 65536 domains"));
    assert_int_equal(fake_log_lines[0] + fake_log_lines[1], 0);
    assert_int_equal(STATUS & 0x96800000, 0x86000000); /* no old interrupts */
    for (uint32_t bdf = 0; bdf < 0x10000; bdf++) {
        assert_true(dma((uint16_t)bdf, 0x1000, false) == BLOCKED);
        assert_true(dma((uint16_t)bdf, 0x7FFFFFF000, true) == BLOCKED);
        assert_true(send_message((uint16_t)bdf, MESSAGES, 0x40) == BLOCKED);
        assert_true(send_message((uint16_t)bdf, MESSAGES | REMAPPABLE, 0) == BLOCKED);
    }
    assert_true(send_message(IOAPIC, MESSAGES | REMAPPABLE | 0xFFFE0, 0) == BLOCKED);
}

/* A line of ours reaches our CPU, and nobody else can send it. */
static void test_ioapic(void **state)
{
    (void)state;
    assert_non_null(remap);
    assert_true(send_message(IOAPIC, MESSAGES | REMAPPABLE | 4 << 5, 0) == BLOCKED);
    assert_int_equal(remap(4, 0x42, 7, false), 0);
    assert_int_equal(send_message(IOAPIC, MESSAGES | REMAPPABLE | 4 << 5, 0), 0x742);
    assert_true(send_message(NIC, MESSAGES | REMAPPABLE | 4 << 5, 0) == BLOCKED);
    assert_true(send_message(IOAPIC, MESSAGES | REMAPPABLE | 5 << 5, 0) == BLOCKED);
    assert_int_equal(remap(9, 0x43, 0, true), 0);
    assert_int_equal(irte_of(9)->low & 0xFFFF, 0x11); /* level, as the line is */
}

/* A line of a domain's device, which goes from CPU to CPU. */
static void test_line(void **state)
{
    (void)state;
    assert_int_equal(iommu_route_line(10, 7, 0x42), 0);
    assert_int_equal(send_message(IOAPIC, MESSAGES | REMAPPABLE | 10 << 5, 0), 0x742);
    assert_int_equal(iommu_route_line(10, 5, 0x43), 0);
    assert_int_equal(send_message(IOAPIC, MESSAGES | REMAPPABLE | 10 << 5, 0), 0x543);
    assert_true(send_message(NIC, MESSAGES | REMAPPABLE | 10 << 5, 0) == BLOCKED);
    assert_int_equal(iommu_route_line(10, 255, 0x44), -ERANGE); /* without x2APIC: everybody */
    model.dead = true;
    assert_int_equal(iommu_route_line(10, 6, 0x45), -ENODEV);
}

static void test_x2apic(void **state)
{
    setup(state);
    put64(0x10, REG64(0x10) | 0x10);
    x2apic = true;
    cpu = 0x12345;
    put_unit(BASE, 1, 0); /* and nobody says how the I/O APIC is called */
    start();
    assert_int_equal(remap(1, 0x42, cpu, false), 0);
    assert_int_equal(send_message(IOAPIC, MESSAGES | REMAPPABLE | 1 << 5, 0), 0x1234542);
    assert_int_equal(REG(0x40), 0xFEE45000);
    assert_int_equal(REG(0x44), 0x12300);
}

/* ---- Who tries ---- */

static void test_interrupt_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(REG(0x3C), 0x31);
    assert_int_equal(REG(0x40), 0xFEE05000);
    assert_int_equal(REG(0x44), 0);
    assert_int_equal(REG(0x38), 0);
    dma(NIC, 0x1000, false);
    dma(NIC, 0x1000, false);
    assert_int_equal(model.interrupted, 1);
    handler();
    dma(USB, 0x1000, false);
    assert_int_equal(model.interrupted, 2);
}

static void test_fault(void **state)
{
    const struct pci_device *d = pci_find(0, NIC);

    (void)state;
    dma(NIC, 0x12345678, true);
    handler();
    assert_true(fake_log_has("iommu: 00:03.0 wrote to 0x12345000, which it was not given: blocked, "
                             "and stopped"));
    assert_int_equal(fake_function[2].word[1] & 7, 3); /* no bus master any more */
    assert_int_equal(d->faults, 1);
    for (unsigned i = 0; i < 600; i++)
        assert_true(dma(NIC, 0x1000, false) == BLOCKED); /* it does not stop: that is no fault */
    handler();
    assert_int_equal(d->faults, 1);
    dma(BEHIND, 0x2000, false);
    handler();
    assert_true(fake_log_has("iommu: 01:00.0 read from 0x2000, which"));
}

static void test_forged_interrupt(void **state)
{
    (void)state;
    send_message(NIC, MESSAGES, 0x40);
    handler();
    assert_true(fake_log_has(
        "iommu: 00:03.0 sent interrupt 0x0, which it was not given: blocked, and stopped"));
    assert_int_equal(fake_function[2].word[1] & 7, 3);
}

/* What comes when all registers are full is forgotten; then it goes on. */
static void test_more_than_it_remembers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * RECORDS; i++)
        send_message(NIC, MESSAGES, 0x40);
    assert_int_equal(REG(0x34) & 1, 1);
    handler();
    assert_int_equal(pci_find(0, NIC)->faults, RECORDS);
    assert_int_equal(REG(0x34), 0);
    dma(USB, 0x1000, false);
    handler();
    assert_int_equal(pci_find(0, USB)->faults, 1);
}

/* Somebody whom nobody has found, on a bus without devices. */
static void test_fault_of_nobody(void **state)
{
    (void)state;
    dma(FAKE_BDF(9, 9, 0), 0x1000, false);
    handler();
    dma(FAKE_BDF(9, 9, 0), 0x1000, false);
    assert_int_equal(REG(0x34), 0);
    assert_true(dma(FAKE_BDF(8, 9, 0), 0x1000, false) == BLOCKED);
    assert_int_equal(fake_log_lines[1], 0);
}

static void write_and_fault(volatile void *at, uint32_t value)
{
    written(at, value);
    if (at == &REG(0x34))
        send_message(NIC, MESSAGES, 0x40);
}

static void write_and_fault_once(volatile void *at, uint32_t value)
{
    written(at, value);
    if (at != &REG(0x34))
        return;
    fake_mmio_written = written;
    dma(USB, 0x1000, false);
}

/* One comes while it is about it: there is no further interrupt for that. */
static void test_fault_meanwhile(void **state)
{
    (void)state;
    fake_mmio_written = write_and_fault_once;
    dma(NIC, 0x1000, false);
    handler();
    assert_int_equal(pci_find(0, USB)->faults, 1);
    assert_int_equal(REG(0x34), 0);
    assert_int_equal(REG(0x38), 0);
}

static void test_faults_without_end(void **state)
{
    (void)state;
    fake_mmio_written = write_and_fault;
    send_message(NIC, MESSAGES, 0x40);
    handler();
    assert_true(fake_log_has("iommu: VT-d at 0xfed90000: too many faults: blocked, and no longer"));
    assert_int_equal(REG(0x38), 1u << 31);
}

static void test_trouble_with_the_queue(void **state)
{
    (void)state;
    model.fault_status |= 0x10;
    update_faults();
    handler();
    assert_true(fake_log_has("iommu: VT-d at 0xfed90000: status 0x10"));
    assert_int_equal(REG(0x34), 0);
}

/* ---- What the firmware has ---- */

static void test_region(void **state)
{
    uint64_t start_at = 0x3FDFF000, last = 0x400FFFFF; /* one page, and 2 MiB would be too much */

    (void)state;
    put_region(start_at, last, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    put_region(0x7D000000, 0x7D3FFFFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    put_unit(BASE, 1, 0);
    start();
    for (uint64_t at = start_at; at < last; at += 0x1000)
        assert_int_equal(dma(USB, at + 0x123, true), at + 0x123);
    assert_int_equal(dma(USB, 0x7D345678, false), 0x7D345678);
    assert_true(dma(USB, start_at - 1, true) == BLOCKED);
    assert_true(dma(USB, last + 1, true) == BLOCKED);
    assert_true(dma(NIC, start_at, true) == BLOCKED);
    assert_true(fake_log_has(
        "iommu: 00:1d.0 works for the firmware: it reaches 0x3fdff000 to 0x400fffff (RMRR)"));
    handler();
    assert_true(fake_log_has("00:1d.0 wrote to 0x3fdfe000, which it was not given: blocked"));
    assert_int_equal(dma(USB, start_at, false), start_at);
}

static void test_region_of_others(void **state)
{
    uint64_t ours, edge = 1ul << 39;

    (void)state;
    ours = heap_to_maddr(heap_pages(0, OWNER_CAISSON)).v;
    put64(0x08, REG64(0x08) | 0x400); /* 4 levels, which reach as far as the host's addresses */
    put_region(ours, ours + 0xFFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    put_region(0x1000, 0x800, 0);
    put_region(edge, edge + 0x1FFFFFFFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    put_unit(BASE, 1, 0);
    start();
    assert_true(fake_log_has("(RMRR): it is not the firmware's alone"));
    assert_true(fake_log_has("RMRR from 0x1000 to 0x800: not whole pages, ignored"));
    assert_true(fake_log_has("(RMRR): that is too much"));
    assert_true(dma(USB, ours, false) == BLOCKED);
}

static void test_region_too_high(void **state)
{
    (void)state;
    put_region(1ul << 39, (1ul << 39) + 0xFFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    put_unit(BASE, 1, 0);
    start();
    assert_true(fake_log_has("(RMRR): the IOMMU cannot lead there"));
}

/* A unit with its devices, one with the others: what is behind a bridge belongs to it. */
static void test_devices_of_units(void **state)
{
    (void)state;
    fake_device(FAKE_BDF(0, 4, 0), 0x060400, 1)->word[6] = 0x00020200;
    fake_device(FAKE_BDF(2, 0, 0), 0x020000, 0);
    put_unit(BASE, 1, 0);
    put_unit(BASE + 0x1000, 0, sizeof(nic_scope));
    put(nic_scope, sizeof(nic_scope));
    put_unit(BASE + 0x2000, 0, sizeof(bridge_scope));
    put(bridge_scope, sizeof(bridge_scope));
    start();
    assert_int_equal(vtd_unit_of(pci_find(0, USB))->info.base.v, BASE);
    assert_int_equal(vtd_unit_of(pci_find(0, NIC))->info.base.v, BASE + 0x1000);
    assert_int_equal(vtd_unit_of(pci_find(0, BRIDGE))->info.base.v, BASE + 0x2000);
    assert_int_equal(vtd_unit_of(pci_find(0, BEHIND))->info.base.v, BASE + 0x2000);
    assert_int_equal(vtd_unit_of(pci_find(0, FAKE_BDF(2, 0, 0)))->info.base.v, BASE);
    assert_true(fake_log_has("iommu: VT-d: 1 of 3 units answer"));
    setup(state);
    put_unit(BASE, 0, sizeof(behind_scope));
    put(behind_scope, sizeof(behind_scope));
    start();
    assert_non_null(vtd_unit_of(pci_find(0, BEHIND)));
    assert_null(vtd_unit_of(pci_find(0, BRIDGE)));
}

/* It was on already: at no moment is it off, and its queue had run empty. */
static void test_left_on(void **state)
{
    (void)state;
    STATUS = 0x87800000 | 1u << 30;
    REG(0x80) = REG(0x88) = 0x40;
    REG(0x64) = 0x80000001;
    model.root = 0x1000;
    put_unit(BASE, 1, 0);
    start();
    assert_int_equal(model.open_moments, 0);
    assert_int_equal(model.root_changes, 1);
    assert_int_equal(STATUS & 0x96800000, 0x86000000);
    assert_int_equal(REG(0x64), 0);
    assert_true(dma(NIC, 0x1000, false) == BLOCKED);
}

/* With tables of another kind, which cannot be changed while they are in use. */
static void test_left_on_in_another_mode(void **state)
{
    (void)state;
    STATUS = 0x80000000;
    put64(0x20, 0x1400);
    put_unit(BASE, 1, 0);
    start();
    assert_int_equal(model.open_moments, 1);
    assert_true(dma(NIC, 0x1000, false) == BLOCKED);
}

/* ---- Devices that domains have ---- */

#define DOMAIN 5
#define PAGES  0x200 /* the guest's: 2 MiB here, and 4 KiB behind */

static struct slat tables;

/* A guest whose memory is at GUEST + its own address, in a large page and a small one. */
#define GUEST 0x40000000ul
static void make_guest(void)
{
    assert_int_equal(slat_init(&tables, DOMAIN), 0);
    assert_int_equal(slat_map(&tables, gfn(0), mfn(GUEST >> 12), ORDER_2M, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(
        slat_map(&tables, gfn(PAGES), mfn((GUEST >> 12) + PAGES), 0, SLAT_RWX, SLAT_WB), 0);
}

/* The machine is there, and a domain. */
static void begin(void)
{
    put_unit(BASE, 1, sizeof(ioapic_scope));
    put(ioapic_scope, sizeof(ioapic_scope));
    start();
    iommu_share();
    make_guest();
}

static void end(void)
{
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d))
        iommu_detach(pci_find(0, d->at.bdf));
    assert_int_equal(tables.devices, 0);
}

static void go_through(void)
{
    begin();
    assert_true(iommu_is_on());
    assert_true(dma(NIC, 0x123456, true) == BLOCKED); /* which is kept */
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    assert_int_equal(dma(NIC, 0x123456, true), GUEST + 0x123456);
    assert_int_equal(dma(NIC, 0x200789, true), GUEST + 0x200789);
    assert_true(dma(NIC, 0x201000, false) == BLOCKED);
    assert_true(dma(USB, 0x1000, false) == BLOCKED);
    handler();
    assert_true(fake_log_has("iommu: 00:03.0 of domain 5 read from 0x201000, which it was not"));
    assert_true(fake_log_has("iommu: 00:1d.0 read from 0x1000, which it was not given: blocked, "));
    assert_int_equal(dma(NIC, 0x123456, true), GUEST + 0x123456);
    iommu_detach(pci_find(0, NIC));
    assert_true(dma(NIC, 0x123456, true) == BLOCKED);
    end();
}

/* The processors' two kinds of tables, by units with 3 and with 4 levels. */
static void test_attach(void **state)
{
    static const struct slat_format formats[] = { EPT_FORMAT, NPT_FORMAT };

    for (unsigned i = 0; i < 4; i++) {
        setup(state);
        virt_caps.slat = formats[i / 2];
        put64(0x08, REG64(0x08) | (i & 1 ? 0x400 : 0));
        go_through();
    }
}

/* A unit that does not look into caches: what is written to the tables gets to memory. */
static void test_out_of_caches(void **state)
{
    uint64_t region = 0x7D000000;

    (void)state;
    put64(0x10, REG64(0x10) & ~1ul);
    fake_clflush = flushed;
    put_region(region, region + 0xFFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    begin();
    assert_int_equal(dma(USB, region, true), region);
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    assert_int_equal(dma(NIC, 0x123456, true), GUEST + 0x123456);
    assert_int_equal(slat_unmap(&tables, gfn(5)), 0); /* which cuts the large page */
    iommu_flush(DOMAIN, gfn(5), 1);
    assert_true(dma(NIC, 0x5000, true) == BLOCKED);
    assert_int_equal(dma(NIC, 0x6000, true), GUEST + 0x6000);
    assert_int_equal(slat_map(&tables, gfn(5), mfn(77), 0, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(dma(NIC, 0x5000, true), 77 << 12);
    assert_int_equal(slat_punch(&tables, gfn(6)), 0);
    iommu_flush(DOMAIN, gfn(6), 1);
    assert_true(dma(NIC, 0x6000, true) == BLOCKED);
    iommu_detach(pci_find(0, NIC));
    assert_true(dma(NIC, 0x5000, true) == BLOCKED);
    end();
}

/* A page that is taken away is reached until it is told, and no longer; others stay kept. */
static void flush_one(uint64_t cap)
{
    begin();
    put64(0x08, REG64(0x08) | cap);
    iommu_start(); /* it has looked at what it can do before */
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    assert_int_equal(dma(NIC, 0x200000, true), GUEST + 0x200000);
    assert_int_equal(dma(NIC, 0x1000, true), GUEST + 0x1000);
    assert_int_equal(slat_unmap(&tables, gfn(PAGES)), 0);
    assert_int_equal(slat_unmap(&tables, gfn(1)), 0);
    assert_int_equal(dma(NIC, 0x200000, true), GUEST + 0x200000);
    iommu_flush(DOMAIN + 1, gfn(PAGES), 1); /* another's */
    assert_int_equal(dma(NIC, 0x200000, true), GUEST + 0x200000);
    iommu_flush(DOMAIN, gfn(PAGES), 1);
    assert_true(dma(NIC, 0x200000, true) == BLOCKED);
    assert_int_equal(dma(NIC, 0x1000, true) == BLOCKED, !cap);
    iommu_flush(DOMAIN, gfn(1), 1); /* which it keeps as a part of 2 MiB */
    assert_true(dma(NIC, 0x1000, true) == BLOCKED);
    iommu_flush(DOMAIN, gfn(3), 2);
    iommu_flush(DOMAIN, gfn(0), UINT64_MAX);
    iommu_flush(DOMAIN, gfn(1), UINT64_MAX);
    end();
}

static void test_flush(void **state)
{
    (void)state;
    flush_one(0);
    assert_int_equal(model.picks, 0);
}

static void test_flush_by_pages(void **state)
{
    (void)state;
    flush_one(1ul << 39 | 9ul << 48);
    assert_int_equal(model.picks, 3);
}

/* Which was cut before, when the unit had it already. */
static void flush_giant(uint64_t orders, unsigned picks)
{
    setup(NULL);
    virt_caps.slat_1g = true;
    put64(0x08, REG64(0x08) | 1ul << 35 | 1ul << 39 | orders << 48);
    begin();
    assert_int_equal(slat_map(&tables, gfn(1ul << 18), mfn(1ul << 19), ORDER_1G, SLAT_RWX, SLAT_WB),
                     0);
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    assert_int_equal(dma(NIC, 0x52345678, true), 0x92345678);
    assert_int_equal(slat_unmap(&tables, gfn(0x40000)), 0);
    assert_int_equal(slat_unmap(&tables, gfn(0x52345)), 0);
    iommu_flush(DOMAIN, gfn(0x52345), 1);
    assert_true(dma(NIC, 0x52345678, true) == BLOCKED);
    assert_int_equal(dma(NIC, 0x52346678, true), 0x92346678);
    assert_int_equal(model.picks, picks);
    end();
}

static void test_flush_giant(void **state)
{
    (void)state;
    flush_giant(18, 1);
    flush_giant(9, 0); /* it cannot be told so much at a time */
}

static void test_routes(void **state)
{
    struct pci_device *d;
    struct msi_message msg = { 0 }, other = { 0 };

    (void)state;
    begin();
    d = pci_find(0, NIC);
    assert_int_equal(iommu_route(d, 0, 7, 0x55, &msg), -ENODEV);
    assert_int_equal(iommu_attach(d, &tables, DOMAIN), 0);
    assert_int_equal(iommu_attach(pci_find(0, USB), &tables, DOMAIN), 0);
    assert_int_equal(iommu_route(d, 31, 7, 0x55, &msg), 0);
    assert_int_equal(iommu_route(d, 32, 7, 0x55, &other), -EINVAL);
    assert_int_equal(iommu_route(d, 0, 255, 0x55, &other), -ERANGE);
    assert_int_equal(send_message(NIC, (uint32_t)msg.address, (uint16_t)msg.data), 0x755);
    assert_true(send_message(USB, (uint32_t)msg.address, (uint16_t)msg.data) == BLOCKED);
    assert_true(send_message(NIC, (uint32_t)msg.address, 30) == BLOCKED);
    assert_int_equal(iommu_route(d, 31, 6, 0x56, &msg), 0);
    assert_int_equal(send_message(NIC, (uint32_t)msg.address, (uint16_t)msg.data), 0x656);
    assert_int_equal(iommu_route(pci_find(0, USB), 31, 1, 0x57, &other), 0);
    assert_int_equal(send_message(USB, (uint32_t)other.address, 31), 0x157);
    assert_int_equal(iommu_route(pci_find(0, USB), 32, 1, 0x57, &other), -EINVAL);
    iommu_unroute(d, 31);
    assert_true(send_message(NIC, (uint32_t)msg.address, (uint16_t)msg.data) == BLOCKED);
    assert_int_equal(iommu_route(d, 1, 6, 0x56, &msg), 0);
    iommu_detach(d);
    assert_true(send_message(NIC, (uint32_t)msg.address, 1) == BLOCKED);
    end();
}

/* Whatever number of interrupts each could send, until the unit has no more. */
static void test_routes_used_up(void **state)
{
    enum { MOST = (VTD_ROUTES - 256) / IOMMU_ROUTES };

    (void)state;
    for (unsigned i = 0; i <= MOST; i++) {
        struct fake_function *f =
            fake_device((uint16_t)FAKE_BDF(0, 8 + i / 8, i % 8), 0x020000, 0x80);

        f->word[13] = 0x40;
        fake_capability(f, 0x40, 0x11, 0, 0x7FF);
    }
    begin();
    for (unsigned i = 0; i <= MOST; i++)
        assert_int_equal(iommu_attach(pci_find(0, FAKE_BDF(0, 8 + i / 8, i % 8)), &tables, DOMAIN),
                         i < MOST ? 0 : -ENOSPC);
    assert_true(fake_log_has("iommu: 00:0f.0: its unit has interrupts for 56 devices only"));
    iommu_detach(pci_find(0, FAKE_BDF(0, 10, 0)));
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    end();
}

/* What a unit lacks, and how that is told: bits to clear or to set in its two registers. */
static void test_refused(void **state)
{
    static const struct {
        uint64_t cap_less, cap_more, ecap_less;
        const char *why;
    } rows[] = {
        { 0, 0, 8, "its interrupts cannot be told from others'" },
        { 0, 0x80, 0, "the IOMMU, another hypervisor's, wants to hear of each new page" },
        { 0x200, 0, 0, "the IOMMU does not know the pages that guests have" },
        { 1ul << 34, 0, 0, "the IOMMU does not know the pages that guests have" },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setup(state);
        put64(0x08, (REG64(0x08) & ~rows[i].cap_less) | rows[i].cap_more);
        put64(0x10, REG64(0x10) & ~rows[i].ecap_less);
        begin();
        assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), -EOPNOTSUPP);
        assert_true(fake_log_has(rows[i].why));
        assert_true(dma(NIC, 0x1000, true) == BLOCKED);
        end();
    }
}

/* Interrupts of ours that any device could send: by the table of this unit, no other's. */
static void test_refused_beside_ioapic(void **state)
{
    (void)state;
    put_unit(BASE, 1, 0);
    start();
    iommu_share();
    make_guest();
    assert_true(fake_log_has("iommu: DMAR does not say how the I/O APIC is called"));
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), -EOPNOTSUPP);
    assert_true(fake_log_has("iommu: 00:03.0: it could send interrupts of Caisson's"));
    end();
}

static void test_refused_devices(void **state)
{
    setup(state);
    virt_caps.slat_1g = true;
    put_region(0x7D000000, 0x7D000FFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    begin();
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), -EOPNOTSUPP);
    virt_caps.slat_1g = false;
    assert_int_equal(iommu_attach(pci_find(0, USB), &tables, DOMAIN), -EOPNOTSUPP);
    assert_true(fake_log_has("iommu: 00:1d.0: the firmware goes on using it (RMRR)"));
    assert_int_equal(dma(USB, 0x7D000000, true), 0x7D000000);
    assert_int_equal(iommu_attach(pci_find(0, BEHIND), &tables, DOMAIN), -EOPNOTSUPP);
    assert_true(fake_log_has("iommu: 01:00.0 sends in the name of a bridge to conventional PCI"));
    assert_int_equal(slat_map(&tables, gfn(1ul << 27), mfn(9), 0, SLAT_RWX, SLAT_WB), 0);
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), -EOPNOTSUPP);
    assert_true(fake_log_has("iommu: 00:03.0: the domain has more memory than the IOMMU reaches"));
    end();
}

static void test_few_domains(void **state)
{
    setup(state);
    put64(0x08, REG64(0x08) & ~7ul); /* 16, and half of them are for the firmware's */
    for (unsigned i = 0; i < 8; i++)
        fake_device((uint16_t)FAKE_BDF(0, 8 + i, 0), 0x020000, 0);
    begin();
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(
            iommu_attach(pci_find(0, FAKE_BDF(0, 8 + i, 0)), &tables, (uint16_t)(DOMAIN + i)),
            i < 7 ? 0 : -EOPNOTSUPP);
    assert_true(fake_log_has("iommu: 00:0f.0: the IOMMU knows too few domains"));
    end();
}

/* It tries and tries; until it is stopped, blocked, and no more is heard of it. */
static void test_storm_of_a_domains(void **state)
{
    (void)state;
    begin();
    fake_log_reset();
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    for (unsigned i = 0; i < 200; i++) {
        dma(NIC, 0x300000, true);
        handler();
    }
    assert_int_equal(pci_find(0, NIC)->faults, 64);
    assert_int_equal(fake_log_lines[1], 5);
    assert_true(pci_find(0, NIC)->stopped);
    assert_true(dma(NIC, 0x1000, true) == BLOCKED);
    iommu_detach(pci_find(0, NIC));
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0); /* as new */
    assert_int_equal(dma(NIC, 0x1000, true), GUEST + 0x1000);
    end();
}

static void write_and_fault_again(volatile void *at, uint32_t value)
{
    written(at, value);
    if (at == &REG(0x34))
        dma(NIC, 0x300000, true);
}

/* As fast as it is told of, as where the unit remembers only one: until it is stopped, and the unit
 * goes on telling of others. */
static void test_faults_of_a_domains_without_end(void **state)
{
    (void)state;
    begin();
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    fake_mmio_written = write_and_fault_again;
    dma(NIC, 0x300000, true);
    handler();
    assert_int_equal(pci_find(0, NIC)->faults, 64);
    assert_true(pci_find(0, NIC)->stopped);
    assert_int_equal(REG(0x38), 0);
    fake_mmio_written = written;
    dma(USB, 0x1000, false);
    handler();
    assert_int_equal(pci_find(0, USB)->faults, 1);
    end();
}

/* One that does not stop at all keeps the unit from telling of others as long as its domain has it.
 */
static void test_heard_again(void **state)
{
    (void)state;
    begin();
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    fake_mmio_written = write_and_fault;
    send_message(NIC, MESSAGES, 0x40);
    handler();
    assert_int_equal(REG(0x38), 1u << 31);
    fake_mmio_written = written;
    iommu_detach(pci_find(0, NIC));
    assert_int_equal(REG(0x38), 0);
    handler(); /* as the unit asks for at once */
    dma(USB, 0x1000, false);
    handler();
    assert_int_equal(pci_find(0, USB)->faults, 1);
    end();
}

/* Who cannot have a unit look into caches is kept from asking it not to. */
static void test_snooping(void **state)
{
    (void)state;
    begin();
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    assert_int_equal(fake_function[2].word[0x68 / 4], 0x2010);
    end();
    setup(state);
    put64(0x10, REG64(0x10) | 0x80);
    begin();
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    assert_int_equal(fake_function[2].word[0x68 / 4], 0x2810);
    assert_int_equal(dma(NIC, 0x1000, true), GUEST + 0x1000);
    assert_int_equal(((const uint64_t *)memory(tables.root[0] & ADDRESS))[0] >> 11 & 1, 0);
    assert_true(virt_caps.slat.x & virt_caps.slat.no_x & 1ul << 11);
    end();
}

static void test_unit_that_dies(void **state)
{
    (void)state;
    begin();
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), 0);
    model.dead = true;
    iommu_flush(DOMAIN, gfn(1), 1);
    assert_true(fake_log_has("iommu: no answer: 00:03.0 of domain 5 is stopped"));
    iommu_detach(pci_find(0, NIC));
    assert_true(fake_log_has("iommu: no answer when 00:03.0 was taken back"));
    assert_int_equal(iommu_attach(pci_find(0, NIC), &tables, DOMAIN), -ENODEV);
    end();
}

/* ---- What goes wrong ---- */

static void test_write_buffer_and_caches(void **state)
{
    (void)state;
    put64(0x08, REG64(0x08) | 0x10);
    put64(0x10, REG64(0x10) & ~1ul);
    fake_clflush = flushed;
    put_unit(BASE, 1, 0);
    start();
    assert_true(model.flushes >= 2);
    assert_true(fake_log_has("1 of 1 units"));
    for (uint32_t bdf = 0; bdf < 0x10000; bdf += 5) {
        assert_true(dma((uint16_t)bdf, 0x1000, false) == BLOCKED);
        assert_true(send_message((uint16_t)bdf, MESSAGES | REMAPPABLE, 0) == BLOCKED);
    }
}

static void test_without_interrupts(void **state)
{
    (void)state;
    acpi.dmar.remaps_interrupts = false;
    put_unit(BASE, 1, 0);
    start();
    assert_true(fake_log_has("iommu: VT-d at 0xfed90000: devices can send any interrupt"));
    assert_null(remap);
    assert_true(dma(NIC, 0x1000, false) == BLOCKED);
    assert_int_equal(send_message(NIC, MESSAGES | 5 << 12, 0x40), 0x540);
}

static void test_units_that_fail(void **state)
{
    (void)state;
    put_unit(BASE, 1, 0);
    put_unit(BASE, 1, 0);
    put_unit(BASE + 0x1000, 0, 0);
    model.dead = true;
    start();
    assert_true(fake_log_has("the unit at 0xfed90000 comes twice"));
    assert_true(fake_log_has("iommu: VT-d at 0xfed90000: it does not do as it is told"));
    assert_true(fake_log_has("iommu: VT-d at 0xfed91000: it does not answer"));
    assert_true(fake_log_has("0 of 2 units answer"));
    handler(); /* looks at none of them */
    put64(0x10, REG64(0x10) & ~2ul);
    iommu_start();
    assert_true(fake_log_has("it takes no commands from memory"));
    memset(model.words, 0xFF, sizeof(model.words));
    fake_log_reset();
    iommu_start();
    assert_true(fake_log_has("iommu: VT-d at 0xfed90000: it does not answer"));
}

static void test_too_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 33; i++)
        put_unit(BASE + 0x1000ul * i, 0, 0);
    for (unsigned i = 0; i < 33; i++)
        put_region(0x1000, 0x1FFF, 0);
    start();
    assert_true(fake_log_has("iommu: more than 32 units, the others stay off"));
    assert_true(fake_log_has("more than 32 regions (RMRR), the others are out of reach"));
    assert_true(fake_log_has("1 of 32 units answer"));
}

static void test_no_memory(void **state)
{
    (void)state;
    put_unit(BASE, 1, 0);
    put_region(0x1000, 0x1FFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    pci_start(NULL, 0, NULL);
    acpi.dmar.there = true;
    acpi.dmar.bytes = dmar;
    acpi.dmar.length = dmar_bytes;
    for (unsigned n = 1; n <= 9; n++) {
        STATUS = REG(0x80) = REG(0x88) = 0;
        frame_fail_nth(n);
        fake_log_reset();
        iommu_start();
        assert_true(fake_log_has(n <= 4   ? "no memory for its tables"
                                 : n <= 7 ? "(RMRR): no memory for its tables"
                                 : n == 8 ? "it does not do as it is told"
                                          : "devices can send any interrupt"));
    }
    frame_fail_nth(0);
}

/* ---- The table, broken ---- */

/* A copy of exactly its size, for ASan to guard its end. */
static void read_again(uint32_t bytes)
{
    uint8_t *exactly = malloc(bytes);

    memcpy(exactly, dmar, bytes);
    dmar_read(exactly, bytes);
    free(exactly);
}

/* Every end that the table could have, and every length of a structure and of a device. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    put_unit(BASE, 0, sizeof(behind_scope) + sizeof(ioapic_scope));
    put(behind_scope, sizeof(behind_scope));
    put(ioapic_scope, sizeof(ioapic_scope));
    put((const uint8_t[]){ 2, 0, 8, 0, 1, 0, 0, 0 }, 8);
    put((const uint8_t[20]){ 3, 0, 20 }, 20);
    put((const uint8_t[]){ 99, 0, 5, 0, 1 }, 5);
    put_region(0x1000, 0x1FFF, sizeof(usb_scope));
    put(usb_scope, sizeof(usb_scope));
    start();
    assert_int_equal(fake_log_lines[1], 0);
    for (uint32_t bytes = 48; bytes < dmar_bytes; bytes++)
        read_again(bytes);
    assert_true(fake_log_has("iommu: DMAR: broken at byte 48, the rest ignored"));
    for (unsigned length = 0; length < 256; length++) {
        dmar[50] = (uint8_t)length;
        read_again(dmar_bytes);
    }
    assert_true(fake_log_has("iommu: DMAR: DRHD of 15 bytes, ignored"));
    dmar[50] = 16 + sizeof(behind_scope) + sizeof(ioapic_scope);
    for (unsigned length = 0; length < 256; length++) {
        dmar[65] = (uint8_t)length;
        read_again(dmar_bytes);
    }
    assert_true(fake_log_has("iommu: DMAR: DRHD: its list of devices is broken, the rest ignored"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_gets_through, setup_sound),
        cmocka_unit_test_setup(test_ioapic, setup_sound),
        cmocka_unit_test_setup(test_line, setup_sound),
        cmocka_unit_test(test_x2apic),
        cmocka_unit_test_setup(test_interrupt_of_its_own, setup_sound),
        cmocka_unit_test_setup(test_fault, setup_sound),
        cmocka_unit_test_setup(test_forged_interrupt, setup_sound),
        cmocka_unit_test_setup(test_more_than_it_remembers, setup_sound),
        cmocka_unit_test_setup(test_fault_of_nobody, setup_sound),
        cmocka_unit_test_setup(test_fault_meanwhile, setup_sound),
        cmocka_unit_test_setup(test_faults_without_end, setup_sound),
        cmocka_unit_test_setup(test_trouble_with_the_queue, setup_sound),
        cmocka_unit_test_setup(test_region, setup),
        cmocka_unit_test_setup(test_region_of_others, setup),
        cmocka_unit_test_setup(test_region_too_high, setup),
        cmocka_unit_test_setup(test_devices_of_units, setup),
        cmocka_unit_test_setup(test_left_on, setup),
        cmocka_unit_test_setup(test_left_on_in_another_mode, setup),
        cmocka_unit_test(test_attach),
        cmocka_unit_test_setup(test_out_of_caches, setup),
        cmocka_unit_test_setup(test_flush, setup),
        cmocka_unit_test_setup(test_flush_by_pages, setup),
        cmocka_unit_test(test_flush_giant),
        cmocka_unit_test_setup(test_routes, setup),
        cmocka_unit_test_setup(test_routes_used_up, setup),
        cmocka_unit_test(test_refused),
        cmocka_unit_test_setup(test_refused_beside_ioapic, setup),
        cmocka_unit_test(test_refused_devices),
        cmocka_unit_test(test_few_domains),
        cmocka_unit_test_setup(test_storm_of_a_domains, setup),
        cmocka_unit_test_setup(test_faults_of_a_domains_without_end, setup),
        cmocka_unit_test_setup(test_heard_again, setup),
        cmocka_unit_test_setup(test_snooping, setup),
        cmocka_unit_test_setup(test_unit_that_dies, setup),
        cmocka_unit_test_setup(test_write_buffer_and_caches, setup),
        cmocka_unit_test_setup(test_without_interrupts, setup),
        cmocka_unit_test_setup(test_units_that_fail, setup),
        cmocka_unit_test_setup(test_too_many, setup),
        cmocka_unit_test_setup(test_no_memory, setup),
        cmocka_unit_test_setup(test_cut_anywhere, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
