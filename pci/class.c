/*
 * Classes of devices in words: the first row that fits.
 *
 * Source: PCI Code and ID Assignment Specification, "Class Codes".
 */
#include "pci/pci.h"
#include "pci/walk.h"

#define ANY 0xFF

static const struct {
    uint8_t base, sub, interface;
    char words[13];
} classes[] = {
    { 0x01, 0x01, ANY, "IDE" },         { 0x01, 0x06, 0x01, "AHCI" },
    { 0x01, 0x08, 0x02, "NVMe" },       { 0x01, ANY, ANY, "storage" },
    { 0x02, 0x00, ANY, "Ethernet" },    { 0x02, ANY, ANY, "network" },
    { 0x03, 0x00, ANY, "VGA" },         { 0x03, ANY, ANY, "display" },
    { 0x04, ANY, ANY, "audio, video" }, { 0x05, ANY, ANY, "memory" },
    { 0x06, 0x00, ANY, "host bridge" }, { 0x06, 0x01, ANY, "ISA bridge" },
    { 0x06, 0x04, ANY, "PCI bridge" },  { 0x06, ANY, ANY, "bridge" },
    { 0x07, 0x00, ANY, "serial port" }, { 0x08, 0x06, ANY, "IOMMU" },
    { 0x08, ANY, ANY, "system" },       { 0x0C, 0x03, 0x20, "USB, EHCI" },
    { 0x0C, 0x03, 0x30, "USB, xHCI" },  { 0x0C, 0x03, ANY, "USB" },
    { 0x0C, 0x05, ANY, "SMBus" },       { ANY, ANY, ANY, "device" },
};

static bool fits(uint8_t row, uint8_t value)
{
    return row == ANY || row == value;
}

const char *class_words(const struct pci_device *d)
{
    unsigned i = 0;

    while (!fits(classes[i].base, (uint8_t)(d->class >> 16)) ||
           !fits(classes[i].sub, (uint8_t)(d->class >> 8)) ||
           !fits(classes[i].interface, (uint8_t)d->class))
        i++;
    return classes[i].words;
}
