/*
 * The board of an hvm guest, a PC: which device is on which port and drives which line. See
 * machine/board.h; what becomes of an access is in machine.c.
 */
#include "machine/pc.h"
#include "devices/vlapic.h"
#include "machine/board.h"
#include "arch/x86/wallclock.h"
#include "machine/bios_vectors.h"

static const struct port_range ports[] = {
    { HVM_COM1_PORT, HVM_COM1_PORT + 7, DEV_COM1, 0 },
    { HVM_PIT_PORT, HVM_PIT_PORT + 3, DEV_PIT, 0 },
    { HVM_PIC1_PORT, HVM_PIC1_PORT + 1, DEV_PIC, 0 },
    { HVM_PIC2_PORT, HVM_PIC2_PORT + 1, DEV_PIC, 2 },
    { HVM_PM_BASE, HVM_PM_BASE + VPM_BLOCK_SIZE - 1, DEV_PM, 0 },
    { HVM_RTC_PORT, HVM_RTC_PORT + 1, DEV_RTC, 0 },
    { HVM_PORT_61, HVM_PORT_61, DEV_PIT, 4 },
    { HVM_I8042_DATA, HVM_I8042_DATA, DEV_I8042, 0 },
    { HVM_I8042_STATUS, HVM_I8042_STATUS, DEV_I8042, 1 },
    { HVM_COM2_PORT, HVM_COM2_PORT + 7, DEV_COM2, 0 },
    { HVM_PIC_ELCR, HVM_PIC_ELCR + 1, DEV_PIC, 4 },
    { HVM_RESET_PORT, HVM_RESET_PORT, DEV_RESET, 0 },
    { HVM_FAST_A20_PORT, HVM_FAST_A20_PORT, DEV_RESET, 1 },
    { HVM_SMI_PORT, HVM_SMI_PORT, DEV_PM, VPM_SMI_COMMAND },
    { HVM_PCI_PORT, HVM_PCI_PORT + VPCI_SIZE - 1, DEV_PCI, 0 },
    { HVM_FWCFG_PORT, HVM_FWCFG_PORT + VFWCFG_SIZE - 1, DEV_FWCFG, 0 },
    { HVM_DEBUG_PORT, HVM_DEBUG_PORT, DEV_ABSENT, 0 }, /* where firmware for QEMU has its log */
    { 0x0D, 0x0D, DEV_ABSENT, 0 },                     /* a DMA controller's reset */
    { 0xD4, 0xDA, DEV_ABSENT, 0 },                     /* the other's */
    { 0x278, 0x27A, DEV_ABSENT, 0 },                   /* LPT2 */
    { 0x378, 0x37A, DEV_ABSENT, 0 },                   /* LPT1 */
    { HVM_CRTC_PORT, HVM_CRTC_PORT + 1, DEV_CRTC, 0 },
    { 0x80, 0x80, DEV_ABSENT, 0 },   /* POST codes, and the delay of old drivers */
    { 0xED, 0xED, DEV_ABSENT, 0 },   /* the other delay */
    { 0x2E8, 0x2EF, DEV_ABSENT, 0 }, /* COM4 */
    { 0x3E8, 0x3EF, DEV_ABSENT, 0 }, /* COM3 */
    { 0, 0xFFFF, DEV_NONE, 0 },
};

/* ---- Lines ---- */

/* An ISA line is one pin of the 8259 pair and one of the I/O APIC; the timer's differ. */
static void isa_irq(void *ctx, unsigned irq, bool level)
{
    struct machine *m = ctx;

    vpic_set_irq(&m->pic, irq, level);
    vioapic_set_irq(&m->ioapic, irq == HVM_PIT_IRQ ? HVM_PIT_GSI : irq, level);
}

static struct line isa_line(struct machine *m, unsigned irq)
{
    return (struct line){ .set = isa_irq, .ctx = m, .n = irq };
}

/* In legacy replacement the HPET has the lines of timer and clock (IA-PC HPET Specification,
 * "LegacyReplacement Option"). */
static void pit_irq(void *ctx, unsigned irq, bool level)
{
    struct machine *m = ctx;

    if (!vhpet_replaces_legacy(&m->hpet))
        isa_irq(m, irq, level);
}

static void hpet_pin(void *ctx, unsigned pin, bool level)
{
    struct machine *m = ctx;

    if (vhpet_replaces_legacy(&m->hpet) && (pin == HVM_PIT_IRQ || pin == HVM_RTC_IRQ))
        isa_irq(m, pin, level);
    else
        vioapic_set_irq(&m->ioapic, pin, level);
}

/* The two lines change hands. */
static void hpet_legacy(void *ctx, unsigned n, bool replaced)
{
    struct machine *m = ctx;

    (void)n;
    isa_irq(m, HVM_PIT_IRQ, !replaced && m->pit.out0_level);
    isa_irq(m, HVM_RTC_IRQ, !replaced && m->rtc.irq_level);
}

/* The 8259 pair's INTR: LINT0 of vCPU 0. That it is pending is seen by asking; a halted vCPU has to
 * be told. */
static void pic_intr(void *ctx, unsigned n, bool level)
{
    struct machine *m = ctx;

    (void)n;
    if (level)
        m->owner->look(m->ctx);
}

/* The clock's line is also an event of the power management (ACPI, "Real Time Clock Alarm"). */
static void rtc_irq(void *ctx, unsigned irq, bool level)
{
    struct machine *m = ctx;

    if (!vhpet_replaces_legacy(&m->hpet))
        isa_irq(m, irq, level);
    if (level)
        vpm_rtc_alarm(&m->pm);
}

/* ---- Lines of PCI devices ---- */

/* Each is a pin of the I/O APIC, and two and two an input of the 8259 pair. Neither knows which of
 * the two controllers the guest makes use of. */
static void pci_irq(void *ctx, unsigned line, bool level)
{
    struct machine *m = ctx;
    bool either = false;

    for (unsigned i = 0; i < VPCI_LINES; i++)
        either |= VPCI_ISA_IRQ(i) == VPCI_ISA_IRQ(line) && m->pci.raised[i];
    vpic_set_irq(&m->pic, VPCI_ISA_IRQ(line), either);
    vioapic_set_irq(&m->ioapic, HVM_PCI_GSI + line, level);
}

static void pci_ended(void *ctx, unsigned pin, bool level)
{
    struct machine *m = ctx;

    (void)level;
    vpci_end(&m->pci, pin - HVM_PCI_GSI);
}

static uint32_t pic_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct machine *m = container_of(dev, struct machine, watched_pic);

    return m->pic.dev.ops->read(&m->pic.dev, offset, size, now);
}

/* What was in service and is no longer has been ended. (In automatic EOI mode nothing ever is in
 * service: nobody uses that for lines that are levels.) */
static void pic_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                      uint64_t now)
{
    struct machine *m = container_of(dev, struct machine, watched_pic);
    unsigned before = m->pic.chip[1].isr;

    m->pic.dev.ops->write(&m->pic.dev, offset, size, value, now);
    unsigned ended = (before & ~m->pic.chip[1].isr) << 8;
    for (unsigned line = 0; line < VPCI_LINES; line++)
        if (ended >> VPCI_ISA_IRQ(line) & 1)
            vpci_end(&m->pci, line);
}

static const struct device_ops watched_pic_ops = { .read = pic_read, .write = pic_write };

static void connect_pci(struct machine *m)
{
    m->pci.intx = (struct line){ .set = pci_irq, .ctx = m };
    m->ioapic.ended = (struct line){ .set = pci_ended, .ctx = m };
    m->ioapic.watched = ((1u << VPCI_LINES) - 1) << HVM_PCI_GSI;
    m->watched_pic.ops = &watched_pic_ops;
    m->device[DEV_PIC] = &m->watched_pic;
}

/* COM2 is there and leads nowhere. */
static bool com2_transmit(void *ctx, uint8_t byte)
{
    (void)ctx;
    (void)byte;
    return true;
}

/* ---- Building ---- */

static void plug_timers(struct machine *m, const struct machine_config *c)
{
    struct line pit = { .set = pit_irq, .ctx = m, .n = HVM_PIT_IRQ };
    struct line rtc = { .set = rtc_irq, .ctx = m, .n = HVM_RTC_IRQ };

    vhpet_init(&m->hpet, (struct line){ .set = hpet_pin, .ctx = m },
               (struct line){ .set = hpet_legacy, .ctx = m });
    vpit_init(&m->pit, pit, 0);
    vrtc_init(&m->rtc, rtc, wallclock_now(), 0);
    vrtc_set_memory(&m->rtc, c->ram_low, c->ram_above);
    m->device[DEV_PIT] = &m->pit.dev;
    m->device[DEV_RTC] = &m->rtc.dev;
    m->device[DEV_HPET] = c->no_hpet ? NULL : &m->hpet.dev;
}

static void plug_controllers(struct machine *m)
{
    vpic_init(&m->pic, (struct line){ .set = pic_intr, .ctx = m });
    m->ioapic_bus = (struct vioapic_bus){ .ctx = m->ctx,
                                          .deliver = m->owner->apic_message,
                                          .look = m->owner->look };
    vioapic_init(&m->ioapic, HVM_IOAPIC_ID, &m->ioapic_bus);
    m->device[DEV_PIC] = &m->pic.dev;
    m->device[DEV_IOAPIC] = &m->ioapic.dev;
}

static void plug_uarts(struct machine *m)
{
    struct vuart_peer console = { .transmit = m->owner->console_put,
                                  .room = m->owner->console_room,
                                  .ctx = m->ctx };
    struct vuart_peer nobody = { .transmit = com2_transmit };

    vuart_init(&m->com[0], isa_line(m, HVM_COM1_IRQ), &console);
    vuart_init(&m->com[1], isa_line(m, HVM_COM2_IRQ), &nobody);
    m->device[DEV_COM1] = &m->com[0].dev;
    m->device[DEV_COM2] = &m->com[1].dev;
}

static void plug_firmware(struct machine *m, const struct machine_config *c)
{
    struct vfwcfg_memory memory = { .ctx = m->ctx,
                                    .read = m->owner->memory_read,
                                    .write = m->owner->memory_write };

    vfwcfg_init(&m->fwcfg, c->firmware, c->firmware_items, &memory);
    m->device[DEV_FWCFG] = &m->fwcfg.dev;
}

static void plug(struct machine *m, const struct machine_config *c)
{
    plug_controllers(m);
    plug_timers(m, c);
    plug_uarts(m);
    vi8042_init(&m->i8042, board_reset_line(m), !c->firmware);
    vpci_init(&m->pci, c->firmware ? HVM_PM_BASE : 0);
    if (c->pci)
        connect_pci(m);
    vcrtc_init(&m->crtc);
    m->device[DEV_I8042] = &m->i8042.dev;
    m->device[DEV_PCI] = &m->pci.dev;
    m->device[DEV_CRTC] = &m->crtc.dev;
    board_plug_power(m, isa_line(m, HVM_SCI_IRQ));
    if (c->firmware)
        plug_firmware(m, c);
}

/* ---- What firmware leaves ---- */

/* The 8259s at the vectors of real mode, timer and cascade alone not masked; the timer at its
 * slowest, 18.2 times a second, by a count of 0. */
void pc_start_as_firmware(struct machine *m)
{
    static const struct {
        uint8_t port, value;
    } writes[] = {
        { HVM_PIC1_PORT, 0x11 },
        { HVM_PIC1_PORT + 1, BIOS_IRQ_VECTOR },
        { HVM_PIC1_PORT + 1, 4 },
        { HVM_PIC1_PORT + 1, 1 },
        { HVM_PIC1_PORT + 1, 0xFA },
        { HVM_PIC2_PORT, 0x11 },
        { HVM_PIC2_PORT + 1, BIOS_IRQ_VECTOR2 },
        { HVM_PIC2_PORT + 1, 2 },
        { HVM_PIC2_PORT + 1, 1 },
        { HVM_PIC2_PORT + 1, 0xFF },
        { HVM_PIT_PORT + 3, 0x34 }, /* mode 2, whose count is cheaper to read than mode 3's */
        { HVM_PIT_PORT, 0 },
        { HVM_PIT_PORT, 0 },
    };

    for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        machine_port_write(m, writes[i].port, 1, writes[i].value);
}

const struct board board_pc = { .ports = ports, .plug = plug };

/* What firmware leaves behind on the first CPU: the 8259's interrupts pass through LINT0 ("virtual
 * wire mode"), NMI comes at LINT1 (MultiProcessor Specification, "Virtual Wire Mode"). */
void pc_set_virtual_wire(struct vlapic *l)
{
    static const struct {
        uint32_t offset, value;
    } writes[] = {
        { 0x0F0, 0x10F }, /* spurious vector, software enable */
        { 0x350, 0x700 }, /* LVT LINT0: ExtINT */
        { 0x360, 0x400 }, /* LVT LINT1: NMI */
    };

    for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        l->dev.ops->write(&l->dev, writes[i].offset, 4, writes[i].value, 0);
}
