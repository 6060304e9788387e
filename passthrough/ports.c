/*
 * A device's ports, where its guest's BARs say. Each access exits, and is carried out here on the
 * device's own ports: few drivers make use of them for more than a few registers, and the
 * processor's bitmap of ports, which could let a guest at them, leaves them where the machine has
 * them.
 *
 * A device answers at all of its ports or at none. So if one BAR of them is somewhere else than it
 * may be, its guest sees none, and the device is not let answer there.
 */
#include "arch/x86/insn.h"
#include "lib/log.h"
#include "passthrough/assigned.h"

void ports_open(struct assigned *a)
{
    const struct pci_device *d = a->device;
    const char *why = place_objection(d, true);

    if (why)
        log_warn("%s: pci=%s: no ports: %s", a->owner.name, pci_name(&d->at).text, why);
    for (unsigned i = 0; i < ASSIGNED_BARS && !why; i++)
        if (d->bar[i].io)
            a->ports[i] =
                (struct ports){ .base = (uint16_t)d->bar[i].base, .size = d->bar[i].size };
}

void ports_move(struct assigned *a)
{
    bool enabled = a->word[CONFIG_COMMAND / 4].value & PCI_COMMAND_IO;

    for (unsigned i = 0; i < ASSIGNED_BARS; i++) {
        const struct field *w = &a->word[CONFIG_BAR / 4 + i];
        struct ports *p = &a->ports[i];
        p->at = w->value & w->kept;
        p->on = enabled && p->size && p->at < PORTS_END;
    }
}

/* NULL: nobody. Of two in one place the first one answers. */
static const struct ports *find(const struct assigned *a, uint16_t port)
{
    for (const struct ports *p = a->ports; p < a->ports + ASSIGNED_BARS; p++)
        if (p->on && port - p->at < p->size)
            return p;
    return NULL;
}

bool ports_has(struct vpci_function *f, uint16_t port)
{
    return find(container_of(f, struct assigned, function), port);
}

/* The device's own; 0: nothing, as for what is not aligned, or leaves them. */
static uint16_t place_of(const struct vpci_function *f, uint16_t port, unsigned size)
{
    const struct assigned *a = container_of(f, struct assigned, function);
    const struct ports *p = find(a, port);
    uint32_t offset = p ? port - p->at : 0;

    return p && offset % size == 0 && offset + size <= p->size ? (uint16_t)(p->base + offset) : 0;
}

uint32_t ports_read(struct vpci_function *f, uint16_t port, unsigned size)
{
    uint16_t at = place_of(f, port, size);

    if (!at)
        return UINT32_MAX;
    return size == 1 ? inb(at) : size == 2 ? inw(at) : inl(at);
}

void ports_write(struct vpci_function *f, uint16_t port, unsigned size, uint32_t value)
{
    uint16_t at = place_of(f, port, size);

    if (!at)
        return;
    if (size == 1)
        outb(at, (uint8_t)value);
    else if (size == 2)
        outw(at, (uint16_t)value);
    else
        outl(at, value);
}
