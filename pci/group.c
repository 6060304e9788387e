/*
 * Which devices can be kept apart from one another by an IOMMU.
 *
 * What a device sends goes up to the IOMMU only if nothing on the way takes a shorter one. The
 * functions of one slot may speak to each other inside it, the ports of a switch may pass on to
 * each other, unless they have Access Control Services, and these say that all goes up. Behind a
 * bridge to conventional PCI all devices hear each other, and speak in the bridge's name.
 *
 * Sources: PCI Express Base Specification, "Access Control Services (ACS)", "PCI Express
 * Capabilities Register"; PCI Express to PCI/PCI-X Bridge Specification, "Requester ID".
 */
#include "pci/pci.h"

#define ACS_ENDPOINT 0x0Cu /* requests and completions to neighbours go up */
#define ACS_PORT     0x1Du /* the same, what comes from below too, and under its own name only */
#define ACS_CONTROL  16    /* bits of capabilities, then of control */

#define TYPE(word)      ((word) >> 20 & 15)
#define TYPE_ROOT       4
#define TYPE_DOWNSTREAM 6
#define TYPE_TO_PCI     7
#define TYPE_FROM_PCI   8

/* Where a device's requests may turn round: at the bridge, or at any function of its slot. */
struct reach {
    const struct pci_device *top;
    bool slot;
};

static unsigned type_of(const struct pci_device *b)
{
    return TYPE(config_read32(&b->at, b->cap[PCI_CAP_PCIE]));
}

static bool is_conventional(const struct pci_device *b)
{
    return !b->cap[PCI_CAP_PCIE] || type_of(b) == TYPE_TO_PCI || type_of(b) == TYPE_FROM_PCI;
}

static bool is_port(const struct pci_device *b)
{
    return b->cap[PCI_CAP_PCIE] && (type_of(b) == TYPE_ROOT || type_of(b) == TYPE_DOWNSTREAM);
}

static uint32_t acs_wanted(const struct pci_device *d)
{
    return is_port(d) ? ACS_PORT : ACS_ENDPOINT;
}

/* All that it sends goes up. */
static bool sends_up(const struct pci_device *d)
{
    uint32_t wanted = acs_wanted(d) << ACS_CONTROL;

    return d->cap[PCI_CAP_ACS] &&
           (config_read32(&d->at, d->cap[PCI_CAP_ACS] + 4) & wanted) == wanted;
}

void pci_send_up(void)
{
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
        unsigned at = d->cap[PCI_CAP_ACS] + 4u;

        if (d->cap[PCI_CAP_ACS])
            config_write32(&d->at, at, (config_read32(&d->at, at) & acs_wanted(d)) << ACS_CONTROL);
    }
}

static bool is_same_slot(const struct pci_device *a, const struct pci_device *b)
{
    return a->at.segment == b->at.segment && (a->at.bdf ^ b->at.bdf) < 8;
}

static bool has_neighbours(const struct pci_device *d)
{
    for (const struct pci_device *e = pci_next(NULL); e; e = pci_next(e)) {
        if (e != d && is_same_slot(d, e))
            return true;
    }
    return false;
}

static struct reach reach_of(const struct pci_device *d)
{
    struct reach r = { d, false };

    for (const struct pci_device *n = d, *b; n; n = b) {
        b = pci_above(n);
        if (!sends_up(n) && has_neighbours(n))
            r = (struct reach){ n, true };
        if (b && is_conventional(b))
            r = (struct reach){ b, false };
        else if (b && is_port(b) && !sends_up(b))
            r = pci_above(b) ? (struct reach){ pci_above(b), false } : (struct reach){ b, true };
    }
    return r;
}

static bool covers(const struct pci_device *a, const struct pci_device *b)
{
    struct reach r = reach_of(a);

    for (; b; b = pci_above(b)) {
        if (r.slot ? is_same_slot(r.top, b) : r.top == b)
            return true;
    }
    return false;
}

bool pci_is_apart(const struct pci_device *a, const struct pci_device *b)
{
    return !covers(a, b) && !covers(b, a);
}

bool pci_is_conventional(const struct pci_device *d)
{
    for (const struct pci_device *b = pci_above(d); b; b = pci_above(b)) {
        if (is_conventional(b))
            return true;
    }
    return false;
}
