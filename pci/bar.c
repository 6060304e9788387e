/*
 * Base address registers: where a device answers, and how large a place it takes.
 *
 * A BAR is measured by writing ones to it and looking which bits stick. For that moment it lies
 * somewhere else, so the device is told not to answer at all meanwhile. What Caisson uses itself
 * is not measured, nor are bridges: some host bridges have memory behind such a register.
 *
 * Source: PCI Local Bus Specification 3.0, "Base Addresses".
 */
#include "pci/pci.h"
#include "pci/walk.h"

#define IO        0x1u
#define IO_MASK   0xFFFFFFFCu
#define TYPE_64   0x4u
#define TYPE_MASK 0x6u
#define PREFETCH  0x8u
#define MEM_MASK  0xFFFFFFF0u
#define ROM_MASK  0xFFFFF800u
#define ONES      0xFFFFFFFFu
#define PORTS_MASK                                                                                 \
    0xFFFF0000u /* a PC has no ports beyond 16 bits; devices may leave these zero                  \
                 */
#define DECODES   (PCI_COMMAND_IO | PCI_COMMAND_MEMORY)
#define VGA_START 0xA0000 /* a VGA answers here whatever its BARs say */
#define VGA_END   0xC0000

static const struct {
    uint8_t count, rom;
} layout[] = { { 6, CONFIG_ROM }, { 2, CONFIG_BRIDGE_ROM }, { 0, 0 } };

static unsigned offset_of(unsigned i)
{
    return CONFIG_BAR + 4 * i;
}

static void read_one(struct pci_device *d, unsigned i)
{
    struct pci_bar *b = &d->bar[i];
    uint32_t low = config_read32(&d->at, offset_of(i));

    b->io = low & IO;
    b->base = low & (b->io ? IO_MASK : MEM_MASK);
    b->prefetchable = !b->io && low & PREFETCH;
    b->wide = !b->io && (low & TYPE_MASK) == TYPE_64 && i + 1 < layout[d->header].count;
    if (b->wide)
        b->base |= (uint64_t)config_read32(&d->at, offset_of(i + 1)) << 32;
}

void bar_read(struct pci_device *d)
{
    unsigned rom = layout[d->header].rom;

    for (unsigned i = 0; i < layout[d->header].count; i += 1 + d->bar[i].wide)
        read_one(d, i);
    if (rom)
        d->bar[PCI_ROM].base = config_read32(&d->at, rom) & ROM_MASK;
}

/* The bits that stick, with what was there before put back. */
static uint32_t probe(const struct pci_device *d, unsigned offset, uint32_t ones)
{
    uint32_t before = config_read32(&d->at, offset), bits;

    config_write32(&d->at, offset, ones);
    bits = config_read32(&d->at, offset);
    config_write32(&d->at, offset, before);
    return bits;
}

/* The least address bit that can be set is the size. */
static uint64_t size_of(uint64_t bits)
{
    return bits & -bits;
}

static uint64_t measure_one(const struct pci_device *d, unsigned i)
{
    const struct pci_bar *b = &d->bar[i];
    uint64_t bits = probe(d, offset_of(i), ONES);

    if (bits == 0 || bits == ONES) /* no such register; no such device any more */
        return 0;
    bits &= b->io ? IO_MASK : MEM_MASK;
    if (b->io && bits)
        bits |= PORTS_MASK;
    if (b->wide)
        bits |= (uint64_t)probe(d, offset_of(i + 1), ONES) << 32;
    return size_of(bits);
}

void bar_measure(struct pci_device *d)
{
    uint16_t command = config_read16(&d->at, CONFIG_COMMAND);
    uint32_t rom;

    if (d->header || PCI_CLASS_BASE(d) == PCI_BASE_BRIDGE || d->used_as)
        return;
    config_write32(&d->at, CONFIG_COMMAND, command & ~DECODES);
    for (unsigned i = 0; i < layout[0].count; i += 1 + d->bar[i].wide)
        d->bar[i].size = measure_one(d, i);
    rom = probe(d, CONFIG_ROM, ROM_MASK);
    d->bar[PCI_ROM].size = rom == ONES ? 0 : size_of(rom & ROM_MASK);
    config_write32(&d->at, CONFIG_COMMAND, command);
}

/* ---- Whose address is it? ---- */

static bool decodes(const struct pci_device *d, bool io)
{
    return config_read16(&d->at, CONFIG_COMMAND) & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
}

/* A BAR is no larger than the alignment of its base, so that bounds it while it is not measured.
 * Better: a base that is as near, if there is one. 0: it does not answer there. */
static uint64_t nearest_base(const struct pci_device *d, const struct pci_use *use)
{
    uint64_t best = 0;

    for (unsigned i = 0; i < PCI_ROM; i++) {
        uint64_t base = d->bar[i].base;

        if (d->bar[i].io == use->io && base <= use->address &&
            use->address - base < size_of(base) && base > best)
            best = base;
    }
    if (!use->io && d->class >> 8 == PCI_SUB_VGA && use->address >= VGA_START &&
        use->address < VGA_END && best < VGA_START)
        best = VGA_START;
    return best;
}

void bar_note_use(struct pci_device *first, const struct pci_use *use)
{
    struct pci_device *owner = NULL;
    uint64_t best = 0;

    for (struct pci_device *d = first; d; d = d->next) {
        uint64_t base = nearest_base(d, use);

        if (base > best && decodes(d, use->io)) {
            best = base;
            owner = d;
        }
    }
    if (owner)
        owner->used_as = use->as;
}
