/*
 * A device is taken from the machine for a domain, and given back. See passthrough/passthrough.h.
 */
#include "passthrough/passthrough.h"
#include "arch/x86/spec.h"
#include "guestmem/p2m.h"
#include "iommu/iommu.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "passthrough/assigned.h"

_Static_assert(sizeof(struct assigned) <= PAGE_SIZE, "it is a page");

/* ---- May it be taken? ---- */

/* What it was told by one domain it would do to the next. */
static bool is_anothers(const struct pci_device *d, const char *name)
{
    return d->had_by[0] && strcmp(d->had_by, name) != 0 && pci_reset_of(d) == PCI_RESET_NONE;
}

/* If it has no messages. */
static const char *pin_objection(const struct pci_device *d, const char *name, bool lines)
{
    const char *why = intx_objection(d);

    if (!why && !lines)
        why = "it has no messages, and the domain's board no interrupt lines";
    if (!why && intx_is_anothers(d, name))
        why = "another domain has its interrupt line";
    return why;
}

/* NULL: nothing speaks against it. */
static const char *objection(const struct pci_device *d, const char *name, bool lines)
{
    if (!d)
        return "the machine has no such device";
    if (d->used_as || d->cap[PCI_CAP_IOMMU])
        return "Caisson uses it";
    if (d->header || PCI_CLASS_BASE(d) == PCI_BASE_BRIDGE)
        return "it is a bridge";
    if (d->owner == PCI_BROKEN)
        return "it did not come out of its reset";
    if (d->owner != PCI_UNOWNED)
        return "another domain has it";
    if (!iommu_is_on())
        return "no IOMMU holds it back: it could reach all memory";
    if (is_anothers(d, name))
        return "another domain had it, and it cannot be reset";
    const char *why = place_objection(d, false);
    if (!why && !d->cap[PCI_CAP_MSI] && !d->cap[PCI_CAP_MSIX])
        why = pin_objection(d, name, lines);
    return why;
}

/* As it is written in a domain's line. */
static struct pci_name name_of(uint16_t segment, uint16_t bdf)
{
    const struct config_segment s = { .number = segment };

    return pci_name(&(struct config_place){ &s, bdf });
}

int passthrough_check(const char *name, bool lines, uint16_t segment, uint16_t bdf)
{
    const char *why = objection(pci_find(segment, bdf), name, lines);

    if (!why)
        return 0;
    log_error("%s: pci=%s: %s", name, name_of(segment, bdf).text, why);
    return -ENODEV;
}

uint32_t passthrough_find(const char *name, bool lines, unsigned class, uint32_t after)
{
    const struct pci_device *d = NULL;

    if (after != PASSTHROUGH_NONE)
        d = pci_find((uint16_t)(after >> 16), (uint16_t)after);
    do
        d = pci_next(d);
    while (d && ((class != PASSTHROUGH_ANY_CLASS && PCI_CLASS_SUB(d) != class) ||
                 objection(d, name, lines)));
    return d ? (uint32_t)d->at.segment->number << 16 | d->at.bdf : PASSTHROUGH_NONE;
}

/* ---- Taking it ---- */

static unsigned settle(struct vpci_function *f, unsigned most)
{
    unsigned done = registers_settle(container_of(f, struct assigned, function), most);

    return done + arrival_settle(f, most - done);
}

static const struct vpci_function_ops ops = {
    .read = space_read,
    .write = space_write,
    .map = registers_map,
    .memory_read = registers_read,
    .memory_write = registers_write,
    .has_port = ports_has,
    .port_read = ports_read,
    .port_write = ports_write,
    .settle = settle,
    .ended = intx_ended,
};

static int claim(struct assigned **out, const struct passthrough_owner *owner, struct pci_device *d,
                 unsigned slot)
{
    struct assigned *a = heap_pages(0, owner->id);

    if (!a)
        return -ENOMEM;
    *out = a;
    a->function.ops = &ops;
    a->device = d;
    a->owner = *owner;
    a->slot = slot;
    d->owner = owner->id;
    str_copy(d->had_by, owner->name, sizeof(d->had_by));
    reset_begin(a);
    return 0;
}

static int let_in(struct assigned *a)
{
    int err = iommu_attach(a->device, &a->owner.p2m->slat, a->owner.id);

    a->attached = !err;
    if (err)
        log_error("%s: pci=%s: the IOMMU cannot let it in (error %d)", a->owner.name,
                  pci_name(&a->device->at).text, -err);
    return err;
}

static int open_messages(struct assigned *a)
{
    int err = message_open(a);

    if (err && err != -ENODEV)
        log_error("%s: pci=%s: %s", a->owner.name, pci_name(&a->device->at).text,
                  err == -ENOSPC ? "the machine has no interrupt vectors left for it"
                                 : "out of memory");
    return err;
}

/* After its reset. */
static int prepare(struct assigned *a, struct passthrough_room *next)
{
    int err = registers_open(a);

    if (!err)
        err = open_messages(a);
    if (err)
        return err;
    ports_open(a);
    space_build(a, next);
    spec_device_given();
    return let_in(a);
}

/* Its messages are routed one by one, then its guest sees it. */
static int plug(struct assigned *a)
{
    int err = message_route_next(a);

    if (err)
        return err;
    vpci_plug(a->owner.bus, a->slot, &a->function);
    message_begin(a);
    log_info("%s: has PCI device %s%s", a->owner.name, pci_name(&a->device->at).text,
             pci_reset_of(a->device) ? "" : ", which cannot be reset");
    return 0;
}

int passthrough_attach(struct assigned **a, const struct passthrough_owner *owner, uint16_t segment,
                       uint16_t bdf, unsigned slot, struct passthrough_room *next)
{
    int err;

    if (!*a) {
        err = passthrough_check(owner->name, owner->bus->intx.set, segment, bdf);
        err = err ? err : claim(a, owner, pci_find(segment, bdf), slot);
        return err ? err : -EAGAIN;
    }
    if ((*a)->attached)
        return plug(*a);
    if (!reset_goes_on(*a, &err))
        return -EAGAIN;
    err = err ? err : prepare(*a, next);
    return err ? err : -EAGAIN;
}

/* ---- Giving it back ---- */

void passthrough_stop(struct assigned *a)
{
    pci_stop(a->device);
    message_stop(a);
    if (a->attached)
        iommu_detach(a->device);
    a->attached = false;
}

/* Nobody gets one that does not come out of its reset. */
bool passthrough_detach(struct assigned *a)
{
    int err;

    if (!a->resetting) {
        passthrough_stop(a);
        reset_begin(a);
        a->resetting = true;
    }
    if (!reset_goes_on(a, &err))
        return false;
    pci_stop(a->device);
    a->device->owner = err ? PCI_BROKEN : PCI_UNOWNED;
    heap_free_pages(a, 0, a->owner.id);
    return true;
}

uint64_t passthrough_due(const struct assigned *a)
{
    return a->until;
}

bool passthrough_has(uint16_t id, mfn_t m)
{
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
        for (unsigned i = 0; d->owner == id && i < ASSIGNED_BARS; i++) {
            const struct pci_bar *b = &d->bar[i];
            if (!b->io && mfn_to_maddr(m).v - b->base < b->size)
                return true;
        }
    }
    return false;
}
