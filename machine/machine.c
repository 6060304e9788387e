/*
 * The machine at work: its clock, and accesses to its ports and memory. See machine/machine.h;
 * which devices there are, and where, is in pc.c and pvh.c.
 */
#include "machine/machine.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "machine/board.h"
#include "machine/pc.h"
#include "lib/likely.h"
#include "lib/log.h"

/* ---- Time ---- */

static uint64_t clock_now(const struct machine *m)
{
    return tsc_to_ns(rdtsc() - m->tsc_zero);
}

/* Its owner does what is due: it has to know if that is now sooner than it thought. */
static void update_due(struct machine *m)
{
    uint64_t before = m->due.ns, first = TIME_NEVER;

    for (unsigned i = 0; i < DEV_COUNT; i++)
        if (m->device_due[i] < first)
            first = m->device_due[i];
    moment_set(&m->due, m->tsc_zero, first);
    if (first < before)
        m->owner->look(m->ctx);
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
    bool taken = vuart_receive(&m->com[0], byte, clock_now(m));

    refresh_deadline(m, DEV_COM1);
    return taken;
}

void machine_console_kick(struct machine *m)
{
    vuart_kick(&m->com[0], clock_now(m));
    refresh_deadline(m, DEV_COM1);
}

/* ---- Ports ---- */

static struct port *port_place(struct machine *m, uint16_t number)
{
    return &m->recent[number % PORTS_RECENT];
}

/* The first time, or the first after another one with the same place. */
static cold __attribute__((noinline)) void port_learn(struct machine *m, uint16_t number,
                                                      const char *what)
{
    struct port *p = port_place(m, number);

    *p = board_find_port(m, number);
    if (p->device != DEV_NONE)
        return;
    if (vpci_has_any(&m->pci)) /* it may have moved there by the next time */
        *p = (struct port){ .dev = &m->pci.ports,
                            .number = number,
                            .offset = number,
                            .device = DEV_NONE,
                            .split = p->split,
                            .reading = PORT_TIMELESS,
                            .clockless = true };
    if (!vpci_has_port(&m->pci, number) && warned_add(&m->unknown, number))
        log_warn("%s: %s port 0x%x, where nothing is", m->name, what, number);
}

/* What is rare about an access is called last, so that the rest has nothing to keep meanwhile. */
static cold __attribute__((noinline)) uint32_t read_new(struct machine *m, uint16_t port,
                                                        unsigned size)
{
    port_learn(m, port, "read of");
    return machine_port_read(m, port, size);
}

static cold __attribute__((noinline)) void write_new(struct machine *m, uint16_t port,
                                                     unsigned size, uint32_t value)
{
    port_learn(m, port, "write to");
    machine_port_write(m, port, size, value);
}

/* As a PC's bus does with what is wider than the device (8-bit ISA devices have 8 data lines). */
static cold __attribute__((noinline)) uint32_t read_bytes(struct machine *m, uint16_t port,
                                                          unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (machine_port_read(m, (uint16_t)(port + i), 1) & 0xff) << 8 * i;
    return value;
}

static cold __attribute__((noinline)) void write_bytes(struct machine *m, uint16_t port,
                                                       unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++)
        machine_port_write(m, (uint16_t)(port + i), 1, value >> 8 * i);
}

static __attribute__((noinline)) uint32_t read_and_ask(struct machine *m, const struct port *p,
                                                       unsigned size)
{
    uint32_t value = p->dev->ops->read(p->dev, p->offset, size, clock_now(m));

    refresh_deadline(m, p->device);
    return value;
}

static __attribute__((noinline)) void write_and_ask(struct machine *m, const struct port *p,
                                                    unsigned size, uint32_t value)
{
    p->dev->ops->write(p->dev, p->offset, size, value, clock_now(m));
    refresh_deadline(m, p->device);
}

uint32_t machine_port_read(struct machine *m, uint16_t port, unsigned size)
{
    const struct port *p = port_place(m, port);

    if (unlikely(p->number != port))
        return read_new(m, port, size);
    if (unlikely((uint8_t)size & p->split))
        return read_bytes(m, port, size);
    if (unlikely(!p->dev))
        return (uint32_t)(int16_t)p->offset;
    if (p->reading == PORT_TIMELESS)
        return p->dev->ops->read(p->dev, p->offset, size, 0);
    if (p->reading == PORT_STEADY)
        return p->dev->ops->read(p->dev, p->offset, size, tsc_to_ns_quick(rdtsc() - m->tsc_zero));
    return read_and_ask(m, p, size);
}

void machine_port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value)
{
    const struct port *p = port_place(m, port);

    if (unlikely(p->number != port)) {
        write_new(m, port, size, value);
        return;
    }
    if (unlikely((uint8_t)size & p->split)) {
        write_bytes(m, port, size, value);
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

static bool hpet_answers(const struct machine *m, gpa_t at)
{
    return at.v - HVM_HPET_BASE < VHPET_SIZE && m->device[DEV_HPET];
}

/* The device whose registers are at this address, and the offset within; NULL: it is the HPET, or
 * nothing is there. */
static struct device *mmio_lookup(struct machine *m, struct vlapic *l, gpa_t at, uint32_t *offset)
{
    if (vlapic_answers(l, at.v)) {
        *offset = at.v % VLAPIC_SIZE;
        return &l->dev;
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
    return dev->ops->deadline ? clock_now(m) : 0;
}

bool machine_has_mmio(const struct machine *m, const struct vlapic *l, gpa_t at)
{
    return vlapic_answers(l, at.v) || ioapic_answers(m, at) || hpet_answers(m, at);
}

/* A guest may probe for a device; one that comes often copies memory, or looks for it, where there
 * is none, an exit for each access, and might seem to hang. */
static cold void note_stray(struct machine *m, gpa_t at)
{
    if (++m->strays == STRAYS_TOLD)
        log_warn("%s: at 0x%lx, where nothing is, as %u times before: is it lost?", m->name, at.v,
                 STRAYS_TOLD - 1);
}

static inline __attribute__((always_inline)) uint64_t read_wide(struct device *dev, uint32_t offset,
                                                                unsigned size, uint64_t now)
{
    if (size < 8)
        return dev->ops->read(dev, offset, size, now);
    uint64_t low = dev->ops->read(dev, offset, 4, now);
    return low | (uint64_t)dev->ops->read(dev, offset + 4, 4, now) << 32;
}

static inline __attribute__((always_inline)) void
write_wide(struct device *dev, uint32_t offset, unsigned size, uint64_t value, uint64_t now)
{
    dev->ops->write(dev, offset, size < 8 ? size : 4, (uint32_t)value, now);
    if (size == 8)
        dev->ops->write(dev, offset + 4, 4, (uint32_t)(value >> 32), now);
}

static bool ecam_answers(const struct machine *m, gpa_t at)
{
    return at.v - HVM_ECAM_BASE < VPCI_ECAM_SIZE && vpci_has_ecam(&m->pci);
}

/* None of the board's own but PCI's is there. */
static __attribute__((noinline)) uint64_t read_plugged(struct machine *m, gpa_t at, unsigned size)
{
    uint64_t value = ~0ul;

    if (ecam_answers(m, at))
        return read_wide(&m->pci.ecam, (uint32_t)(at.v - HVM_ECAM_BASE), size, 0);
    if (!vpci_memory_read(&m->pci, at.v, size, &value))
        note_stray(m, at);
    return value;
}

static __attribute__((noinline)) void write_plugged(struct machine *m, gpa_t at, unsigned size,
                                                    uint64_t value)
{
    if (ecam_answers(m, at))
        write_wide(&m->pci.ecam, (uint32_t)(at.v - HVM_ECAM_BASE), size, value, 0);
    else if (!vpci_memory_write(&m->pci, at.v, size, value))
        note_stray(m, at);
}

/* The one device in memory whose deadline has to be asked for. */
static __attribute__((noinline)) uint64_t read_hpet(struct machine *m, gpa_t at, unsigned size)
{
    if (!hpet_answers(m, at))
        return read_plugged(m, at, size);
    uint32_t offset = (uint32_t)(at.v - HVM_HPET_BASE);
    uint64_t value = read_wide(&m->hpet.dev, offset, size, clock_now(m));
    refresh_deadline(m, DEV_HPET);
    return value;
}

static __attribute__((noinline)) void write_hpet(struct machine *m, gpa_t at, unsigned size,
                                                 uint64_t value)
{
    if (!hpet_answers(m, at)) {
        write_plugged(m, at, size, value);
        return;
    }
    write_wide(&m->hpet.dev, (uint32_t)(at.v - HVM_HPET_BASE), size, value, clock_now(m));
    refresh_deadline(m, DEV_HPET);
}

uint64_t machine_mmio_read(struct machine *m, struct vlapic *l, gpa_t at, unsigned size)
{
    uint32_t offset;
    struct device *dev = mmio_lookup(m, l, at, &offset);

    if (!dev)
        return read_hpet(m, at, size);
    return read_wide(dev, offset, size, time_for(m, dev));
}

void machine_mmio_write(struct machine *m, struct vlapic *l, gpa_t at, unsigned size,
                        uint64_t value)
{
    uint32_t offset;
    struct device *dev = mmio_lookup(m, l, at, &offset);

    if (!dev) {
        write_hpet(m, at, size, value);
        return;
    }
    write_wide(dev, offset, size, value, time_for(m, dev));
}
