/*
 * Whether registers lie where the machine lets them: a device says itself how large they are, and
 * firmware where.
 *
 * Sources: PCI Local Bus Specification 3.0, "Base Addresses"; PCI-to-PCI Bridge Architecture
 * Specification, "Memory Base Register and Memory Limit Register", "Prefetchable Memory Base
 * Register and Prefetchable Memory Limit Register".
 */
#include "pci/pci.h"

#define WINDOW          0x20 /* of a bridge: where its window starts and ends, in MiB */
#define WINDOW_PREFETCH 0x24
#define WINDOW_START    0x28 /* upper halves of the second one */
#define WINDOW_END      0x2C
#define WINDOW_WIDE     1u
#define SUBTRACTIVE     0x060401 /* passes on what nobody else answers to */

static bool lies_in(const struct pci_device *bridge, unsigned at, uint64_t start, uint64_t end)
{
    uint32_t word = config_read32(&bridge->at, at);
    uint64_t from = (word & 0xFFF0ul) << 16, last = (word & 0xFFF00000u) | 0xFFFFF;

    if (at == WINDOW_PREFETCH && (word & 0xF) == WINDOW_WIDE) {
        from |= (uint64_t)config_read32(&bridge->at, WINDOW_START) << 32;
        last |= (uint64_t)config_read32(&bridge->at, WINDOW_END) << 32;
    }
    return start >= from && end - 1 <= last;
}

bool pci_is_passed_on(const struct pci_device *d, const struct pci_bar *b)
{
    for (const struct pci_device *bridge = pci_next(NULL); bridge; bridge = pci_next(bridge)) {
        if (pci_leads_to(bridge, d) && bridge->class != SUBTRACTIVE &&
            !lies_in(bridge, WINDOW, b->base, b->base + b->size) &&
            !lies_in(bridge, WINDOW_PREFETCH, b->base, b->base + b->size))
            return false;
    }
    return true;
}

/* One that has not been measured has a byte at least. */
static bool lies_over(const struct pci_bar *a, const struct pci_bar *b)
{
    uint64_t size = b->size ? b->size : 1;

    return !b->io && b->base && a->base < b->base + size && b->base < a->base + a->size;
}

bool pci_is_alone(const struct pci_bar *b)
{
    for (const struct pci_device *d = pci_next(NULL); d; d = pci_next(d)) {
        for (unsigned i = 0; i < PCI_ROM; i++)
            if (&d->bar[i] != b && lies_over(b, &d->bar[i]))
                return false;
    }
    return true;
}
