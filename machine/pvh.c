/*
 * The board of a pvh guest: no device but the two ways to end. All else is its local APICs and what
 * it has by hypercalls. Who is made by the control domain has not even these: the tables that it
 * is given tell of no device at all.
 */
#include "machine/board.h"
#include "machine/pc.h"

/* The PC's own ports, which a guest may try before it knows better, are known not to be there; so
 * is Xen's port 0x10, by which it would ask for emulated devices to be taken away. */
static const struct port_range ports[] = {
    { HVM_PM_BASE, HVM_PM_BASE + VPM_BLOCK_SIZE - 1, DEV_PM, 0 },
    { HVM_RESET_PORT, HVM_RESET_PORT, DEV_RESET, 0 },
    { 0x10, 0x13, DEV_ABSENT, 0 },
    { HVM_PIC1_PORT, HVM_PIC1_PORT + 1, DEV_ABSENT, 0 },
    /* Of an 8254 that reads ones, Linux waits 100,000 reads long whether it counts down; only on
     * AMD's processors, as CPUID tells it Intel's rates. */
    { HVM_PIT_PORT, HVM_PIT_PORT + 3, DEV_ZEROS, 0 },
    { HVM_I8042_DATA, HVM_I8042_STATUS, DEV_ABSENT, 0 },
    { HVM_RTC_PORT, HVM_RTC_PORT + 1, DEV_ABSENT, 0 },
    { 0x80, 0x8F, DEV_ABSENT, 0 }, /* POST codes, and the pages of the DMA controllers */
    { HVM_PIC2_PORT, HVM_PIC2_PORT + 1, DEV_ABSENT, 0 },
    { 0xED, 0xED, DEV_ABSENT, 0 },   /* the other delay */
    { 0x2E8, 0x2EF, DEV_ABSENT, 0 }, /* COM4 */
    { HVM_COM2_PORT, HVM_COM2_PORT + 7, DEV_ABSENT, 0 },
    { 0x3E8, 0x3EF, DEV_ABSENT, 0 }, /* COM3 */
    { HVM_COM1_PORT, HVM_COM1_PORT + 7, DEV_ABSENT, 0 },
    { HVM_PIC_ELCR, HVM_PIC_ELCR + 1, DEV_ABSENT, 0 },
    { HVM_PCI_PORT, HVM_PCI_PORT + VPCI_SIZE - 1, DEV_PCI, 0 }, /* if it has devices */
    { HVM_PCI_PORT, HVM_PCI_PORT + VPCI_SIZE - 1, DEV_ABSENT, 0 },
    /* What the tables of Xen's tools tell of, and Xen's pvh domains have as little: a map of CPUs;
     * GPE0 and PM1, whose zeros say that no event has come: by ones Linux would find eight. */
    { 0xAF00, 0xAF0F, DEV_ABSENT, 0 },
    { 0xAFE0, 0xAFE3, DEV_ZEROS, 0 },
    { 0xB000, 0xB00B, DEV_ZEROS, 0 },
    { 0, 0xFFFF, DEV_NONE, 0 },
};

static void plug(struct machine *m, const struct machine_config *config)
{
    board_plug_power(m, (struct line){ .set = NULL });
    if (!config->pci)
        return;
    vpci_init(&m->pci, 0);
    m->device[DEV_PCI] = &m->pci.dev;
}

static void plug_nothing(struct machine *m, const struct machine_config *config)
{
    (void)m;
    (void)config;
}

const struct board board_pvh = { .ports = ports, .plug = plug };
const struct board board_bare = { .ports = ports, .plug = plug_nothing };
