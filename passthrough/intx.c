/*
 * A device's interrupt pin (INTx), for devices and drivers that have no messages.
 *
 * Where it leads on the machine's board firmware has told: to an ISA line, whose number it left in
 * the device. Devices of one domain that share such a line there share one on the guest's board
 * too, as they would on any. The first of them, the leader, has the line, its vector, and what is
 * known of it. A device of anybody else's has no interrupt pin for its guest, and is kept from
 * asserting the one that it has.
 *
 * One that comes is masked at the I/O APIC until the guest has ended its own. If the device still
 * asserts its pin then, it comes again.
 *
 * Sources: PCI Local Bus Specification 3.0, "Interrupt Line", "Interrupt Pin", "Command Register".
 */
#include "arch/x86/ioapic.h"
#include "arch/x86/percpu.h"
#include "iommu/iommu.h"
#include "lib/string.h"
#include "passthrough/assigned.h"

#define ISA_LINES 16

static const struct assigned *leaders[ISA_LINES]; /* boot CPU */

const char *intx_objection(const struct pci_device *d)
{
    if (!d->pin)
        return "it has no interrupt pin";
    switch (ioapic_check_line(d->line)) {
    case 0:
        return NULL;
    case -EBUSY:
        return "its interrupt line is the board's";
    case -EINVAL:
        return "its interrupt line is not level-triggered";
    default:
        return "the machine's firmware gave it no interrupt line";
    }
}

bool intx_is_anothers(const struct pci_device *d, const char *name)
{
    const struct assigned *leader = leaders[d->line];

    return leader && strcmp(leader->owner.name, name) != 0;
}

/* One that asserts the pin all the same would be heard for a neighbour's. */
static bool is_silent(const struct pci_device *d)
{
    uint16_t command = config_read16(&d->at, CONFIG_COMMAND);

    if (!(command & PCI_COMMAND_NOINTX))
        config_write32(&d->at, CONFIG_COMMAND, command | PCI_COMMAND_NOINTX);
    return config_read16(&d->at, CONFIG_COMMAND) & PCI_COMMAND_NOINTX;
}

static bool are_others_silent(const struct assigned *a)
{
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d))
        if (d->pin && d->line == a->device->line && d->owner != a->owner.id && !is_silent(d))
            return false;
    return true;
}

const char *intx_open(struct assigned *a)
{
    const char *why = intx_objection(a->device);

    if (!a->owner.bus->intx.set)
        return "its domain's board has no interrupt lines";
    if (why)
        return why;
    const struct assigned *leader = leaders[a->device->line];
    if (leader && leader->owner.id != a->owner.id)
        return "another domain has its interrupt line";
    if (!are_others_silent(a))
        return "a device on its interrupt line cannot be kept from it";
    a->intx = true;
    a->line = leader ? leader->line : VPCI_LINE_OF(a->slot, 1);
    if (!leader)
        leaders[a->device->line] = a;
    return NULL;
}

bool intx_leads(const struct assigned *a)
{
    return a->intx && leaders[a->device->line] == a;
}

void intx_close(struct assigned *a)
{
    if (intx_leads(a))
        leaders[a->device->line] = NULL;
    a->intx = false;
}

int intx_route(const struct assigned *a, unsigned pcpu, uint8_t vector)
{
    return iommu_route_line(a->device->line, percpu[pcpu].apic_id, vector);
}

void intx_mask(const struct assigned *a, bool masked)
{
    ioapic_mask_line(a->device->line, masked || a->up);
}

void intx_ended(struct vpci_function *f)
{
    struct assigned *a = container_of(f, struct assigned, function);

    source_lock(a);
    a->up = false;
    if (a->message[ASSIGNED_INTX].open && !a->held)
        intx_mask(a, false);
    source_unlock(a);
}
