/*
 * What is told to a device by its configuration space.
 *
 * Sources: PCI Local Bus Specification 3.0, "Command Register", "MSI Capability Structure"; SDM,
 * "Message Signalled Interrupts".
 */
#include "pci/pci.h"

#define MSI_ON      (1u << 16) /* of the capability's first word */
#define MSI_GIVEN   (7u << 20) /* how many messages it may send: one */
#define MSI_WIDE    (1u << 23) /* its address has 64 bits */
#define MSI_ADDRESS 0xFEE00000u

bool pci_route_message(const struct pci_device *d, uint8_t vector, uint32_t apic_id)
{
    unsigned at = d->cap[PCI_CAP_MSI], data = at + 8;
    uint32_t control;

    if (!at || apic_id > UINT8_MAX)
        return false;
    control = config_read32(&d->at, at) & ~MSI_GIVEN;
    config_write32(&d->at, at + 4, MSI_ADDRESS | apic_id << 12);
    if (control & MSI_WIDE) {
        config_write32(&d->at, data, 0);
        data += 4;
    }
    config_write32(&d->at, data, vector);
    config_write32(&d->at, at, control | MSI_ON);
    return true;
}

void pci_stop(struct pci_device *d)
{
    uint16_t command = config_read16(&d->at, CONFIG_COMMAND);

    d->stopped = true;
    config_write32(&d->at, CONFIG_COMMAND, command & ~PCI_COMMAND_MASTER);
}
