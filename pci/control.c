/*
 * What is told to a device by its configuration space.
 *
 * Sources: PCI Local Bus Specification 3.0, "Command Register", "MSI Capability Structure"; SDM,
 * "Message Signalled Interrupts".
 */
#include "pci/pci.h"

#define MSI_GIVEN (7u << 20) /* how many messages it may send: one */

void pci_tell_message(const struct pci_device *d, uint32_t abilities, const struct msi_message *m)
{
    unsigned at = d->cap[PCI_CAP_MSI];

    config_write32(&d->at, at + 4, (uint32_t)m->address);
    if (abilities & MSI_WIDE)
        config_write32(&d->at, at + 8, (uint32_t)(m->address >> 32));
    config_write32(&d->at, at + msi_data(abilities), m->data);
}

bool pci_route_message(const struct pci_device *d, uint8_t vector, uint32_t apic_id)
{
    const struct msi_message m = { MSI_ADDRESS | MSI_TO_CPU(apic_id), vector };
    unsigned at = d->cap[PCI_CAP_MSI];

    if (!at || apic_id > UINT8_MAX)
        return false;
    uint32_t control = config_read32(&d->at, at) & ~MSI_GIVEN;
    pci_tell_message(d, control, &m);
    config_write32(&d->at, at, control | MSI_ON);
    return true;
}

/* Known before it is told: see pci_is_stopped(). */
void pci_stop(struct pci_device *d)
{
    __atomic_store_n(&d->stopped, true, __ATOMIC_SEQ_CST);
    uint16_t command = config_read16(&d->at, CONFIG_COMMAND);
    config_write32(&d->at, CONFIG_COMMAND, (command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_NOINTX);
}
