/*
 * Whether registers lie where the machine lets them: a device says itself how large they are, and
 * firmware where.
 *
 * Sources: PCI Local Bus Specification 3.0, "Base Addresses"; PCI-to-PCI Bridge Architecture
 * Specification, "I/O Base Register and I/O Limit Register", "Memory Base Register and Memory Limit
 * Register", "Prefetchable Memory Base Register and Prefetchable Memory Limit Register".
 */
#include "pci/pci.h"

#define PORTS           0x1C /* of a bridge: where its ports start and end, in 4 KiB */
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

static bool is_ports_in(const struct pci_device *bridge, const struct pci_bar *b)
{
    uint32_t word = config_read32(&bridge->at, PORTS);

    return b->base >= (word & 0xF0) << 8 && b->base + b->size - 1 <= ((word & 0xF000) | 0xFFF);
}

static bool is_passed_on(const struct pci_device *bridge, const struct pci_bar *b)
{
    uint64_t end = b->base + b->size;

    if (b->io)
        return is_ports_in(bridge, b);
    return lies_in(bridge, WINDOW, b->base, end) || lies_in(bridge, WINDOW_PREFETCH, b->base, end);
}

bool pci_is_passed_on(const struct pci_device *d, const struct pci_bar *b)
{
    for (const struct pci_device *bridge = pci_next(NULL); bridge; bridge = pci_next(bridge)) {
        if (pci_leads_to(bridge, d) && bridge->class != SUBTRACTIVE && !is_passed_on(bridge, b))
            return false;
    }
    return true;
}

/* One that has not been measured has a byte at least. */
static bool lies_over(const struct pci_bar *a, const struct pci_bar *b)
{
    uint64_t size = b->size ? b->size : 1;

    return a->io == b->io && b->base && a->base < b->base + size && b->base < a->base + a->size;
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
