/*
 * A device in words, for the monitor and the report.
 *
 * Sources: PCI Express Base Specification, "PCI Express Capabilities Register", "Device
 * Capabilities Register", "SR-IOV Extended Capability"; PCI Local Bus Specification 3.0, "MSI
 * Capability Structure", "MSI-X Capability"; Advanced Capabilities for Conventional PCI ECN.
 */
#include <stdarg.h>
#include "lib/fmt.h"
#include "pci/pci.h"
#include "pci/walk.h"

struct words {
    char *at;
    size_t left; /* the final NUL's byte among them */
};

static void add(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *fmt, ...)
{
    va_list args;
    size_t n;

    va_start(args, fmt);
    n = fmt_vsn(w->at, w->left, fmt, args);
    va_end(args);
    if (n >= w->left)
        n = w->left - 1;
    w->at += n;
    w->left -= n;
}

static void describe_head(const struct pci_device *d, struct words *w)
{
    static const char bits[][7] = { "ports", "memory", "master" };
    uint16_t command = config_read16(&d->at, CONFIG_COMMAND);

    add(w, "%s %s, class %06x, %04x:%04x rev %02x", pci_name(&d->at).text, class_words(d), d->class,
        d->id & 0xFFFF, d->id >> 16, d->revision);
    if (config_read32(&d->at, CONFIG_ID) != d->id) {
        add(w, ", gone");
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (command & 1u << i)
            add(w, ", %s", bits[i]);
    }
    if (d->secondary)
        add(w, ", to buses %02x to %02x", d->secondary, d->subordinate);
    if (d->faults)
        add(w, ", blocked %u times", d->faults);
    if (d->owner == PCI_BROKEN)
        add(w, ", broken");
    else if (d->owner != PCI_UNOWNED)
        add(w, ", domain %u's", d->owner);
    if (d->used_as)
        add(w, ", Caisson's %s", d->used_as);
}

static void describe_size(uint64_t size, struct words *w)
{
    const char *unit = "BKMGTPE";

    for (; size >= 1024; size >>= 10)
        unit++;
    add(w, " %lu%c", size, *unit);
}

static void describe_bars(const struct pci_device *d, const char *before, struct words *w)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *b = &d->bar[i];

        if (!b->base && !b->size)
            continue;
        add(w, "%s%s 0x%lx", before, i == PCI_ROM ? "ROM" : b->io ? "port" : "memory", b->base);
        if (b->size)
            describe_size(b->size, w);
        if (b->prefetchable)
            add(w, " prefetchable");
        before = ", ";
    }
}

/* ---- What it can do ---- */

enum form { FORM_NONE, FORM_STATE, FORM_MESSAGES, FORM_SIZE, FORM_COUNT };

/* A row for each; a number that stands `at` so far from its beginning. */
static const struct {
    char name[7];
    uint8_t at, shift, form;
    uint16_t mask;
} abilities[PCI_CAPS] = {
    [PCI_CAP_PM] = { "PM", 4, 0, FORM_STATE, 0x003 },
    [PCI_CAP_MSI] = { "MSI", 2, 1, FORM_MESSAGES, 0x007 },
    [PCI_CAP_IOMMU] = { .name = "IOMMU" },
    [PCI_CAP_PCIE] = { .name = "PCIe" },
    [PCI_CAP_MSIX] = { "MSI-X", 2, 0, FORM_SIZE, 0x7FF },
    [PCI_CAP_AF] = { .name = "AF" },
    [PCI_CAP_AER] = { .name = "AER" },
    [PCI_CAP_ACS] = { .name = "ACS" },
    [PCI_CAP_ARI] = { .name = "ARI" },
    [PCI_CAP_ATS] = { .name = "ATS" },
    [PCI_CAP_SRIOV] = { "SR-IOV", 14, 0, FORM_COUNT, 0xFFFF },
};

static void describe_number(const struct pci_device *d, enum pci_cap cap, struct words *w)
{
    unsigned n = config_read16(&d->at, d->cap[cap] + abilities[cap].at) >> abilities[cap].shift &
                 abilities[cap].mask;

    switch ((enum form)abilities[cap].form) {
    case FORM_NONE:
        return;
    case FORM_STATE:
        add(w, " in D%u", n);
        return;
    case FORM_MESSAGES:
        n = 1u << n;
        break;
    case FORM_SIZE:
        n++;
        break;
    case FORM_COUNT:
        break;
    }
    add(w, " %u", n);
}

static void describe_abilities(const struct pci_device *d, const char *before, struct words *w)
{
    for (unsigned i = 0; i < PCI_CAPS; i++) {
        if (!d->cap[i])
            continue;
        add(w, "%s%s", before, abilities[i].name);
        describe_number(d, i, w);
        before = ", ";
    }
    enum pci_reset reset = pci_reset_of(d);
    if (reset == PCI_RESET_EXPRESS || reset == PCI_RESET_ADVANCED)
        add(w, ", FLR");
    else if (reset == PCI_RESET_BUS)
        add(w, ", alone on its bus");
}

void pci_describe(const struct pci_device *d, const char *between, char *text, size_t size)
{
    struct words w = { text, size };

    describe_head(d, &w);
    describe_bars(d, between, &w);
    describe_abilities(d, between, &w);
}
