/*
 * See tests/fakes/passed.h.
 */
#include "tests/fakes/passed.h"

#include <stdlib.h>
#include <string.h>
#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "iommu/iommu.h"
#include "lib/assert.h"
#include "mm/aspace.h"

#define PLACES      32
#define ROUTE_MAGIC 0xCA15u
#define HZ          1000000000ul

struct acpi_info acpi;
uint64_t tsc_hz = HZ;
unsigned passed_given;
uint16_t passed_bdf;
struct fake_function *passed_hardware;
struct assigned *passed;
struct vpci passed_bus;
uint8_t passed_registers[0x4000] __attribute__((aligned(4096)));
uint8_t passed_small[64] __attribute__((aligned(64))), passed_ports[32];
unsigned passed_mapped, passed_delivered, passed_told, passed_routes, passed_reaches;
unsigned passed_came_out;
bool passed_in_the_way;
uint64_t passed_taken;
static uint64_t base; /* of BAR 0 */
struct apic_message passed_message;
bool passed_attached, passed_ignores_mask;
int passed_iommu_error, passed_route_error, passed_line_error;
bool passed_line_masked, passed_level[VPCI_LINES];
static uint8_t line_vector; /* 0: it has never been routed */
static unsigned line_pcpu;
static struct p2m p2m;
static struct {
    uint64_t gfn, frame;
    unsigned order;
} places[PLACES];
static irq_message_fn handler;
static unsigned given; /* vectors */
unsigned passed_vectors = 64;
static struct timer *timer;
static struct {
    uint8_t vector;
    unsigned pcpu;
} route_of[ASSIGNED_MESSAGES];
struct sched_group passed_group, passed_other;
const struct sched_group *passed_runs;
struct sched_unit passed_unit[4];

/* ---- The machine ---- */

uint64_t tsc_from_ns(uint64_t ns)
{
    return ns;
}

unsigned cpu_maddr_bits(void)
{
    return 48;
}

int irq_alloc_message(irq_message_fn fn)
{
    handler = fn;
    return given < passed_vectors ? (int)(VECTOR_FIRST + given++) : -ENOSPC;
}

const struct sched_group *sched_group_here(void)
{
    return passed_runs;
}

void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    ASSERT(kind == ASPACE_UC);
    if (start.v == PASSED_SMALL) {
        ASSERT(size == sizeof(passed_small));
        return passed_small;
    }
    ASSERT(start.v >= base && start.v + size <= base + sizeof(passed_registers));
    return passed_registers + (start.v - base);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
    *t = (struct timer){ .fn = fn };
    timer = t;
}

void timer_set(struct timer *t, uint64_t deadline)
{
    ASSERT(t == timer);
    t->deadline = deadline;
    t->armed = true;
}

void timer_cancel_sync(struct timer *t)
{
    t->armed = false;
}

void passed_wait(uint64_t ticks)
{
    fake_tsc += ticks;
    if (!passed || !timer || !timer->armed || timer->deadline > fake_tsc)
        return;
    timer->armed = false;
    timer->fn(timer);
}

/* Those that are not the bus's own are the device's, which answers there. */
static uint32_t (*bus_in)(uint16_t port, unsigned size);
static void (*bus_out)(uint16_t port, unsigned size, uint32_t value);

static uint8_t *port_of(uint16_t port, unsigned size)
{
    ASSERT(passed_hardware->word[1] & PCI_COMMAND_IO && port >= PASSED_PORTS && !(port % size) &&
           port + size <= PASSED_PORTS + sizeof(passed_ports));
    return passed_ports + (port - PASSED_PORTS);
}

static uint32_t in(uint16_t port, unsigned size)
{
    uint32_t value = 0;

    if (port >= 0xCF8 && port <= 0xCFF)
        return bus_in(port, size);
    memcpy(&value, port_of(port, size), size);
    return value;
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    if (port >= 0xCF8 && port <= 0xCFF)
        bus_out(port, size, value);
    else
        memcpy(port_of(port, size), &value, size);
}

/* ---- The IOMMU ---- */

bool iommu_is_on(void)
{
    return passed_iommu_error != -ENODEV;
}

bool iommu_has_registers(uint64_t start, uint64_t end)
{
    return start < PASSED_IOMMU + PAGE_SIZE && PASSED_IOMMU < end;
}

void spec_device_given(void)
{
    passed_given++;
}

int iommu_attach(struct pci_device *d, struct slat *s, uint16_t owner)
{
    ASSERT(s == &p2m.slat && owner == PASSED_OWNER);
    ASSERT(!(passed_hardware->word[1] & PCI_COMMAND_MASTER));
    d->stopped = false;
    passed_attached = !passed_iommu_error;
    return passed_iommu_error;
}

void iommu_detach(struct pci_device *d)
{
    (void)d;
    passed_attached = false;
}

int iommu_route(struct pci_device *d, unsigned index, uint32_t apic_id, uint8_t vector,
                struct msi_message *out)
{
    ASSERT(index < ASSIGNED_MESSAGES && vector >= VECTOR_FIRST && passed_attached);
    ASSERT(apic_id / 2 < PASSED_PCPUS && !(apic_id % 2));
    (void)d;
    if (passed_route_error)
        return passed_route_error;
    route_of[index].vector = vector;
    route_of[index].pcpu = apic_id / 2;
    passed_routes++;
    *out = (struct msi_message){ 0xFEE00000, ROUTE_MAGIC << 8 | index };
    return 0;
}

void iommu_unroute(struct pci_device *d, unsigned index)
{
    (void)d;
    route_of[index].vector = 0;
}

bool passed_is_routed(unsigned index)
{
    return route_of[index].vector;
}

unsigned passed_goes_to(unsigned index)
{
    return route_of[index].pcpu;
}

void passed_raise(unsigned pcpu, uint8_t vector)
{
    unsigned here = fake_cpu_id;

    fake_cpu_id = pcpu;
    handler(vector);
    fake_cpu_id = here;
}

static void raise(unsigned index)
{
    if (route_of[index].vector)
        passed_raise(route_of[index].pcpu, route_of[index].vector);
}

/* ---- Its line ---- */

int ioapic_check_line(unsigned irq)
{
    return irq == PASSED_IRQ ? passed_line_error : -ENODEV;
}

int iommu_route_line(unsigned irq, uint32_t apic_id, uint8_t vector)
{
    ASSERT(irq == PASSED_IRQ && passed_line_masked && apic_id / 2 < PASSED_PCPUS);
    if (passed_route_error)
        return passed_route_error;
    line_vector = vector;
    line_pcpu = apic_id / 2;
    passed_routes++;
    return 0;
}

void ioapic_mask_line(unsigned irq, bool masked)
{
    ASSERT(irq == PASSED_IRQ && line_vector);
    passed_line_masked = masked;
}

bool passed_line_comes(void)
{
    if (passed_line_masked || passed_hardware->word[1] & PCI_COMMAND_NOINTX)
        return false;
    passed_raise(line_pcpu, line_vector);
    ASSERT(passed_line_masked);
    return true;
}

static void set_level(void *ctx, unsigned n, bool level)
{
    ASSERT(ctx == &passed_bus);
    passed_level[n] = level;
}

void passed_give_line(void)
{
    passed_bus.intx = (struct line){ .set = set_level, .ctx = &passed_bus };
    pci_find(0, PASSED_BDF)->pin = 1;
    pci_find(0, PASSED_BDF)->line = PASSED_IRQ;
}

/* ---- The domain ---- */

static unsigned place_of(uint64_t gfn)
{
    unsigned i = 0;

    while (i < PLACES && !(places[i].frame && gfn - places[i].gfn < 1ul << places[i].order))
        i++;
    return i;
}

uint64_t passed_behind(uint64_t at)
{
    unsigned i = place_of(at >> PAGE_SHIFT);

    return i < PLACES ? places[i].frame + (at >> PAGE_SHIFT) - places[i].gfn : 0;
}

void passed_put(uint64_t at, uint64_t frame)
{
    unsigned i = place_of(at >> PAGE_SHIFT);

    for (i = i < PLACES ? i : 0; i < PLACES; i++) {
        if (places[i].frame && places[i].gfn != at >> PAGE_SHIFT)
            continue;
        places[i].gfn = at >> PAGE_SHIFT;
        places[i].frame = frame;
        places[i].order = ORDER_4K;
        return;
    }
    abort();
}

unsigned p2m_largest_order(uint64_t frames)
{
    return frames >= 1ul << ORDER_1G ? ORDER_1G : frames >= 1ul << ORDER_2M ? ORDER_2M : ORDER_4K;
}

static bool is_free(uint64_t gfn, uint64_t frames)
{
    unsigned i = 0;

    while (i < PLACES && !(places[i].frame && places[i].gfn < gfn + frames &&
                           gfn < places[i].gfn + (1ul << places[i].order)))
        i++;
    return i == PLACES && gfn << PAGE_SHIFT >= PASSED_RAM;
}

int p2m_lend_device_block(struct p2m *p, gfn_t g, mfn_t m, unsigned order)
{
    ASSERT(p == &p2m && !((g.v | m.v) & ((1ul << order) - 1)));
    if (!is_free(g.v, 1ul << order))
        return -EEXIST;
    if (g.v >> 36)
        return -EINVAL;
    if (order && passed_in_the_way)
        return -EAGAIN;
    passed_put(g.v << PAGE_SHIFT, m.v);
    places[place_of(g.v)].order = order;
    passed_mapped++;
    return 0;
}

int p2m_lend_device(struct p2m *p, gfn_t g, mfn_t m)
{
    return p2m_lend_device_block(p, g, m, ORDER_4K);
}

/* A piece of so many frames. */
bool p2m_take_device(struct p2m *p, struct p2m_registers *r)
{
    uint64_t end = r->done + passed_taken < r->frames ? r->done + passed_taken : r->frames;

    ASSERT(p == &p2m && r->done < r->frames);
    for (unsigned n = 0; n < PLACES; n++) {
        uint64_t offset = places[n].gfn - r->at.v;
        if (!places[n].frame || offset < r->done || offset >= end ||
            places[n].frame - r->first.v != offset)
            continue;
        places[n].frame = 0;
        passed_mapped--;
    }
    r->done = end;
    return r->done == r->frames;
}

int p2m_lookup(struct p2m *p, gfn_t g, mfn_t *out, bool *lent)
{
    ASSERT(p == &p2m);
    *lent = true;
    *out = mfn(passed_behind(g.v << PAGE_SHIFT));
    return out->v ? 0 : -ENOENT;
}

static unsigned deliver(void *ctx, const struct apic_message *m)
{
    ASSERT(ctx == &p2m && m->mode <= APIC_LOWEST && m->vector >= 16 && !m->level);
    passed_message = *m;
    passed_delivered++;
    return passed_reaches;
}

static unsigned addressee(void *ctx, const struct apic_message *m)
{
    ASSERT(ctx == &p2m);
    return m->dest & 3;
}

static void tell(void *ctx, unsigned vcpu)
{
    ASSERT(ctx == &p2m && vcpu < 4);
    passed_told++;
}

static struct sched_unit *unit(void *ctx, unsigned vcpu)
{
    ASSERT(ctx == &p2m && vcpu < 4);
    return &passed_unit[vcpu];
}

static void come_out(void *ctx)
{
    ASSERT(ctx == &p2m);
    passed_came_out++;
    passed_in_the_way = false;
}

/* ---- Its life ---- */

static bool nothing_is_reserved(maddr_t start, uint64_t size)
{
    (void)start;
    (void)size;
    return false;
}

static void make_device(void)
{
    struct fake_function *f = fake_device(PASSED_BDF, 0x010802, 0);

    passed_hardware = f;
    f->word[1] = 0x00100007;
    f->word[11] = 0x11001AF4;
    f->word[13] = PASSED_PM;
    fake_bar(f, 0, PASSED_BASE | 4, 0xFFFFC000);
    fake_bar(f, 1, 0, 0xFFFFFFFF);
    fake_bar(f, 2, PASSED_SMALL, 0xFFFFFFC0);
    fake_bar(f, 3, PASSED_PORTS | 1, 0xFFFFFFE0);
    fake_capability(f, PASSED_PM, 0x01, PASSED_MSI, 0xFFC3);
    fake_capability(f, PASSED_MSI, 0x05, PASSED_MSIX, 0x018A);
    for (unsigned i = 0; i < 6; i++)
        f->sticks[PASSED_MSI / 4 + i] = i ? UINT32_MAX : 0x00710000;
    fake_capability(f, PASSED_MSIX, 0x11, PASSED_EXPRESS, PASSED_COUNT - 1);
    f->sticks[PASSED_MSIX / 4] = 0xC0000000;
    f->word[PASSED_MSIX / 4 + 1] = PASSED_TABLE;
    f->word[PASSED_MSIX / 4 + 2] = PASSED_BITS;
    fake_capability(f, PASSED_EXPRESS, 0x10, PASSED_VENDORS, 0x0002);
    fake_capability(f, PASSED_VENDORS, 0x09, 0xA0, 0x0110);
    f->word[PASSED_VENDORS / 4 + 1] = 0x00000004;
    f->sticks[PASSED_VENDORS / 4 + 1] = UINT32_MAX;
    f->word[PASSED_VENDORS / 4 + 2] = 0x1000;
    fake_capability(f, 0xA0, 0x09, 0xFC, 0x0210);
    fake_capability(f, 0xFC, 0x09, PASSED_PM, 0x0010); /* too long; and the list is a circle */
    f->word[PASSED_EXPRESS / 4 + 1] = 0x10008001;
    f->word[PASSED_EXPRESS / 4 + 2] = 0x00002810;
    f->sticks[PASSED_EXPRESS / 4 + 2] = 0x0000FFFF;
}

void passed_reset(void)
{
    memset(&acpi, 0, sizeof(acpi));
    memset(&p2m, 0, sizeof(p2m));
    memset(places, 0, sizeof(places));
    memset(passed_registers, 0, sizeof(passed_registers));
    memset(passed_small, 0, sizeof(passed_small));
    memset(passed_ports, 0, sizeof(passed_ports));
    passed_mapped = passed_delivered = passed_told = passed_routes = 0;
    passed_reaches = 1;
    passed_vectors = 64;
    passed_runs = &passed_other;
    for (unsigned i = 0; i < 4; i++)
        passed_unit[i] = (struct sched_unit){ .group = &passed_group };
    for (unsigned i = 0; i < PASSED_PCPUS; i++)
        percpu[i].apic_id = 2 * i;
    cpu_count = PASSED_PCPUS;
    fake_cpu_id = 0;
    passed_came_out = 0;
    passed_in_the_way = false;
    passed_taken = UINT32_MAX;
    base = PASSED_BASE;
    passed_attached = passed_ignores_mask = false;
    passed_iommu_error = passed_route_error = passed_line_error = 0;
    passed_line_masked = true;
    line_vector = 0;
    memset(passed_level, 0, sizeof(passed_level));
    passed = NULL;
    passed_bdf = PASSED_BDF;
    fake_tsc += 10 * HZ;
    fake_bus_reset();
    bus_in = fake_in;
    bus_out = fake_out;
    fake_in = in;
    fake_out = out;
    make_device();
    fake_device(FAKE_BDF(0, 5, 0), 0x010601, 0);
    fake_device(FAKE_BDF(0, 6, 0), 0x060400, 1);
    pci_start(NULL, 0, nothing_is_reserved);
    vpci_init(&passed_bus, 0);
}

void passed_enlarge(uint64_t to, uint64_t size)
{
    struct pci_bar *b = pci_find(0, PASSED_BDF)->bar;

    b->base = base = to;
    b->size = size;
    fake_bar(passed_hardware, 0, (uint32_t)to | 4, (uint32_t)-size);
    fake_bar(passed_hardware, 1, (uint32_t)(to >> 32), (uint32_t)(-size >> 32));
}

int passed_attach(void)
{
    const struct passthrough_owner owner = { .id = PASSED_OWNER,
                                             .name = "alpha",
                                             .p2m = &p2m,
                                             .bus = &passed_bus,
                                             .low = gpa(PASSED_LOW),
                                             .low_end = gpa(PASSED_LOW_END),
                                             .ctx = &p2m,
                                             .deliver = deliver,
                                             .addressee = addressee,
                                             .tell = tell,
                                             .unit = unit,

                                             .come_out = come_out };
    struct passthrough_room next = { gpa(0xE0000000), gpa(PASSED_HIGH), 0xD010 };
    int err;

    do {
        err = passthrough_attach(&passed, &owner, 0, passed_bdf, 2, &next);
        fake_tsc += 1000000;
    } while (err == -EAGAIN);
    return err;
}

void passed_interrupt(unsigned index)
{
    uint32_t entry[4];
    bool msix = passed_hardware->word[PASSED_MSIX / 4] & 1u << 31;

    if (passed_ignores_mask) {
        raise(index);
        return;
    }
    memcpy(entry, passed_registers + PASSED_TABLE + 16 * (index % PASSED_COUNT), sizeof(entry));
    if (index < PASSED_COUNT && msix && !(entry[3] & 1) && entry[2] >> 8 == ROUTE_MAGIC)
        raise(entry[2] & 0xFF);
    if (index == ASSIGNED_MSI && passed_hardware->word[PASSED_MSI / 4] & 1u << 16 &&
        !(passed_hardware->word[PASSED_MSI / 4 + 4] & 1))
        raise(ASSIGNED_MSI);
}

/* ---- What must hold ---- */

/* A device's message is one that the IOMMU knows, or it is not to be sent. */
static void check_message(uint32_t address, uint32_t high, uint32_t data, bool sent)
{
    if (sent)
        ASSERT(address == 0xFEE00000 && !high && data >> 8 == ROUTE_MAGIC &&
               route_of[data & 0xFF].vector);
}

/* It asserts no pin that its guest has not, or while it is to send messages; nor is anything heard
 * before the guest has ended the last one. */
static void check_line(void)
{
    const uint32_t *word = passed_hardware->word;

    if (!(word[1] & PCI_COMMAND_NOINTX))
        ASSERT(passed->intx && !(word[PASSED_MSI / 4] & 1u << 16) &&
               !(word[PASSED_MSIX / 4] & 1u << 31));
    ASSERT(passed_line_masked || !passed->up);
}

/* Its registers, but those that are trapped. */
static void check_places(void)
{
    const struct pci_bar *b = pci_find(0, PASSED_BDF)->bar;
    const uint64_t first = base >> PAGE_SHIFT, end = first + (b->size >> PAGE_SHIFT);

    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t at = places[i].gfn << PAGE_SHIFT, frame = places[i].frame;
        if (frame < first || frame >= end)
            continue;
        ASSERT(frame + (1ul << places[i].order) <= end);
        ASSERT(frame + (1ul << places[i].order) <= first + PASSED_TABLE / PAGE_SIZE ||
               frame >= first + PASSED_BITS / PAGE_SIZE + 1);
        ASSERT((at >= PASSED_LOW && at < PASSED_LOW_END) || at >= 1ul << 32);
    }
}

void passed_check(void)
{
    const struct fake_function *f = passed_hardware;
    uint32_t entry[4];

    ASSERT(f->word[4] == ((uint32_t)base | 4) && f->word[5] == base >> 32 &&
           f->word[6] == PASSED_SMALL && f->word[7] == (PASSED_PORTS | 1));
    ASSERT(f->word[1] & PCI_COMMAND_MEMORY);
    check_line();
    ASSERT(!(f->word[PASSED_EXPRESS / 4 + 2] & 0x8000));
    check_message(f->word[PASSED_MSI / 4 + 1], f->word[PASSED_MSI / 4 + 2],
                  f->word[PASSED_MSI / 4 + 3],
                  f->word[PASSED_MSI / 4] & 1u << 16 && !(f->word[PASSED_MSI / 4 + 4] & 1));
    ASSERT(!(f->word[PASSED_MSI / 4] & 7u << 20));
    ASSERT(!(f->word[PASSED_MSI / 4] & 1u << 16 && f->word[PASSED_MSIX / 4] & 1u << 31));
    for (unsigned i = 0; i < PASSED_COUNT; i++) {
        memcpy(entry, passed_registers + PASSED_TABLE + 16 * i, sizeof(entry));
        check_message(entry[0], entry[1], entry[2], !(entry[3] & 1));
    }
    check_places();
}

/* ---- As the guest does ---- */

static void choose(unsigned reg)
{
    passed_bus.dev.ops->write(&passed_bus.dev, VPCI_ADDRESS, 4,
                              0x80000000 | (VPCI_FIRST_SLOT + 2) << 11 | (reg & 0xFC), 0);
}

uint32_t passed_config_read(unsigned reg, unsigned size)
{
    choose(reg);
    uint32_t value = passed_bus.dev.ops->read(&passed_bus.dev, VPCI_DATA + (reg & 3), size, 0);
    return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

void passed_config_write(unsigned reg, unsigned size, uint32_t value)
{
    choose(reg);
    passed_bus.dev.ops->write(&passed_bus.dev, VPCI_DATA + (reg & 3), size, value, 0);
}
