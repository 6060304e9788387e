/*
 * What a domain needs of the machine's memory. See create/memory.h.
 */
#include "create/memory.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"
#include "create/create.h"
#include "create/firmware.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "xen/pv_console.h"

#define DOMAIN_PAGES  18   /* of the heap: itself, the I/O bitmap, pages of consoles, buffers */
#define PROMISE_PIECE 1024 /* pages that are set aside in one step */
#define DEVICE_PAGES  2    /* of each PCI device: struct assigned, where its interrupts go */
#define VCPU_PAGES    12 /* of each vCPU: itself, local APIC, VMCS or VMCB, MSR bitmap, AVIC, FPU */

/* ---- One of the menu ---- */

int memory_map(const struct domain_config *config, struct memmap *out)
{
    int err = memmap_build(out, config->mem);

    if (!err && config->type == DOMAIN_PVH)
        memmap_reserve(out, PV_SPECIAL_BASE, PV_SPECIAL_SIZE);
    if (!err && config->store)
        memmap_back_page(out, PV_STORE_GPA);
    if (!err && firmware_is(config))
        memmap_add_firmware(out, firmware_rom_size(config));
    return err;
}

unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST])
{
    struct memmap map;

    if (d->config->bare)
        return 0;
    int err = memory_map(d->config, &map);
    ASSERT(!err); /* it was built with this size */
    memcpy(out, map.e820, sizeof(map.e820));
    return map.e820_count;
}

/* Pages of the heap that are for such a domain at most, whose RAM may need so many page tables. */
static uint64_t heap_for(const struct domain_config *config, uint64_t tables)
{
    return p2m_tables_most(tables) + DOMAIN_PAGES + (uint64_t)DEVICE_PAGES * config->pci_count +
           firmware_pages(config) + PV_EVENT_PAGES + PV_GRANT_PAGES +
           (uint64_t)VCPU_PAGES * config->vcpus;
}

/* mem=, and what Caisson may have to set up for such a domain at most. */
static int size_up(const struct domain_config *config, struct promise *out)
{
    struct memmap map = { 0 };
    uint64_t tables = 1;
    int err = config->bare ? 0 : memory_map(config, &map);

    *out = (struct promise){ 0 };
    for (unsigned i = 0; !err && i < map.backed_count; i++) {
        uint64_t frames = map.backed[i].size >> PAGE_SHIFT;
        out->ram += frames;
        tables += p2m_tables(frames);
    }
    out->heap = heap_for(config, tables);
    return err;
}

int memory_promise(const struct domain_config *config, uint16_t id)
{
    struct promise p;
    int err = size_up(config, &p);

    if (!err)
        err = promise_make(id, p);
    if (err)
        log_error("%s: mem=%luK does not fit: %luK of the machine's memory are free, and %luK must "
                  "be for what belongs to it",
                  config->name, config->mem >> 10, frame_available() << (PAGE_SHIFT - 10),
                  p.heap << (PAGE_SHIFT - 10));
    return err;
}

/* ---- A bare one, which may have more or less from now on ---- */

/* Pages of the heap that all bare domains are promised together, besides what each begins with;
 * atomic. The heap never becomes RAM again (mm/frame.h). So this has a bound: tables for twice the
 * machine's memory, as not all may come to the most that they are allowed. */
static uint64_t set_aside;

/* RAM lies in two pieces, as there is a gap below 4 GiB; or in as many as there are ranges. */
static uint64_t tables_for(uint64_t frames, unsigned ranges)
{
    return 1 + p2m_tables(frames) + (ranges < 2 ? 1 : ranges - 1) * p2m_tables(0);
}

static uint64_t set_aside_most(void)
{
    return p2m_tables_most(tables_for(2 * frame_total(), P2M_RAM_RANGES));
}

static uint64_t begins_with(const struct domain_config *config)
{
    return heap_for(config, 1);
}

void memory_forget_most(const struct domain *d)
{
    uint64_t pages = promise_of(d->xen.id).heap - begins_with(d->config);

    if (d->bare)
        __atomic_sub_fetch(&set_aside, pages, __ATOMIC_RELAXED);
}

/* Can it come to that? Asked before anything is taken: so many frames of RAM beside those that it
 * has, and so many pages of the heap. */
static bool fits(uint64_t ram, uint64_t heap)
{
    uint64_t there = frame_available(), in_heap = promise_heap_free();
    uint64_t grows = heap > in_heap ? heap - in_heap : 0;

    return ram <= there && grows <= there - ram &&
           __atomic_load_n(&set_aside, __ATOMIC_RELAXED) + heap <= set_aside_most();
}

static int set_aside_some(const struct domain *d, uint64_t pages, uint64_t had)
{
    uint64_t n = pages < PROMISE_PIECE ? pages : PROMISE_PIECE;

    __atomic_add_fetch(&set_aside, n, __ATOMIC_RELAXED);
    int err = promise_make(d->xen.id, (struct promise){ .heap = had + n });
    if (err)
        __atomic_sub_fetch(&set_aside, n, __ATOMIC_RELAXED);
    return !err && n < pages ? -EAGAIN : err;
}

/* What its page tables do not need goes back, as after a call that failed half-way. */
static void trim(const struct domain *d)
{
    uint64_t heap = heap_for(d->config, d->p2m.tables_for_ram);
    uint64_t less = promise_heap_at_most(d->xen.id, heap);

    __atomic_sub_fetch(&set_aside, less, __ATOMIC_RELAXED);
}

static uint64_t beyond(uint64_t wanted, uint64_t has)
{
    return wanted > has ? wanted - has : 0;
}

/* So many frames, and page tables for them and for so many places in so many ranges. */
static int set_most(struct domain *d, uint64_t frames, uint64_t places, unsigned ranges)
{
    struct promise have = promise_of(d->xen.id);
    uint64_t most = frames > have.ram ? frames : have.ram;
    uint64_t tables = tables_for(most > places ? most : places, ranges);
    uint64_t more = beyond(heap_for(d->config, tables), have.heap);
    int err = fits(beyond(frames, have.ram), more) ? 0 : -ENOMEM;

    if (!err && more)
        err = set_aside_some(d, more, have.heap);
    if (!err)
        p2m_set_most(&d->p2m, frames, tables);
    if (err != -EAGAIN)
        trim(d);
    return err;
}

cold int domain_set_most(struct domain *d, uint64_t frames)
{
    return set_most(d, frames, p2m_places(&d->p2m), d->p2m.range_count);
}

cold int domain_add_on_demand(struct domain *d, gfn_t g, unsigned order)
{
    uint64_t places = p2m_places(&d->p2m) + (1UL << order);
    unsigned ranges = d->p2m.range_count + 1; /* it may begin one */
    bool enough = tables_for(places, ranges) <= d->p2m.tables_for_ram;
    int err = enough ? 0 : set_most(d, d->p2m.most, places, ranges);

    return err ? err : p2m_add_on_demand(&d->p2m, g, order);
}
