/*
 * A domain's own PCI devices, and what of the domain they have to do with. See create/devices.h.
 */
#include "create/devices.h"
#include "cpu/cpu_model.h"
#include "devices/vlapic.h"
#include "domain/lapic.h"
#include "lib/log.h"
#include "loader/memmap.h"
#include "machine/pc.h"

/* One that names several by a set may mean all. */
static unsigned deliver(void *ctx, const struct apic_message *m)
{
    const struct domain *d = ctx;
    bool set = m->logical || m->dest == APIC_DEST_ALL;

    lapic_message(ctx, m);
    return set && m->mode != APIC_LOWEST ? d->xen.vcpu_count : 1;
}

static unsigned addressee(void *ctx, const struct apic_message *m)
{
    const struct domain *d = ctx;
    unsigned i = 0;

    while (i < d->xen.vcpu_count && !vlapic_addressed(&d->vcpus[i]->lapic, m))
        i++;
    return i < d->xen.vcpu_count ? i : 0;
}

static struct sched_unit *unit(void *ctx, unsigned vcpu)
{
    const struct domain *d = ctx;

    return &d->vcpus[vcpu]->unit;
}

static void tell(void *ctx, unsigned vcpu)
{
    struct domain *d = ctx;

    __atomic_or_fetch(&d->owed, DOMAIN_OWED_PCI, __ATOMIC_RELEASE);
    vcpu_kick(d->vcpus[vcpu]);
}

static void come_out(void *ctx)
{
    struct domain *d = ctx;

    p2m_reap(&d->p2m, d->xen.vcpu_count);
    domain_kick(d);
}

static bool is_named(const struct domain_config *c, uint16_t segment, uint16_t bdf)
{
    unsigned i = 0;

    while (i < c->pci_count && (c->pci[i].segment != segment || c->pci[i].bdf != bdf))
        i++;
    return i < c->pci_count;
}

_Static_assert(CONFIG_ANY_CLASS == PASSTHROUGH_ANY_CLASS, "pci=all");

static bool has_lines(const struct domain_config *c)
{
    return c->type == DOMAIN_HVM;
}

/* NULL, or what is wrong. */
static const char *choose(struct domain_config *c, unsigned class)
{
    uint32_t at = passthrough_find(c->name, has_lines(c), class, PASSTHROUGH_NONE);

    if (at == PASSTHROUGH_NONE)
        return "the machine has none that can be given away";
    for (; at != PASSTHROUGH_NONE; at = passthrough_find(c->name, has_lines(c), class, at)) {
        const struct config_pci p = { (uint16_t)(at >> 16), (uint16_t)at };
        if (is_named(c, p.segment, p.bdf))
            continue;
        if (c->pci_count == CONFIG_MOST_PCI)
            return "there are more than a domain may have";
        c->pci[c->pci_count++] = p;
    }
    return NULL;
}

static void complain(const char *name, unsigned class, const char *why)
{
    if (class == CONFIG_ANY_CLASS)
        log_error("%s: pci=all: %s", name, why);
    else
        log_error("%s: pci=class:%04x: %s", name, class, why);
}

int devices_choose(struct domain_config *config)
{
    const char *why = NULL;

    for (unsigned i = 0; i < config->pci_class_count && !why; i++) {
        why = choose(config, config->pci_class[i]);
        if (why)
            complain(config->name, config->pci_class[i], why);
    }
    config->pci_class_count = 0;
    return why ? -ENODEV : 0;
}

int devices_check(const struct domain_config *config)
{
    int err = 0;

    for (unsigned i = 0; i < config->pci_count && !err; i++)
        err = passthrough_check(config->name, has_lines(config), config->pci[i].segment,
                                config->pci[i].bdf);
    return err;
}

static unsigned how_many(const struct domain *d)
{
    unsigned n = 0;

    while (n < CONFIG_MOST_PCI && d->devices[n])
        n++;
    return n;
}

unsigned devices_address_bits(void)
{
    unsigned bits = cpu_model_address_bits();

    return bits < SLAT_BITS ? bits : SLAT_BITS;
}

/* The windows that the guest's ACPI tables tell of (machine/pci0.asl). */
struct passthrough_room devices_room(void)
{
    return (struct passthrough_room){ gpa(HVM_ECAM_BASE + VPCI_ECAM_SIZE),
                                      gpa(1ul << (devices_address_bits() - 1)), HVM_PORTS_FREE };
}

/* Goes on with the last one that was begun, or with the next. */
int devices_build(struct domain *d, struct passthrough_room *next)
{
    const struct domain_config *c = d->config;
    struct passthrough_owner owner = { .id = d->xen.id,
                                       .name = d->name,
                                       .p2m = &d->p2m,
                                       .bus = &d->machine.pci,
                                       .low = gpa(MEMMAP_HOLE),
                                       .low_end = gpa(HVM_IOAPIC_BASE),
                                       .ctx = d,
                                       .deliver = deliver,
                                       .addressee = addressee,
                                       .tell = tell,
                                       .unit = unit,

                                       .come_out = come_out };
    unsigned i = 0;

    while (i < c->pci_count && d->machine.pci.plugged[i])
        i++;
    if (i == c->pci_count)
        return 0;
    int err = passthrough_attach(&d->devices[i], &owner, c->pci[i].segment, c->pci[i].bdf, i, next);
    return err ? err : -EAGAIN;
}

void devices_stop(struct domain *d)
{
    for (unsigned i = how_many(d); i > 0; i--)
        passthrough_stop(d->devices[i - 1]);
}

bool devices_give_back(struct domain *d)
{
    unsigned n = how_many(d);

    if (n && passthrough_detach(d->devices[n - 1]))
        d->devices[n - 1] = NULL;
    return !how_many(d);
}

/* The last one that was begun, or that is left: it alone may be on its way. */
uint64_t devices_due(const struct domain *d)
{
    unsigned n = how_many(d);

    return n ? passthrough_due(d->devices[n - 1]) : 0;
}
