/*
 * The machine at work: its clock, accesses to its ports and memory, messages between its APICs. See
 * machine/machine.h; which devices there are, and where, is in pc.c.
 */
#include "machine/machine.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "machine/pc.h"
#include "xen/pv_console.h"
#include "domain/vcpu.h"
#include "lib/likely.h"

/* ---- Time ---- */

/* vCPU 0 does what is due: it has to know if that is now sooner than it thought. */
static void update_due(struct machine *m)
{
    uint64_t before = m->due.ns, first = DEVICE_NEVER;

    for (unsigned i = 0; i < DEV_COUNT; i++)
        if (m->device_due[i] < first)
            first = m->device_due[i];
    moment_set(&m->due, m->domain->tsc_zero, first);
    if (first < before && m->domain->vcpu_count)
        vcpu_flag_or_kick(m->domain->vcpus[0]);
}

/* After anything that may have changed when device i, which has a clockwork, is due. */
static __attribute__((noinline)) void refresh_deadline(struct machine *m, enum machine_device i)
{
    const struct device *dev = m->device[i];
    uint64_t due = dev->ops->deadline(dev);

    if (likely(due == m->device_due[i]))
        return;
    m->device_due[i] = due;
    update_due(m);
}

void machine_tick(struct machine *m, uint64_t now)
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

bool machine_console_give(struct machine *m, uint8_t byte)
{
    if (m->domain->type == DOMAIN_PVH)
        return pv_console_give(m->domain, byte);
    bool taken = vuart_receive(&m->com[0], byte, domain_now(m->domain));

    refresh_deadline(m, DEV_COM1);
    return taken;
}

void machine_console_kick(struct machine *m)
{
    if (m->domain->type == DOMAIN_PVH) {
        pv_console_kick(m->domain);
        return;
    }
    vuart_kick(&m->com[0], domain_now(m->domain));
    refresh_deadline(m, DEV_COM1);
}

/* ---- Ports ---- */

static struct port *port_place(struct machine *m, uint16_t number)
{
    return &m->recent[number % PORTS_RECENT];
}

/* The first time, or the first after another one with the same place. */
static __attribute__((noinline, cold)) void port_learn(struct machine *m, uint16_t number,
                                                       const char *what)
{
    struct port *p = port_place(m, number);

    *p = machine_find_port(m, number);
    if (!p->dev)
        machine_warn_of_port(m, number, what);
}

/* What is rare about an access is called last, so that the rest has nothing to keep meanwhile. */
static __attribute__((noinline, cold)) uint32_t read_new(struct machine *m, uint16_t port,
                                                         unsigned size)
{
    port_learn(m, port, "read of");
    return machine_port_read(m, port, size);
}

static __attribute__((noinline, cold)) void write_new(struct machine *m, uint16_t port,
                                                      unsigned size, uint32_t value)
{
    port_learn(m, port, "write to");
    machine_port_write(m, port, size, value);
}

static __attribute__((noinline)) uint32_t read_and_ask(struct machine *m, const struct port *p,
                                                       unsigned size)
{
    uint32_t value = p->dev->ops->read(p->dev, p->offset, size, domain_now(m->domain));

    refresh_deadline(m, p->device);
    return value;
}

static __attribute__((noinline)) void write_and_ask(struct machine *m, const struct port *p,
                                                    unsigned size, uint32_t value)
{
    p->dev->ops->write(p->dev, p->offset, size, value, domain_now(m->domain));
    refresh_deadline(m, p->device);
}

uint32_t machine_port_read(struct machine *m, uint16_t port, unsigned size)
{
    const struct port *p = port_place(m, port);

    if (unlikely(p->number != port))
        return read_new(m, port, size);
    if (unlikely(!p->dev))
        return UINT32_MAX;
    if (p->timeless)
        return p->dev->ops->read(p->dev, p->offset, size, 0);
    if (p->steady)
        return p->dev->ops->read(p->dev, p->offset, size, domain_now_quick(m->domain));
    return read_and_ask(m, p, size);
}

void machine_port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value)
{
    const struct port *p = port_place(m, port);

    if (unlikely(p->number != port)) {
        write_new(m, port, size, value);
        return;
    }
    if (unlikely(!p->dev))
        return;
    if (p->clockless) {
        p->dev->ops->write(p->dev, p->offset, size, value, 0);
        return;
    }
    write_and_ask(m, p, size, value);
}

/* ---- Device memory ---- */

static bool ioapic_answers(const struct machine *m, gpa_t at)
{
    return at.v - HVM_IOAPIC_BASE < VIOAPIC_SIZE && m->device[DEV_IOAPIC];
}

/* The device whose registers are at this address, and the offset within; NULL: nothing is there. */
static struct device *mmio_lookup(struct machine *m, struct vcpu *v, gpa_t at, uint32_t *offset)
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

/* The time for a device that has to do with it; the others are not worth the sum. */
static uint64_t time_for(const struct machine *m, const struct device *dev)
{
    return dev->ops->deadline ? domain_now(m->domain) : 0;
}

bool machine_has_mmio(const struct machine *m, const struct vcpu *v, gpa_t at)
{
    return vlapic_answers(&v->lapic, at.v) || ioapic_answers(m, at);
}

uint64_t machine_mmio_read(struct machine *m, struct vcpu *v, gpa_t at, unsigned size)
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

void machine_mmio_write(struct machine *m, struct vcpu *v, gpa_t at, unsigned size, uint64_t value)
{
    uint32_t offset;
    struct device *dev = mmio_lookup(m, v, at, &offset);

    if (!dev)
        return;
    uint64_t now = time_for(m, dev);
    dev->ops->write(dev, offset, size < 8 ? size : 4, (uint32_t)value, now);
    if (size == 8)
        dev->ops->write(dev, offset + 4, 4, (uint32_t)(value >> 32), now);
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
        virt_queue_nmi(&v->virt);
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
    vcpu_flag_or_kick(v);
}

void machine_apic_message(struct machine *m, const struct apic_message *message)
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
