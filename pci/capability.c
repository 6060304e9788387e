/*
 * Capabilities: what a device can do beyond what each one can, as lists in its configuration space.
 *
 * Two lists, the old one in the first 256 bytes and that of PCI Express behind them. A list that
 * comes back to where it has been ends there, with a line in the log.
 *
 * Sources: PCI Local Bus Specification 3.0, "Capabilities List"; PCI Express Base Specification,
 * "PCI Express Extended Capabilities".
 */
#include "lib/bitmap.h"
#include "lib/log.h"
#include "pci/pci.h"
#include "pci/walk.h"

#define STATUS_LIST 0x0010
#define ONES        0xFFFFFFFFu
#define LIST_START  0x40 /* what lies before are the registers of all */

/* bytes: what of each is ever looked at; one that has no room for it before the end is none. */
static const struct {
    uint8_t id, bytes;
} kinds[PCI_CAPS] = {
    [PCI_CAP_PM] = { 0x01, 8 },     [PCI_CAP_MSI] = { 0x05, 16 },  [PCI_CAP_IOMMU] = { 0x0F, 20 },
    [PCI_CAP_PCIE] = { 0x10, 20 },  [PCI_CAP_MSIX] = { 0x11, 12 }, [PCI_CAP_AF] = { 0x13, 8 },
    [PCI_CAP_AER] = { 0x01, 4 },    [PCI_CAP_ACS] = { 0x0D, 8 },   [PCI_CAP_ARI] = { 0x0E, 8 },
    [PCI_CAP_SRIOV] = { 0x10, 64 }, [PCI_CAP_ATS] = { 0x0F, 8 },
};

/* One kind of list: its capabilities' kinds, where they may be, and how the next one is named. */
struct list {
    uint16_t from, to, start, end, id, shift;
};
static const struct list old = { 0, PCI_CAP_AER, LIST_START, CONFIG_BYTES, 0xFF, 8 };
static const struct list extended = { PCI_CAP_AER,           PCI_CAPS, CONFIG_EXTENDED,
                                      CONFIG_EXTENDED_BYTES, 0xFFFF,   20 };

/* The first of a kind counts. */
static void note(struct pci_device *d, const struct list *l, uint32_t id, unsigned at)
{
    for (unsigned i = l->from; i < l->to; i++) {
        if (kinds[i].id == id && !d->cap[i] && at + kinds[i].bytes <= l->end)
            d->cap[i] = (uint16_t)at;
    }
}

static void read_list(struct pci_device *d, const struct list *l, unsigned at)
{
    uint64_t seen[BITMAP_WORDS(CONFIG_EXTENDED_BYTES / 4)] = { 0 };

    while (at) {
        uint32_t word;

        if (at < l->start || bitmap_test(seen, at / 4)) {
            log_warn("pci: %s: capabilities lead to 0x%x, none there or a loop",
                     pci_name(&d->at).text, at);
            return;
        }
        bitmap_set(seen, at / 4);
        word = config_read32(&d->at, at);
        if (word == ONES || word == 0)
            return;
        note(d, l, word & l->id, at);
        at = word >> l->shift & (l->end - 4);
    }
}

void capability_read(struct pci_device *d)
{
    if (config_read16(&d->at, CONFIG_STATUS) & STATUS_LIST)
        read_list(d, &old, config_read32(&d->at, CONFIG_CAPABILITIES) & 0xFC);
    if (d->at.segment->ecam && d->cap[PCI_CAP_PCIE])
        read_list(d, &extended, CONFIG_EXTENDED);
}
