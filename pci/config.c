/*
 * The two ways to configuration space. See pci/config.h.
 *
 * Sources: PCI Local Bus Specification 3.0, "Configuration Mechanism #1"; PCI Express Base
 * Specification, "PCI Express Enhanced Configuration Access Mechanism (ECAM)".
 */
#include "pci/config.h"

#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/spinlock.h"

#define PORT_ADDRESS 0xCF8
#define PORT_DATA    0xCFC
#define ENABLE       0x80000000u
#define DEVFN_SHIFT  12 /* ECAM: bytes of a function */

static struct spinlock lock = SPINLOCK_RANK("pci config", LOCK_PCI_CONFIG); /* of the two ports */

bool config_by_ports(void)
{
    uint32_t before = inl(PORT_ADDRESS), now;

    outl(PORT_ADDRESS, ENABLE);
    now = inl(PORT_ADDRESS);
    outl(PORT_ADDRESS, before);
    return now == ENABLE;
}

static void select(const struct config_place *p, unsigned offset)
{
    outl(PORT_ADDRESS, ENABLE | (uint32_t)p->bdf << 8 | offset);
}

/* Its register in memory; NULL: the ports are the way. */
static volatile uint8_t *in_memory(const struct config_place *p, unsigned offset)
{
    const struct config_segment *s = p->segment;

    ASSERT(offset < (s->ecam ? CONFIG_EXTENDED_BYTES : CONFIG_BYTES) && offset % 4 == 0);
    return s->ecam ? s->ecam + ((p->bdf - (s->from << 8)) << DEVFN_SHIFT | offset) : NULL;
}

uint32_t config_read32(const struct config_place *p, unsigned offset)
{
    volatile uint8_t *reg = in_memory(p, offset);
    uint32_t value;

    if (reg)
        return mmio_read32(reg);
    spin_lock(&lock);
    select(p, offset);
    value = inl(PORT_DATA);
    spin_unlock(&lock);
    return value;
}

/* Reading more than is asked for has no effect in configuration space. */
uint16_t config_read16(const struct config_place *p, unsigned offset)
{
    return (uint16_t)(config_read32(p, offset & ~3u) >> 8 * (offset & 3));
}

void config_write32(const struct config_place *p, unsigned offset, uint32_t value)
{
    volatile uint8_t *reg = in_memory(p, offset);

    if (reg) {
        mmio_write32(reg, value);
        return;
    }
    spin_lock(&lock);
    select(p, offset);
    outl(PORT_DATA, value);
    spin_unlock(&lock);
}
