/*
 * An empty PCI bus. The host bridge is that of Intel's 440FX, which every operating system knows
 * to need nothing; all of its configuration space is read-only here.
 */
#include "devices/vpci.h"

#define ADDRESS_ENABLE   (1u << 31)
#define ADDRESS_BITS     0x80FFFFFCu /* the rest is reserved, and reads 0 */
#define ADDRESS_FUNCTION 0x00FFFF00u /* bus, device and function; 0: the host bridge */
#define ADDRESS_REGISTER 0x000000FCu

/* PCI specification, "Type 00h Configuration Space Header": the first doublewords. */
static const uint32_t host_bridge[] = {
    0x12378086, /* device, vendor: 82441FX */
    0x02800006, /* status: fast back-to-back, medium DEVSEL; command: memory, bus master */
    0x06000002, /* class: host bridge; revision */
};

/* The doubleword that the address names. */
static uint32_t config_read(const struct vpci *p)
{
    unsigned n = (p->address & ADDRESS_REGISTER) / 4;

    if (!(p->address & ADDRESS_ENABLE) || p->address & ADDRESS_FUNCTION)
        return UINT32_MAX;
    return n < sizeof(host_bridge) / sizeof(host_bridge[0]) ? host_bridge[n] : 0;
}

/* The address answers to 32 bits only; smaller accesses go past it, to whoever else is there. */
static uint32_t vpci_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    const struct vpci *p = container_of(dev, struct vpci, dev);

    (void)now;
    if (offset == VPCI_ADDRESS && size == 4)
        return p->address;
    if (offset < VPCI_DATA || offset + size > VPCI_SIZE)
        return UINT32_MAX;
    return config_read(p) >> (offset - VPCI_DATA) * 8;
}

static void vpci_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    struct vpci *p = container_of(dev, struct vpci, dev);

    (void)now;
    if (offset == VPCI_ADDRESS && size == 4)
        p->address = value & ADDRESS_BITS;
}

static void vpci_reset(struct device *dev, uint64_t now)
{
    struct vpci *p = container_of(dev, struct vpci, dev);

    (void)now;
    p->address = 0;
}

static const struct device_ops ops = {
    .read = vpci_read,
    .write = vpci_write,
    .reset = vpci_reset,
};

void vpci_init(struct vpci *p)
{
    *p = (struct vpci){ .dev.ops = &ops };
}
