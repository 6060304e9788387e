/*
 * The hvm machine: which device is on which port and drives which line. See domain/machine.h.
 */
#include "domain/machine.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/machine_hvm.h"
#include "domain/pv_console.h"
#include "domain/vcpu.h"
#include "domain/wallclock.h"
#include "lib/likely.h"
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
static const struct {
    uint16_t first, last;
} known_absent[] = {
    { 0x80, 0x80 },   /* POST codes, and the delay of old drivers */
    { 0xED, 0xED },   /* the other delay */
    { 0x2E8, 0x2EF }, /* COM4 */
    { 0x3E8, 0x3EF }, /* COM3 */
};

/* The PC's own, which a pvh guest may look for before it knows better; and Xen's port 0x10, by
 * which it would ask for emulated devices to be taken away. */
static const struct {
    uint16_t first, last;
} absent_in_pvh[] = {
    { 0x10, 0x13 }, { 0x20, 0x21 },   { 0x40, 0x43 },   { 0x60, 0x64 },   { 0x70, 0x71 },
    { 0xA0, 0xA1 }, { 0xCF8, 0xCFF }, { 0x2F8, 0x2FF }, { 0x3F8, 0x3FF },
};

/* Among the ports that have been warned of, sleep types stand behind the last port. */
#define SLEEP_TYPES 0x10000u

/* ---- Lines ---- */

/* An ISA line is one pin of the 8259 pair and one of the I/O APIC; the timer's differ. */
static void isa_irq(void *ctx, unsigned irq, bool level)
{
    struct machine_hvm *m = ctx;

    vpic_set_irq(&m->pic, irq, level);
    vioapic_set_irq(&m->ioapic, irq == HVM_PIT_IRQ ? HVM_PIT_GSI : irq, level);
}

static struct line isa_line(struct machine_hvm *m, unsigned irq)
{
    return (struct line){ .set = isa_irq, .ctx = m, .n = irq };
}

/* The 8259 pair's INTR: LINT0 of vCPU 0. That it is pending is seen by asking; a halted vCPU has to
 * be told. */
static void pic_intr(void *ctx, unsigned n, bool level)
{
    struct machine_hvm *m = ctx;

    (void)n;
    if (level && m->domain->vcpu_count)
        vcpu_notice(m->domain->vcpus[0]);
}

/* The clock's line is also an event of the power management (ACPI, "Real Time Clock Alarm"). */
static void rtc_irq(void *ctx, unsigned irq, bool level)
{
    struct machine_hvm *m = ctx;

    isa_irq(m, irq, level);
    if (level)
        vpm_rtc_alarm(&m->pm);
}

static void reset_pulled(void *ctx, unsigned n, bool level)
{
    struct machine_hvm *m = ctx;

    (void)n;
    if (level)
        domain_end(m->domain, END_REBOOT, "reset line");
}

static void sleep_entered(void *ctx, unsigned type)
{
    struct machine_hvm *m = ctx;

    if (type == VPM_SLP_TYP_S5)
        domain_end(m->domain, END_POWEROFF, "ACPI S5");
    else if (domain_mention(&m->domain->unknown_ports, SLEEP_TYPES | type))
        log_warn("%s: ACPI sleep type %u asked for, which this machine does not have",
                 m->domain->name, type);
}

/* ---- The bus of the APICs ---- */

/* What one vCPU does with a message that reaches it. */
static void apic_deliver(struct vcpu *v, const struct apic_message *message)
{
    switch (message->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        vlapic_accept(&v->lapic, message->vector, message->level);
        if (!message->level && lapic_posted(v))
            return;
        break;
    case APIC_NMI:
        vmx_queue_nmi(&v->vmx);
        break;
    case APIC_INIT:
        vcpu_init_signal(v);
        break;
    case APIC_STARTUP:
        vcpu_startup_signal(v, message->vector);
        break;
    case APIC_EXTINT: /* the 8259's INTR is looked at before every entry */
    case APIC_SMI:    /* there is no SMM */
        return;
    }
    vcpu_notice(v);
}

void machine_apic_message(struct machine_hvm *m, const struct apic_message *message)
{
    for (unsigned i = 0; i < m->domain->vcpu_count; i++) {
        struct vcpu *v = m->domain->vcpus[i];
        bool lowest = message->mode == APIC_LOWEST; /* one of those that take any */
        if (!vlapic_addressed(&v->lapic, message))
            continue;
        if (lowest && !vlapic_takes_interrupts(&v->lapic))
            continue;
        apic_deliver(v, message);
        if (lowest)
            return;
    }
}

static void ioapic_deliver(void *ctx, const struct apic_message *message)
{
    machine_apic_message(ctx, message);
}

/* ---- Console ---- */

static bool com1_transmit(void *ctx, uint8_t byte)
{
    struct machine_hvm *m = ctx;

    return domain_hooks->console_put(m->domain, byte);
}

static void com1_room(void *ctx, uint64_t now)
{
    struct machine_hvm *m = ctx;

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

/* ---- Time ---- */

/* vCPU 0 does what is due: it has to know if that is now sooner than it thought. */
static void update_due(struct machine_hvm *m)
{
    uint64_t before = m->due.ns, first = DEVICE_NEVER;

    for (unsigned i = 0; i < DEV_COUNT; i++)
        if (m->device_due[i] < first)
            first = m->device_due[i];
    moment_set(&m->due, m->domain->tsc_zero, first);
    if (first < before && m->domain->vcpu_count)
        vcpu_notice(m->domain->vcpus[0]);
}

/* After anything that may have changed when device i is due. */
static inline void touched(struct machine_hvm *m, enum machine_device i)
{
    const struct device *dev = m->device[i];

    if (!dev || !dev->ops->deadline)
        return;
    uint64_t due = dev->ops->deadline(dev);
    if (likely(due == m->device_due[i]))
        return;
    m->device_due[i] = due;
    update_due(m);
}

void machine_tick(struct machine_hvm *m, uint64_t now)
{
    for (unsigned i = 0; i < DEV_COUNT; i++) {
        struct device *dev = m->device[i];
        if (now < m->device_due[i])
            continue;
        dev->ops->tick(dev, now);
        m->device_due[i] = dev->ops->deadline(dev);
    }
    update_due(m);
}

bool machine_console_give(struct machine_hvm *m, uint8_t byte)
{
    if (m->domain->type == DESCR_PVH)
        return pv_console_give(m->domain, byte);
    bool taken = vuart_receive(&m->com[0], byte, domain_now(m->domain));

    touched(m, DEV_COM1);
    return taken;
}

void machine_console_kick(struct machine_hvm *m)
{
    if (m->domain->type == DESCR_PVH) {
        pv_console_kick(m->domain);
        return;
    }
    vuart_kick(&m->com[0], domain_now(m->domain));
    touched(m, DEV_COM1);
}

/* ---- Accesses ---- */

/* size: 1, 2 or 4 */
static uint32_t all_ones(unsigned size)
{
    static const uint32_t ones[] = { [1] = 0xFF, [2] = 0xFFFF, [4] = ~0u };

    return ones[size];
}

static bool is_in(const struct port_range *r, uint16_t port)
{
    return (uint16_t)(port - r->first) <= r->last - r->first;
}

/* The map ends with a range that has every port, for what is not there: NULL. */
static const struct port_range *port_search(struct machine_hvm *m, uint16_t port)
{
    const struct port_range *r = m->ports;

    if (port == m->absent_port)
        return NULL;
    while (!is_in(r, port))
        r++;
    if (r->device == DEV_COUNT)
        return NULL;
    m->range = r;
    m->last_port = port;
    return r;
}

static inline const struct port_range *port_lookup(struct machine_hvm *m, uint16_t port)
{
    return likely(port == m->last_port) ? m->range : port_search(m, port);
}

static bool absence_is_known(const struct machine_hvm *m, uint16_t port)
{
    for (unsigned i = 0; i < sizeof(known_absent) / sizeof(known_absent[0]); i++)
        if (port >= known_absent[i].first && port <= known_absent[i].last)
            return true;
    if (m->domain->type != DESCR_PVH)
        return false;
    for (unsigned i = 0; i < sizeof(absent_in_pvh) / sizeof(absent_in_pvh[0]); i++)
        if (port >= absent_in_pvh[i].first && port <= absent_in_pvh[i].last)
            return true;
    return false;
}

/* The first time. */
static void warn_port(struct machine_hvm *m, uint16_t port, const char *what)
{
    if (port == m->absent_port)
        return;
    m->absent_port = port;
    if (absence_is_known(m, port))
        return;
    if (domain_mention(&m->domain->unknown_ports, port))
        log_warn("%s: %s port 0x%x, where nothing is", m->domain->name, what, port);
}

/* The time for a device that has to do with it; the others are not worth the sum. */
static uint64_t time_for(const struct machine_hvm *m, const struct device *dev)
{
    return dev->ops->deadline ? domain_now(m->domain) : 0;
}

static bool is_timeless(const struct device *dev, uint32_t offset)
{
    return !dev->ops->deadline || (offset < 32 && dev->ops->timeless >> offset & 1);
}

uint32_t machine_port_read(struct machine_hvm *m, uint16_t port, unsigned size)
{
    const struct port_range *r = port_lookup(m, port);

    if (!r) {
        warn_port(m, port, "read of");
        return all_ones(size);
    }
    struct device *dev = m->device[r->device];
    uint32_t offset = r->base + (port - r->first);
    if (is_timeless(dev, offset))
        return dev->ops->read(dev, offset, size, 0) & all_ones(size);
    uint32_t value = dev->ops->read(dev, offset, size, domain_now(m->domain));
    touched(m, r->device);
    return value & all_ones(size);
}

void machine_port_write(struct machine_hvm *m, uint16_t port, unsigned size, uint32_t value)
{
    const struct port_range *r = port_lookup(m, port);

    if (!r) {
        warn_port(m, port, "write to");
        return;
    }
    struct device *dev = m->device[r->device];
    uint32_t offset = r->base + (port - r->first);
    value &= all_ones(size);
    if (!dev->ops->deadline) {
        dev->ops->write(dev, offset, size, value, 0);
        return;
    }
    dev->ops->write(dev, offset, size, value, domain_now(m->domain));
    touched(m, r->device);
}

static bool ioapic_answers(const struct machine_hvm *m, gpa_t at)
{
    return at.v - HVM_IOAPIC_BASE < VIOAPIC_SIZE && m->device[DEV_IOAPIC];
}

/* The device whose registers are at this address, and the offset within; NULL: nothing is there. */
static struct device *mmio_lookup(struct machine_hvm *m, struct vcpu *v, gpa_t at, uint32_t *offset)
{
    if (vlapic_answers(&v->lapic, at.v)) {
        *offset = at.v % VLAPIC_SIZE;
        return &v->lapic.dev;
    }
    if (ioapic_answers(m, at)) {
        *offset = (uint32_t)(at.v - HVM_IOAPIC_BASE);
        return &m->ioapic.dev;
    }
    return NULL;
}

bool machine_has_mmio(const struct machine_hvm *m, const struct vcpu *v, gpa_t at)
{
    return vlapic_answers(&v->lapic, at.v) || ioapic_answers(m, at);
}

uint64_t machine_mmio_read(struct machine_hvm *m, struct vcpu *v, gpa_t at, unsigned size)
{
    uint32_t offset;
    struct device *dev = mmio_lookup(m, v, at, &offset);

    if (!dev)
        return ~0ul;
    uint64_t now = time_for(m, dev);
    if (size < 8)
        return dev->ops->read(dev, offset, size, now);
    uint64_t low = dev->ops->read(dev, offset, 4, now);
    return low | (uint64_t)dev->ops->read(dev, offset + 4, 4, now) << 32;
}

void machine_mmio_write(struct machine_hvm *m, struct vcpu *v, gpa_t at, unsigned size,
                        uint64_t value)
{
    uint32_t offset;
    struct device *dev = mmio_lookup(m, v, at, &offset);

    if (!dev)
        return;
    uint64_t now = time_for(m, dev);
    dev->ops->write(dev, offset, size < 8 ? size : 4, (uint32_t)value, now);
    if (size == 8)
        dev->ops->write(dev, offset + 4, 4, (uint32_t)(value >> 32), now);
    if (dev == &v->lapic.dev)
        vcpu_lapic_touched(v);
}

/* ---- Building ---- */

static void init_devices(struct machine_hvm *m, const struct memmap *map)
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
static void plug_legacy(struct machine_hvm *m)
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

void machine_init(struct machine_hvm *m, struct domain *d, const struct memmap *map)
{
    m->domain = d;
    m->last_port = m->absent_port = -1;
    m->ports = d->type == DESCR_PVH ? pvh_port_map : port_map;
    init_devices(m, map);
    m->device[DEV_RESET] = &m->reset.dev;
    m->device[DEV_PM] = &m->pm.dev;
    if (d->type == DESCR_HVM)
        plug_legacy(m);
    moment_init(&m->due);
    for (unsigned i = 0; i < DEV_COUNT; i++) {
        m->device_due[i] = DEVICE_NEVER;
        touched(m, i);
    }
    update_due(m);
}
