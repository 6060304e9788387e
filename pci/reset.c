/*
 * How a device can be reset with no other one hurt.
 *
 * Sources: PCI Express Base Specification, "Function Level Reset (FLR)"; Advanced Capabilities for
 * Conventional PCI ECN; PCI Bus Power Management Interface Specification, "Power Management
 * Control/Status"; PCI-to-PCI Bridge Architecture Specification, "Bridge Control Register".
 */
#include "pci/pci.h"

#define ADVANCED_FLR (1u << 25)
#define BUS_RESET    (1u << 22) /* of a bridge's control, in the word of its interrupt line */
#define CONTROL_KEPT                                                                               \
    0x0BFFFFFFu /* of that word: one bit is cleared by writing it, some are reserved */

static bool is_alone_on_bus(const struct pci_device *d)
{
    const struct pci_device *bridge = pci_above(d);

    if (!bridge)
        return false;
    for (const struct pci_device *e = pci_next(NULL); e; e = pci_next(e))
        if (e != d && pci_leads_to(bridge, e))
            return false;
    return true;
}

enum pci_reset pci_reset_of(const struct pci_device *d)
{
    unsigned express = d->cap[PCI_CAP_PCIE], advanced = d->cap[PCI_CAP_AF], pm = d->cap[PCI_CAP_PM];

    if (express && config_read32(&d->at, express + 4) & EXPRESS_FLR)
        return PCI_RESET_EXPRESS;
    if (advanced && config_read32(&d->at, advanced) & ADVANCED_FLR)
        return PCI_RESET_ADVANCED;
    if (pm && !(config_read32(&d->at, pm + 4) & PM_KEEPS))
        return PCI_RESET_SLEEP;
    return is_alone_on_bus(d) ? PCI_RESET_BUS : PCI_RESET_NONE;
}

void pci_hold_bus(const struct pci_device *d, bool held)
{
    const struct config_place *bridge = &pci_above(d)->at;
    uint32_t control = config_read32(bridge, CONFIG_LINE) & CONTROL_KEPT & ~BUS_RESET;

    config_write32(bridge, CONFIG_LINE, control | (held ? BUS_RESET : 0));
}
