/*
 * The machine's I/O APIC: which device interrupts reach Caisson, and as which vector.
 *
 * All lines stay masked but those that irq_route_isa() opens. They go to the boot CPU, whose APIC
 * id fits the 8 bits that a redirection entry has without interrupt remapping.
 *
 * Sources: Intel 82093AA data sheet; ACPI specification, "Interrupt Source Override Structure";
 * Intel VT for Directed I/O, "I/OxAPIC Programming".
 */
#include "arch/x86/ioapic.h"

#include <stdint.h>
#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/log.h"

/* Two windows in memory, in units of 32 bits. */
#define WINDOW_INDEX 0
#define WINDOW_DATA  4

#define REG_VERSION    0x01
#define REG_ENTRY(pin) (0x10 + 2 * (pin))

#define ENTRY_LOW_ACTIVE (1u << 13)
#define ENTRY_LEVEL      (1u << 15)
#define ENTRY_MASKED     (1u << 16)
#define ENTRY_DEST_SHIFT 24         /* in the upper half */
#define ENTRY_REMAPPED   (1u << 16) /* the same: the message names an entry of an IOMMU's table */
#define ENTRY_NAME_SHIFT 17

/* The 8259s are moved away from the exceptions' vectors before they are shut: even a masked one
 * can raise its line 7. */
static const struct {
    uint16_t port;
    uint8_t value;
} pic_setup[] = {
    { 0x20, 0x11 }, { 0xA0, 0x11 }, /* ICW1: cascade, ICW4 follows */
    { 0x21, 0x20 }, { 0xA1, 0x28 }, /* ICW2: vectors 0x20 and 0x28 */
    { 0x21, 0x04 }, { 0xA1, 0x02 }, /* ICW3: the slave is at line 2 */
    { 0x21, 0x01 }, { 0xA1, 0x01 }, /* ICW4: 8086 mode */
    { 0x21, 0xFF }, { 0xA1, 0xFF }, /* OCW1: all masked */
};

static volatile uint32_t *window; /* NULL: there is no I/O APIC. Boot only, as is pins */
static unsigned pins;
static ioapic_remap_fn remap; /* NULL: the CPU and the vector stand in the entry here */

static uint32_t ioapic_read(unsigned reg)
{
    window[WINDOW_INDEX] = reg;
    return window[WINDOW_DATA];
}

static void ioapic_write(unsigned reg, uint32_t value)
{
    window[WINDOW_INDEX] = reg;
    window[WINDOW_DATA] = value;
}

void ioapic_init(volatile void *mmio)
{
    for (unsigned i = 0; i < sizeof(pic_setup) / sizeof(pic_setup[0]); i++)
        outb(pic_setup[i].port, pic_setup[i].value);
    window = mmio;
    if (!window)
        return;
    pins = (ioapic_read(REG_VERSION) >> 16 & 0xFF) + 1;
    for (unsigned pin = 0; pin < pins; pin++)
        ioapic_write(REG_ENTRY(pin), ENTRY_MASKED);
}

/* An ISA line is active high and edge-triggered unless the MADT says otherwise. */
static uint32_t signal_bits(uint16_t flags)
{
    uint32_t bits = 0;

    if ((flags & ACPI_INTI_POLARITY) == ACPI_INTI_LOW)
        bits |= ENTRY_LOW_ACTIVE;
    if ((flags & ACPI_INTI_TRIGGER) == ACPI_INTI_LEVEL)
        bits |= ENTRY_LEVEL;
    return bits;
}

void ioapic_remap(ioapic_remap_fn fn)
{
    remap = fn;
}

int irq_route_isa(unsigned irq, irq_fn fn)
{
    uint32_t bits, high;
    unsigned pin;
    int vector;

    ASSERT(irq < 16);
    pin = acpi.isa[irq].gsi - acpi.ioapic_gsi_base;
    if (!window || pin >= pins) {
        log_warn("ioapic: no pin for ISA line %u", irq);
        return -ENODEV;
    }
    vector = irq_alloc_vector(fn);
    if (vector < 0)
        return vector;
    bits = signal_bits(acpi.isa[irq].flags);
    high = percpu[0].apic_id << ENTRY_DEST_SHIFT;
    if (remap) {
        remap((uint8_t)pin, (uint8_t)vector, percpu[0].apic_id, bits & ENTRY_LEVEL);
        high = pin << ENTRY_NAME_SHIFT | ENTRY_REMAPPED;
    }
    ioapic_write(REG_ENTRY(pin) + 1, high);
    ioapic_write(REG_ENTRY(pin), (uint32_t)vector | bits);
    return 0;
}
