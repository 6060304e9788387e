/*
 * A unit of AMD's IOMMU. See tests/fakes/amd_vi.h.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) Specification, "Device Table Entry Format",
 * "I/O Page Tables for Host Translations", "Commands", "Event Logging".
 */
#include "tests/fakes/amd_vi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/lapic.h"
#include "arch/x86/tsc.h"
#include "iommu/vtd.h"
#include "mm/aspace.h"

#define ADDRESS           0xFFFFFFFFFF000ul
#define RESERVED          (0x7Ful << 52) /* of an entry of page tables */
#define CONTROL           FAKE_VI_REG(0x18)
#define STATUS            FAKE_VI_REG(0x2020)
#define EVENT_HEAD        FAKE_VI_REG(0x2010)
#define EVENT_TAIL        FAKE_VI_REG(0x2018)
#define KEPT              4096
#define LEAF_SHIFT(level) (12 + 9 * ((level)-1))

uint64_t tsc_hz = 1000000000;
uint64_t fake_vi_regs[FAKE_VI_BYTES / 8];
bool fake_vi_dead;
unsigned fake_vi_forgotten;
irq_fn fake_vi_handler;

/* What it keeps. */
static struct {
    bool there;
    uint64_t word[4];
} entries[0x10000];
static struct {
    bool there;
    uint16_t tag;
    uint64_t from, bytes, to;
    bool may_read, may_write;
} pages[KEPT];
static unsigned page_count, route_count; /* places that were ever used */
static struct {
    bool there;
    uint16_t bdf;
    unsigned index;
    uint32_t word;
} routes[KEPT];

void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    assert_int_equal(size, FAKE_VI_BYTES);
    assert_int_equal(kind, ASPACE_UC);
    return start.v == FAKE_VI_BASE ? fake_vi_regs : NULL;
}

/* Intel's; see test_vtd.c. */
const struct iommu_driver *vtd_start(const uint8_t *dmar, uint32_t length)
{
    fail_msg("%u bytes at %p are not AMD's", length, (const void *)dmar);
    return NULL;
}

int irq_alloc_vector(irq_fn fn)
{
    fake_vi_handler = fn;
    return 0x31;
}

uint32_t lapic_id(void)
{
    return 5;
}

int ioapic_route_line(unsigned irq, uint32_t apic_id, uint8_t vector)
{
    fail_msg("line %u to CPU %u as 0x%x: no test asks for it", irq, apic_id, vector);
    return -ENODEV;
}

/* ---- Commands ---- */

/* A large mapping is kept as one, and stays if less than all of it is named. */
static void forget_pages(uint64_t first, uint64_t second)
{
    uint16_t tag = (uint16_t)(first >> 32);
    bool all = second == 0x7FFFFFFFFFFFF003;
    uint64_t bytes = second & 1 ? 2 * (~(second | 0xFFF) & ((second | 0xFFF) + 1)) : 0x1000;
    uint64_t from = second & ~0xFFFul & ~(bytes - 1);

    assert_true(second & 2); /* what leads to them too */
    for (unsigned i = 0; i < page_count; i++) {
        bool inside = pages[i].from >= from && pages[i].from + pages[i].bytes <= from + bytes;
        if (pages[i].tag == tag && (all || inside))
            pages[i].there = false;
    }
}

static void forget_routes(uint16_t bdf)
{
    for (unsigned i = 0; i < route_count; i++)
        routes[i].there &= routes[i].bdf != bdf;
}

static void carry_out(const uint64_t *c)
{
    switch (c[0] >> 60) {
    case 1:
        assert_true(c[0] & 1);
        *(uint64_t *)(c[0] & 0xFFFFFFFFFFFF8) = c[1];
        return;
    case 2:
        entries[(uint16_t)c[0]].there = false;
        fake_vi_forgotten++;
        return;
    case 8:
        memset(entries, 0, sizeof(entries));
        page_count = route_count = 0;
        fake_vi_forgotten += 0x10000;
        return;
    case 3:
        forget_pages(c[0], c[1]);
        return;
    case 5:
        forget_routes((uint16_t)c[0]);
        return;
    }
    fail_msg("command %lx", c[0]);
}

static void carry_out_commands(void)
{
    const uint64_t *ring = (const uint64_t *)(FAKE_VI_REG(0x08) & ADDRESS);
    uint64_t *head = &FAKE_VI_REG(0x2000);

    assert_int_equal(FAKE_VI_REG(0x08) >> 56, 8);
    for (; *head != FAKE_VI_REG(0x2008); *head = (*head + 16) % 4096)
        carry_out(ring + *head / 8);
}

static void written(volatile void *at, uint32_t value)
{
    static uint64_t status;
    size_t offset = (size_t)((volatile uint8_t *)at - (uint8_t *)fake_vi_regs);

    if (offset >= sizeof(fake_vi_regs) || fake_vi_dead)
        return;
    if (offset == 0x2020) {
        status &= ~(uint64_t)value;
        STATUS = status;
    }
    status = STATUS;
    if (offset == 0x08)
        FAKE_VI_REG(0x2000) = FAKE_VI_REG(0x2008) = 0;
    if (offset == 0x10)
        EVENT_HEAD = EVENT_TAIL = 0;
    if ((CONTROL & 0x1001) == 0x1001)
        carry_out_commands();
}

void fake_vi_reset(void)
{
    memset(fake_vi_regs, 0, sizeof(fake_vi_regs));
    memset(entries, 0, sizeof(entries));
    memset(pages, 0, sizeof(pages));
    memset(routes, 0, sizeof(routes));
    page_count = route_count = 0;
    fake_vi_dead = false;
    fake_vi_forgotten = 0;
    fake_mmio_written = written;
}

/* ---- What devices try ---- */

void fake_vi_event(uint64_t first, uint64_t second)
{
    uint64_t *place = (uint64_t *)((FAKE_VI_REG(0x10) & ADDRESS) + EVENT_TAIL);
    uint64_t next = (EVENT_TAIL + 16) % 4096;

    if (!(CONTROL & 4) || STATUS & 1)
        return;
    if (next == EVENT_HEAD) {
        STATUS |= 1;
    } else {
        place[0] = first;
        place[1] = second;
        EVENT_TAIL = next;
        STATUS |= 2;
    }
}

const uint64_t *fake_vi_entry(uint16_t bdf)
{
    const uint64_t *table = (const uint64_t *)(FAKE_VI_REG(0) & ADDRESS);

    assert_true(CONTROL & 1);
    assert_int_equal(FAKE_VI_REG(0) & 0x1FF, 0x1FF); /* all that there can be */
    if (!entries[bdf].there)
        memcpy(entries[bdf].word, table + 4 * bdf, sizeof(entries[bdf].word));
    entries[bdf].there = true;
    return entries[bdf].word;
}

static bool keep_page(uint16_t tag, uint64_t address, unsigned level, uint64_t leaf,
                      uint64_t rights)
{
    uint64_t bytes = 1ul << LEAF_SHIFT(level);
    unsigned i = 0;

    while (i < page_count && pages[i].there)
        i++;
    assert_true(i < KEPT);
    page_count += i == page_count;
    assert_int_equal(leaf & ADDRESS & (bytes - 1), 0);
    pages[i].there = true;
    pages[i].tag = tag;
    pages[i].from = address & ~(bytes - 1);
    pages[i].bytes = bytes;
    pages[i].to = leaf & ADDRESS;
    pages[i].may_read = rights >> 61 & 1;
    pages[i].may_write = rights >> 62 & 1;
    return true;
}

/* Through the page tables; false: nothing is there, and nothing is kept of that. */
static bool walk(const uint64_t *entry, uint64_t address)
{
    uint64_t rights = entry[0], e = entry[0];
    unsigned level = e >> 9 & 7;

    assert_true(level && level < 7);
    if (address >> LEAF_SHIFT(level + 1))
        return false;
    for (;;) {
        unsigned below;

        e = ((const uint64_t *)(e & ADDRESS))[address >> LEAF_SHIFT(level) & 511];
        if (!(e & 1))
            return false;
        assert_int_equal(e & RESERVED, 0);
        rights &= e;
        below = e >> 9 & 7;
        if (!below)
            return keep_page((uint16_t)entry[1], address, level, e, rights);
        assert_int_equal(below, level - 1);
        level = below;
    }
}

static bool find_page(uint16_t tag, uint64_t address, bool writes, uint64_t *maddr, bool *may)
{
    for (unsigned i = 0; i < page_count; i++) {
        if (!pages[i].there || pages[i].tag != tag || address - pages[i].from >= pages[i].bytes)
            continue;
        *maddr = pages[i].to + (address - pages[i].from);
        *may = writes ? pages[i].may_write : pages[i].may_read;
        return true;
    }
    return false;
}

bool fake_vi_access(uint16_t bdf, uint64_t address, bool writes, uint64_t *maddr)
{
    const uint64_t *entry = fake_vi_entry(bdf);
    bool may = false;

    *maddr = address;
    if (!(entry[0] & 1))
        return true;
    assert_int_equal(entry[0] & 0xFC, 0);
    assert_int_equal(entry[0] & 0x1FFul << 52, 0);
    assert_true(entry[0] & 2);
    if (!find_page((uint16_t)entry[1], address, writes, maddr, &may) && walk(entry, address))
        find_page((uint16_t)entry[1], address, writes, maddr, &may);
    if (!may && !(entry[1] & 1ul << 34))
        fake_vi_event(2ul << 60 | (uint64_t)writes << 53 | bdf, address);
    return may;
}

static uint32_t route_of(uint16_t bdf, const uint64_t *entry, unsigned index)
{
    const uint32_t *table = (const uint32_t *)(entry[2] & 0xFFFFFFFFFFFC0);
    unsigned room = route_count;

    for (unsigned i = 0; i < route_count; i++) {
        if (routes[i].there && routes[i].bdf == bdf && routes[i].index == index)
            return routes[i].word;
        room = routes[i].there ? room : i;
    }
    assert_true(room < KEPT);
    route_count += room == route_count;
    if (table[index] & 1) {
        routes[room].there = true;
        routes[room].bdf = bdf;
        routes[room].index = index;
        routes[room].word = table[index];
    }
    return table[index];
}

bool fake_vi_message(uint16_t bdf, uint32_t data, uint8_t *apic_id, uint8_t *vector)
{
    const uint64_t *entry = fake_vi_entry(bdf);
    unsigned index = data & 0x7FF;
    uint32_t route;

    *apic_id = *vector = 0;
    if (!(entry[0] & 1) || !(entry[2] & 1))
        return true;
    if ((entry[2] >> 60 & 3) == 0 || index >= 1u << (entry[2] >> 1 & 15))
        return false;
    assert_int_equal(entry[2] >> 60 & 3, 2); /* never passed on as it is */
    route = route_of(bdf, entry, index);
    if (!(route & 1))
        return false;
    assert_int_equal(route & 0x7E, 0); /* fixed, to one CPU */
    *apic_id = (uint8_t)(route >> 8);
    *vector = (uint8_t)(route >> 16);
    return true;
}
