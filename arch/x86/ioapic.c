/*
 * The machine's I/O APIC: which device interrupts reach Caisson, and as which vector.
 *
 * All lines stay masked but those that irq_route_isa() opens, which go to the boot CPU, whose APIC
 * id fits the 8 bits that a redirection entry has without interrupt remapping; and those of PCI
 * devices that are given away.
 *
 * A PCI device's pin leads where the board's wires do, of which ACPI tells by programs in AML. But
 * firmware has also routed it to an ISA line, for systems without an I/O APIC, and left that one's
 * number in the device: the I/O APIC has these lines too. The chipset's register has which of them
 * are levels.
 *
 * Sources: Intel 82093AA data sheet; ACPI specification, "Interrupt Source Override Structure";
 * Intel VT for Directed I/O, "I/OxAPIC Programming"; Intel's ICH datasheets, "ELCR".
 */
#include "arch/x86/ioapic.h"

#include <stdint.h>
#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/spinlock.h"

/* Two registers in memory lead to the others. */
#define WINDOW_INDEX 0x00
#define WINDOW_DATA  0x10

#define REG_VERSION    0x01
#define REG_ENTRY(pin) (0x10 + 2 * (pin))

#define ENTRY_LOW_ACTIVE (1u << 13)
#define ENTRY_REMOTE_IRR (1u << 14) /* one has gone out, and its EOI has not come */
#define ENTRY_LEVEL      (1u << 15)
#define ENTRY_MASKED     (1u << 16)
#define ENTRY_DEST_SHIFT 24         /* in the upper half */
#define ENTRY_REMAPPED   (1u << 16) /* the same: the message names an entry of an IOMMU's table */
#define ENTRY_NAME_SHIFT 17
#define MOST_ID          0xFEu /* of a CPU, in an entry: 255 is everybody */

#define LINE_SHUT ENTRY_MASKED /* without a vector: it stays so */

#define ISA_LINES 16
#define ELCR      0x4D0 /* two ports; its bit 0 is the timer's, which is no level */

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

static volatile uint8_t *window; /* NULL: there is no I/O APIC. Boot only, as are the next three */
static unsigned pins;
static ioapic_remap_fn remap; /* NULL: the CPU and the vector stand in the entry here */
static uint32_t isa_routed;   /* a bit for each ISA line that Caisson has */

static struct spinlock lock = SPINLOCK_RANK("ioapic", LOCK_IOAPIC); /* the window */
static uint32_t line_low[ISA_LINES];                                /* of its entry. The lock */

static uint32_t ioapic_read(unsigned reg)
{
    mmio_write32(window + WINDOW_INDEX, reg);
    return mmio_read32(window + WINDOW_DATA);
}

static void ioapic_write(unsigned reg, uint32_t value)
{
    mmio_write32(window + WINDOW_INDEX, reg);
    mmio_write32(window + WINDOW_DATA, value);
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

static unsigned pin_of(unsigned irq)
{
    return acpi.isa[irq].gsi - acpi.ioapic_gsi_base;
}

/* Who is told: in an entry's upper half, or in the IOMMU's table, which that one names then. low:
 * the lower half, vector and trigger. */
static int tell(unsigned pin, uint32_t low, uint32_t apic_id, uint32_t *high)
{
    *high = apic_id << ENTRY_DEST_SHIFT;
    if (!remap)
        return apic_id <= MOST_ID ? 0 : -ERANGE;
    *high = pin << ENTRY_NAME_SHIFT | ENTRY_REMAPPED;
    return remap((uint8_t)pin, (uint8_t)low, apic_id, low & ENTRY_LEVEL);
}

static void set_line(unsigned irq, uint32_t low, uint32_t high)
{
    spin_lock(&lock);
    line_low[irq] = low;
    ioapic_write(REG_ENTRY(pin_of(irq)) + 1, high);
    ioapic_write(REG_ENTRY(pin_of(irq)), low);
    spin_unlock(&lock);
}

int irq_route_isa(unsigned irq, irq_fn fn)
{
    uint32_t high;

    ASSERT(irq < ISA_LINES);
    if (!window || pin_of(irq) >= pins) {
        log_warn("ioapic: no pin for ISA line %u", irq);
        return -ENODEV;
    }
    int vector = irq_alloc_vector(fn);
    if (vector < 0)
        return vector;
    uint32_t low = (uint32_t)vector | signal_bits(acpi.isa[irq].flags);
    int err = tell(pin_of(irq), low, percpu[0].apic_id, &high);
    if (err)
        return err;
    set_line(irq, low, high);
    isa_routed |= 1u << irq;
    return 0;
}

/* ---- Lines of PCI devices ---- */

/* Where the MADT leaves it to the bus, the chipset knows; if it has that register at all. */
static bool is_level(unsigned irq)
{
    uint16_t trigger = acpi.isa[irq].flags & ACPI_INTI_TRIGGER;
    uint16_t levels = (uint16_t)(inb(ELCR) | inb(ELCR + 1) << 8);

    return trigger ? trigger == ACPI_INTI_LEVEL : !(levels & 1) && levels >> irq & 1;
}

static bool is_alone(unsigned irq)
{
    unsigned sharers = 0;

    for (unsigned i = 0; i < ISA_LINES; i++)
        sharers += acpi.isa[i].gsi == acpi.isa[irq].gsi;
    return sharers == 1;
}

int ioapic_check_line(unsigned irq)
{
    if (!window || irq >= ISA_LINES || pin_of(irq) >= pins)
        return -ENODEV;
    if (isa_routed >> irq & 1 || !is_alone(irq))
        return -EBUSY;
    return is_level(irq) ? 0 : -EINVAL;
}

/* An entry whose vector changes meanwhile would wait for the other one's EOI for good. */
static bool is_under_way(unsigned irq)
{
    spin_lock(&lock);
    uint32_t low = ioapic_read(REG_ENTRY(pin_of(irq)));
    spin_unlock(&lock);
    return low & ENTRY_REMOTE_IRR;
}

/* The IOMMU is told without the lock, for which an interrupt may wait. One that does not answer may
 * send what comes anywhere: nothing does. */
int ioapic_route_line(unsigned irq, uint32_t apic_id, uint8_t vector)
{
    uint32_t low = ENTRY_LEVEL | ENTRY_MASKED | vector, high;

    if ((acpi.isa[irq].flags & ACPI_INTI_POLARITY) != ACPI_INTI_HIGH)
        low |= ENTRY_LOW_ACTIVE; /* as PCI has it */
    if (is_under_way(irq))
        return -EBUSY;
    int err = tell(pin_of(irq), low, apic_id, &high);
    if (!err)
        set_line(irq, low, high);
    else if (err == -ENODEV)
        set_line(irq, LINE_SHUT, 0);
    return err;
}

void ioapic_mask_line(unsigned irq, bool masked)
{
    spin_lock(&lock);
    if (line_low[irq] != LINE_SHUT)
        line_low[irq] = (line_low[irq] & ~ENTRY_MASKED) | (masked ? ENTRY_MASKED : 0);
    ioapic_write(REG_ENTRY(pin_of(irq)), line_low[irq]);
    spin_unlock(&lock);
}
