/*
 * The host bridge is that of Intel's 440FX, which every operating system knows to need nothing. The
 * PIIX4 has an ISA bridge, behind which firmware looks for serial ports and keyboard, and the
 * function in which it finds the PM timer. All of their configuration space is read-only here. What
 * is plugged in answers for itself.
 */
#include "devices/vpci.h"
#include "lib/assert.h"
#include "lib/nospec.h"

#define ADDRESS_ENABLE   (1u << 31)
#define ADDRESS_BITS     0x80FFFFFCu /* the rest is reserved, and reads 0 */
#define ADDRESS_FUNCTION 0x00FFFF00u /* bus, device and function */
#define ADDRESS_REGISTER 0x000000FCu
#define SLOT_SHIFT       11

/* PCI specification, "Type 00h Configuration Space Header": the first doublewords. */
static const uint32_t host_bridge[] = {
    0x12378086, /* device, vendor: 82441FX */
    0x02800006, /* status: fast back-to-back, medium DEVSEL; command: memory, bus master */
    0x06000002, /* class: host bridge; revision */
};
/* Intel's 82371AB (PIIX4) datasheet, "PCI to ISA/EIO Bridge", "Power Management": the base of the
 * latter's ports has its bit 0 set, as all of PCI's; it is enabled, and APMC makes no SMI. */
static const uint32_t isa_bridge[] = {
    0x71108086, 0x02800007, /* command: I/O, memory, bus master */
    0x06010001,             /* class: ISA bridge */
    0x00800000,             /* several functions */
};
static const uint32_t power_management[] = {
    0x71138086, 0x02800001, /* command: I/O */
    0x06800003,             /* class: other bridge */
};
enum { PM_BASE = 0x40, DEVICE_ACTIVITY_B = 0x58, PM_MISCELLANEOUS = 0x80 };

#define APMC_ENABLED (1u << 25)
#define PM_ENABLED   1u

static const struct function {
    uint32_t address;
    const uint32_t *header;
    unsigned count; /* doublewords of it */
    bool piix4;
} functions[] = {
    { 0x0000, host_bridge, sizeof(host_bridge) / 4, false },
    { 0x0800, isa_bridge, sizeof(isa_bridge) / 4, true },
    { 0x0B00, power_management, sizeof(power_management) / 4, true },
};
#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))
#define PM        (&functions[2])

/* address: as mechanism 1 has it. */
static const struct function *find_function(const struct vpci *p, uint32_t address)
{
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        if (functions[i].address == (address & ADDRESS_FUNCTION) &&
            (p->pm_base || !functions[i].piix4))
            return address & ADDRESS_ENABLE ? &functions[i] : NULL;
    }
    return NULL;
}

static uint32_t read_power_management(const struct vpci *p, uint32_t reg)
{
    switch (reg) {
    case PM_BASE:
        return p->pm_base | 1u;
    case DEVICE_ACTIVITY_B:
        return APMC_ENABLED;
    case PM_MISCELLANEOUS:
        return PM_ENABLED;
    default:
        return 0;
    }
}

/* Who is plugged in where the address leads; NULL: nobody. */
static struct vpci_function *find_plugged(const struct vpci *p, uint32_t address)
{
    uint32_t place = address & ADDRESS_FUNCTION;
    uint32_t slot = (place >> SLOT_SHIFT) - VPCI_FIRST_SLOT; /* buses count on */

    if (!(address & ADDRESS_ENABLE) || place % (1u << SLOT_SHIFT) || slot >= VPCI_SLOTS)
        return NULL;
    return p->plugged[index_nospec(slot, VPCI_SLOTS)];
}

/* The doubleword that the address names. */
static uint32_t config_read(const struct vpci *p, uint32_t address)
{
    const struct function *f = find_function(p, address);
    struct vpci_function *plugged = find_plugged(p, address);
    uint32_t reg = address & ADDRESS_REGISTER;

    if (plugged)
        return plugged->ops->read(plugged, reg);
    if (!f)
        return UINT32_MAX;
    if (reg / 4 < f->count)
        return f->header[reg / 4];
    return f == PM ? read_power_management(p, reg) : 0;
}

/* The address answers to 32 bits only; smaller accesses go past it, to whoever else is there. */
static uint32_t vpci_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    const struct vpci *p = container_of(dev, struct vpci, dev);

    (void)now;
    if (offset == VPCI_ADDRESS && size == 4)
        return p->address;
    if (offset < VPCI_DATA || offset + size > VPCI_SIZE)
        return UINT32_MAX;
    return config_read(p, p->address) >> (offset - VPCI_DATA) * 8;
}

/* Bytes of that doubleword from this one on. */
static void config_write(const struct vpci *p, uint32_t address, unsigned byte, unsigned size,
                         uint32_t value)
{
    struct vpci_function *plugged = find_plugged(p, address);
    uint32_t mask = UINT32_MAX >> (32 - 8 * size);

    if (plugged)
        plugged->ops->write(plugged, address & ADDRESS_REGISTER, (value & mask) << 8 * byte,
                            mask << 8 * byte);
}

static void vpci_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    struct vpci *p = container_of(dev, struct vpci, dev);

    (void)now;
    if (offset == VPCI_ADDRESS && size == 4)
        p->address = value & ADDRESS_BITS;
    else if (offset >= VPCI_DATA && offset + size <= VPCI_SIZE)
        config_write(p, p->address, offset - VPCI_DATA, size, value);
}

/* ---- By memory ---- */

#define ECAM_REGISTERS 0x1000u /* bytes of a function */
#define ECAM_LEGACY    0x100u  /* of which mechanism 1 reaches these */

/* The same place by mechanism 1: there are only other bits below the function's number. */
static uint32_t ecam_address(uint32_t offset)
{
    return ADDRESS_ENABLE | offset / ECAM_REGISTERS * ECAM_LEGACY | (offset & ADDRESS_REGISTER);
}

/* Such an access is within a doubleword that both ways reach. */
static bool ecam_is_plain(uint32_t offset, unsigned size)
{
    return offset % ECAM_REGISTERS < ECAM_LEGACY && offset % 4 + size <= 4;
}

/* Of a function that is there, "no capability" is all that stands beyond. */
static uint32_t ecam_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    const struct vpci *p = container_of(dev, struct vpci, ecam);
    uint32_t address = ecam_address(offset);

    (void)now;
    if (ecam_is_plain(offset, size))
        return config_read(p, address) >> offset % 4 * 8;
    return find_function(p, address) || find_plugged(p, address) ? 0 : UINT32_MAX;
}

static void ecam_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    (void)now;
    if (ecam_is_plain(offset, size))
        config_write(container_of(dev, struct vpci, ecam), ecam_address(offset), offset % 4, size,
                     value);
}

static const struct device_ops ecam_ops = {
    .read = ecam_read,
    .write = ecam_write,
};

/* ---- Memory of what is plugged in ---- */

bool vpci_map(struct vpci *p, uint64_t at)
{
    bool mapped = false;

    for (unsigned i = 0; i < p->end && !mapped; i++)
        mapped = p->plugged[i] && p->plugged[i]->ops->map(p->plugged[i], at);
    return mapped;
}

static bool read_one(struct vpci *p, uint64_t at, unsigned size, uint32_t *value)
{
    bool answered = false;

    for (unsigned i = 0; i < p->end && !answered; i++)
        answered = p->plugged[i] && p->plugged[i]->ops->memory_read(p->plugged[i], at, size, value);
    return answered;
}

static bool write_one(struct vpci *p, uint64_t at, unsigned size, uint32_t value)
{
    bool answered = false;

    for (unsigned i = 0; i < p->end && !answered; i++)
        answered =
            p->plugged[i] && p->plugged[i]->ops->memory_write(p->plugged[i], at, size, value);
    return answered;
}

bool vpci_memory_read(struct vpci *p, uint64_t at, unsigned size, uint64_t *value)
{
    uint32_t low = UINT32_MAX, high = UINT32_MAX;
    bool answered = read_one(p, at, size < 8 ? size : 4, &low);

    if (size == 8)
        answered |= read_one(p, at + 4, 4, &high);
    *value = size == 8 ? (uint64_t)high << 32 | low : low;
    return answered;
}

bool vpci_memory_write(struct vpci *p, uint64_t at, unsigned size, uint64_t value)
{
    bool answered = write_one(p, at, size < 8 ? size : 4, (uint32_t)value);

    if (size == 8)
        answered |= write_one(p, at + 4, 4, (uint32_t)(value >> 32));
    return answered;
}

/* ---- Ports of what is plugged in ---- */

/* NULL: nobody. */
static struct vpci_function *find_by_port(const struct vpci *p, uint16_t port)
{
    unsigned i = 0;

    while (i < p->end && !(p->plugged[i] && p->plugged[i]->ops->has_port(p->plugged[i], port)))
        i++;
    return i < p->end ? p->plugged[i] : NULL;
}

bool vpci_has_port(const struct vpci *p, uint16_t port)
{
    return find_by_port(p, port);
}

static uint32_t port_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    uint16_t port = (uint16_t)offset;
    struct vpci_function *f = find_by_port(container_of(dev, struct vpci, ports), port);

    (void)now;
    return f ? f->ops->port_read(f, port, size) : UINT32_MAX;
}

static void port_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    uint16_t port = (uint16_t)offset;
    struct vpci_function *f = find_by_port(container_of(dev, struct vpci, ports), port);

    (void)now;
    if (f)
        f->ops->port_write(f, port, size, value);
}

static const struct device_ops ports_ops = {
    .read = port_read,
    .write = port_write,
};

/* ---- Interrupt lines ---- */

static void set_line(struct vpci *p, unsigned line, uint32_t raised)
{
    p->raised[line] = raised;
    p->intx.set(p->intx.ctx, line, raised);
}

void vpci_raise(struct vpci *p, unsigned line, unsigned slot)
{
    set_line(p, line, p->raised[line] | 1u << slot);
}

/* It is low before anybody learns of it, who may raise it again. */
void vpci_end(struct vpci *p, unsigned line)
{
    uint32_t raised = p->raised[line];

    if (raised)
        set_line(p, line, 0);
    for (unsigned i = 0; i < p->end; i++)
        if (raised >> i & 1)
            p->plugged[i]->ops->ended(p->plugged[i]);
}

/* ---- Its life ---- */

/* Another one is first each time. */
void vpci_settle(struct vpci *p)
{
    unsigned done = 0;

    for (unsigned i = 0; i < p->end; i++) {
        struct vpci_function *f = p->plugged[(p->turn + i) % p->end];
        if (f)
            done += f->ops->settle(f, done < VPCI_SETTLES ? VPCI_SETTLES - done : 0);
    }
    p->turn++;
}

static void vpci_reset(struct device *dev, uint64_t now)
{
    struct vpci *p = container_of(dev, struct vpci, dev);

    (void)now;
    p->address = 0;
}

static const struct device_ops ops = {
    .read = vpci_read,
    .write = vpci_write,
    .reset = vpci_reset,
};

void vpci_init(struct vpci *p, uint16_t pm_base)
{
    *p = (struct vpci){
        .dev.ops = &ops, .ports.ops = &ports_ops, .ecam.ops = &ecam_ops, .pm_base = pm_base
    };
}

void vpci_plug(struct vpci *p, unsigned slot, struct vpci_function *f)
{
    ASSERT(slot < VPCI_SLOTS && !p->plugged[slot]);
    p->plugged[slot] = f;
    p->end = p->end > slot ? p->end : slot + 1;
}
