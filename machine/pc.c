/*
 * The hvm machine: which device is on which port and drives which line. See machine/machine.h; what
 * becomes of an access is in machine.c.
 */
#include "machine/machine.h"
#include "domain/domain.h"
#include "machine/pc.h"
#include "xen/pv_console.h"
#include "domain/vcpu.h"
#include "machine/wallclock.h"
#include "lib/log.h"

/* The port map of the machine, hottest first; where two ranges meet the first one answers. `base`
 * is the device's own number of the first register. A port that is not here reads all ones. */
static const struct port_range {
    uint16_t first, last;
    enum machine_device device;
    uint32_t base;
} port_map[] = {
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
    { 0, 0xFFFF, DEV_COUNT, 0 },
};

/* The same for a pvh guest, which knows of nothing but the two ways to end. */
static const struct port_range pvh_port_map[] = {
    { HVM_PM_BASE, HVM_PM_BASE + VPM_BLOCK_SIZE - 1, DEV_PM, 0 },
    { HVM_RESET_PORT, HVM_RESET_PORT, DEV_RESET, 0 },
    { 0, 0xFFFF, DEV_COUNT, 0 },
};

/* Ports that software probes on every PC, without being answered: no warning is owed. */
static const struct ports {
    uint16_t first, last;
} known_absent[] = {
    { 0x80, 0x80 },   /* POST codes, and the delay of old drivers */
    { 0xED, 0xED },   /* the other delay */
    { 0x2E8, 0x2EF }, /* COM4 */
    { 0x3E8, 0x3EF }, /* COM3 */
};

/* The PC's own, which a pvh guest may look for before it knows better; and Xen's port 0x10, by
 * which it would ask for emulated devices to be taken away. */
static const struct ports absent_in_pvh[] = {
    { 0x10, 0x13 }, { 0x20, 0x21 },   { 0x40, 0x43 },   { 0x60, 0x64 },   { 0x70, 0x71 },
    { 0xA0, 0xA1 }, { 0xCF8, 0xCFF }, { 0x2F8, 0x2FF }, { 0x3F8, 0x3FF },
};

/* Among the ports that have been warned of, sleep types stand behind the last port. */
#define SLEEP_TYPES 0x10000u

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

/* The 8259 pair's INTR: LINT0 of vCPU 0. That it is pending is seen by asking; a halted vCPU has to
 * be told. */
static void pic_intr(void *ctx, unsigned n, bool level)
{
    struct machine *m = ctx;

    (void)n;
    if (level && m->domain->vcpu_count)
        vcpu_flag_or_kick(m->domain->vcpus[0]);
}

/* The clock's line is also an event of the power management (ACPI, "Real Time Clock Alarm"). */
static void rtc_irq(void *ctx, unsigned irq, bool level)
{
    struct machine *m = ctx;

    isa_irq(m, irq, level);
    if (level)
        vpm_rtc_alarm(&m->pm);
}

static void reset_pulled(void *ctx, unsigned n, bool level)
{
    struct machine *m = ctx;

    (void)n;
    if (level)
        domain_end(m->domain, END_REBOOT, "reset line");
}

static void sleep_entered(void *ctx, unsigned type)
{
    struct machine *m = ctx;

    if (type == VPM_SLP_TYP_S5)
        domain_end(m->domain, END_POWEROFF, "ACPI S5");
    else if (domain_warn_once(&m->domain->unknown_ports, SLEEP_TYPES | type))
        log_warn("%s: ACPI sleep type %u asked for, which this machine does not have",
                 m->domain->name, type);
}

static void ioapic_deliver(void *ctx, const struct apic_message *message)
{
    machine_apic_message(ctx, message);
}

/* ---- Console ---- */

static bool com1_transmit(void *ctx, uint8_t byte)
{
    struct machine *m = ctx;

    return domain_hooks->console_put(m->domain, &byte, 1);
}

static void com1_room(void *ctx, uint64_t now)
{
    struct machine *m = ctx;

    (void)now;
    domain_hooks->console_room(m->domain);
}

/* COM2 is there and leads nowhere. */
static bool com2_transmit(void *ctx, uint8_t byte)
{
    (void)ctx;
    (void)byte;
    return true;
}

/* ---- Who answers ---- */

static bool is_in(const struct port_range *r, uint16_t port)
{
    return (uint16_t)(port - r->first) <= r->last - r->first;
}

static bool is_among(const struct ports *list, unsigned n, uint16_t port)
{
    while (n-- > 0)
        if (port >= list[n].first && port <= list[n].last)
            return true;
    return false;
}

static bool absence_is_known(const struct machine *m, uint16_t port)
{
    if (is_among(known_absent, sizeof(known_absent) / sizeof(known_absent[0]), port))
        return true;
    return m->domain->type == DOMAIN_PVH &&
           is_among(absent_in_pvh, sizeof(absent_in_pvh) / sizeof(absent_in_pvh[0]), port);
}

/* The map ends with a range that has every port, for what is not there. */
struct port machine_find_port(const struct machine *m, uint16_t number)
{
    const struct port_range *r = m->ports;

    while (!is_in(r, number))
        r++;
    if (r->device == DEV_COUNT)
        return (struct port){ .number = number };
    struct device *dev = m->device[r->device];
    uint32_t offset = r->base + (number - r->first);
    uint32_t bit = offset < 32 ? 1u << offset : 0;
    bool timeless = !dev->ops->deadline;
    return (struct port){
        .dev = dev,
        .number = number,
        .offset = (uint16_t)offset,
        .device = (uint8_t)r->device,
        .timeless = timeless || dev->ops->timeless & bit,
        .steady = dev->ops->steady & bit,
        .clockless = timeless,
    };
}

void machine_warn_of_port(struct machine *m, uint16_t number, const char *what)
{
    if (!absence_is_known(m, number) && domain_warn_once(&m->domain->unknown_ports, number))
        log_warn("%s: %s port 0x%x, where nothing is", m->domain->name, what, number);
}

/* ---- Building ---- */

/* In each place a port whose place is another. */
static void forget_ports(struct machine *m)
{
    for (unsigned i = 0; i < PORTS_RECENT; i++)
        m->recent[i] = (struct port){ .number = (uint16_t)(i + 1) };
}

static void init_devices(struct machine *m, const struct memmap *map)
{
    struct line reset = { .set = reset_pulled, .ctx = m };

    vpic_init(&m->pic, (struct line){ .set = pic_intr, .ctx = m });
    m->ioapic_bus = (struct vioapic_bus){ .ctx = m, .deliver = ioapic_deliver };
    vioapic_init(&m->ioapic, HVM_IOAPIC_ID, &m->ioapic_bus);
    vpit_init(&m->pit, isa_line(m, HVM_PIT_IRQ), 0);
    vrtc_init(&m->rtc, (struct line){ .set = rtc_irq, .ctx = m, .n = HVM_RTC_IRQ }, wallclock_now(),
              0);
    vrtc_set_memory(&m->rtc, map->low_end, m->domain->config->mem - map->low_end);
    m->com_peer[0] = (struct vuart_peer){ .transmit = com1_transmit, .room = com1_room, .ctx = m };
    m->com_peer[1] = (struct vuart_peer){ .transmit = com2_transmit, .ctx = m };
    vuart_init(&m->com[0], isa_line(m, HVM_COM1_IRQ), &m->com_peer[0]);
    vuart_init(&m->com[1], isa_line(m, HVM_COM2_IRQ), &m->com_peer[1]);
    vi8042_init(&m->i8042, reset);
    vreset_init(&m->reset, reset);
    struct vpm_bus pm = {
        .ctx = m, .sleep = sleep_entered, .sci = isa_line(m, HVM_SCI_IRQ), .timer_32bit = true
    };
    vpm_init(&m->pm, &pm);
    vpci_init(&m->pci);
}

/* What only the hvm machine has. */
static void plug_legacy(struct machine *m)
{
    m->device[DEV_PIC] = &m->pic.dev;
    m->device[DEV_PIT] = &m->pit.dev;
    m->device[DEV_RTC] = &m->rtc.dev;
    m->device[DEV_COM1] = &m->com[0].dev;
    m->device[DEV_COM2] = &m->com[1].dev;
    m->device[DEV_I8042] = &m->i8042.dev;
    m->device[DEV_IOAPIC] = &m->ioapic.dev;
    m->device[DEV_PCI] = &m->pci.dev;
}

void machine_init(struct machine *m, struct domain *d, const struct memmap *map)
{
    m->domain = d;
    forget_ports(m);
    m->ports = d->type == DOMAIN_PVH ? pvh_port_map : port_map;
    init_devices(m, map);
    m->device[DEV_RESET] = &m->reset.dev;
    m->device[DEV_PM] = &m->pm.dev;
    if (d->type == DOMAIN_HVM)
        plug_legacy(m);
    moment_init(&m->due);
    for (unsigned i = 0; i < DEV_COUNT; i++)
        m->device_due[i] = m->device[i] && m->device[i]->ops->deadline ? 0 : DEVICE_NEVER;
    machine_tick(m, 0); /* each says when it really is */
}
