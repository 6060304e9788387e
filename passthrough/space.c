/*
 * Configuration space as the guest sees it, word by word: see struct field. What no line here gives
 * reads 0, and writes to it vanish.
 *
 * The device itself always answers where the machine's firmware has put it; the guest's BARs say
 * where its guest finds it. There is no power state but a pretended one.
 *
 * Sources: PCI Local Bus Specification 3.0, "Configuration Space", "MSI Capability Structure",
 * "MSI-X Capability"; PCI Bus Power Management Interface Specification; PCI Express Base
 * Specification, "PCI Express Capability Structure".
 */
#include "passthrough/assigned.h"

#define ONES         UINT32_MAX
#define COMMAND_KEPT 0x0546u /* memory, master, parity, SERR, INTx off */
#define COMMAND_GIVEN                                                                              \
    0x0005u /* of these the device itself has as the guest says: ports (which                      \
             * are kept if there are any), master. A SERR would be an NMI of                       \
             * the machine's */
#define COMMAND_FIXED (PCI_COMMAND_MEMORY | PCI_COMMAND_NOINTX) /* and these always */
#define STATUS_LIVE   0xFFB00000u /* all but a pending INTx, and that there is a list */
#define STATUS_INTX   0x00080000u /* that pending INTx */
#define STATUS_LIST   0x00100000u
#define LINE_SIZE     0xFFu /* of a cache, which is written and read */

#define BAR_IO       1u
#define BAR_WIDE     4u
#define BAR_PREFETCH 8u
#define BAR_LOW      0xFu /* bits of a BAR that are no address */
#define BAR_IO_LOW   3u   /* and of one of ports */

#define LIST_HEAD 0xFFFFu /* of a capability: what it is, and where the next one is */

#define PM_KEPT    0x06000000u /* of its abilities: D1, D2. Not PME */
#define PM_VERSION 0x00070000u
#define PM_STATE   3u

#define MSIX_SWITCH 0xC0000000u /* on, and all masked */

#define VENDORS      0x09
#define VENDORS_MOST 16u /* words */

#define EXPRESS_VERSION    0x000F0000u
#define EXPRESS_INTEGRATED 0x00900000u /* an endpoint on the root bus: it has no link */

static uint32_t hardware(const struct assigned *a, unsigned reg)
{
    return config_read32(&a->device->at, reg);
}

static void set(struct assigned *a, unsigned reg, uint32_t value, uint32_t kept)
{
    *assigned_field(a, reg) = (struct field){ .value = value, .kept = kept };
}

/* ---- The header ---- */

/* That by which it comes to its line of the guest's board. */
static uint32_t pin_of(const struct assigned *a)
{
    return VPCI_PIN_OF(a->slot, a->line);
}

static void put_header(struct assigned *a)
{
    *assigned_field(a, CONFIG_ID) = (struct field){ .live = ONES };
    *assigned_field(a, CONFIG_COMMAND) =
        (struct field){ 0, COMMAND_KEPT, STATUS_LIVE | (a->intx ? STATUS_INTX : 0) };
    set(a, CONFIG_CLASS, hardware(a, CONFIG_CLASS), 0);
    set(a, CONFIG_CACHE_LINE, 0, LINE_SIZE);
    set(a, CONFIG_SUBSYSTEM, hardware(a, CONFIG_SUBSYSTEM), 0);
    set(a, CONFIG_LINE, a->intx ? pin_of(a) << 8 | VPCI_ISA_IRQ(a->line) : 0, LINE_SIZE);
}

/* A place for it, which is taken. 0: there is none, and the guest may move something. */
static uint64_t take_room(const struct assigned *a, const struct pci_bar *b,
                          struct passthrough_room *next)
{
    gpa_t *from = &next->low;
    uint64_t at = (from->v + b->size - 1) & -b->size;

    if (at + b->size > a->owner.low_end.v) {
        if (!b->wide)
            return 0;
        from = &next->high;
        at = (from->v + b->size - 1) & -b->size;
    }
    from->v = at + b->size;
    return at;
}

/* 0: there is none. */
static uint32_t take_ports(const struct ports *p, struct passthrough_room *next)
{
    uint32_t size = (uint32_t)p->size, at = (next->ports + size - 1) & -size;

    if (at + size > PORTS_END)
        return 0;
    next->ports = at + size;
    return at;
}

static void put_ports(struct assigned *a, unsigned i, struct passthrough_room *next)
{
    const struct ports *p = &a->ports[i];

    if (!p->size)
        return;
    set(a, CONFIG_BAR + 4 * i, take_ports(p, next) | BAR_IO, (uint32_t)-p->size & ~BAR_IO_LOW);
    assigned_field(a, CONFIG_COMMAND)->kept |= PCI_COMMAND_IO;
}

/* A BAR of memory, where it comes next. */
static void put_bar(struct assigned *a, unsigned i, struct passthrough_room *next)
{
    const struct pci_bar *b = &a->device->bar[i];
    uint32_t kind = (b->wide ? BAR_WIDE : 0) | (b->prefetchable ? BAR_PREFETCH : 0);

    if (b->io || !b->size)
        return;
    uint64_t at = take_room(a, b, next);
    set(a, CONFIG_BAR + 4 * i, (uint32_t)at | kind, (uint32_t)-b->size & ~BAR_LOW);
    if (b->wide)
        set(a, CONFIG_BAR + 4 * i + 4, (uint32_t)(at >> 32), (uint32_t)(-b->size >> 32));
}

/* ---- Capabilities ---- */

static void put_pm(struct assigned *a, unsigned at, uint32_t head)
{
    set(a, at, head & (LIST_HEAD | PM_KEPT | PM_VERSION), 0);
    set(a, at + 4, PM_KEEPS, PM_STATE);
}

/* One message, whatever the device could. */
static void put_msi(struct assigned *a, unsigned at, uint32_t head)
{
    unsigned data = at + msi_data(head);

    a->shows_msi = true;
    set(a, at, head & (LIST_HEAD | MSI_WIDE | MSI_MASKS), MSI_ON);
    set(a, at + 4, 0, ONES & ~3u);
    if (head & MSI_WIDE)
        set(a, at + 8, 0, ONES);
    set(a, data, 0, 0xFFFF);
    if (!(head & MSI_MASKS))
        return;
    set(a, data + 4, 0, 1);
    *assigned_field(a, data + 8) = (struct field){ .live = 1 };
}

static void put_msix(struct assigned *a, unsigned at, uint32_t head)
{
    a->shows_msix = true;
    set(a, at, (head & LIST_HEAD) | ((a->message_count - 1) << 16 & MSIX_COUNT), MSIX_SWITCH);
    set(a, at + 4, hardware(a, at + 4), 0);
    set(a, at + 8, hardware(a, at + 8), 0);
}

static void put_express(struct assigned *a, unsigned at, uint32_t head)
{
    set(a, at, (head & (LIST_HEAD | EXPRESS_VERSION)) | EXPRESS_INTEGRATED, 0);
    set(a, at + 4, hardware(a, at + 4) & ~EXPRESS_FLR, 0);
    set(a, at + 8, hardware(a, at + 8) & 0xFFFF, 0);
}

/* Of those that a guest is shown: what it is, how many words it takes at most, who puts it. head:
 * its first word, which is read once, as a device may say something else the next time. */
static const struct {
    enum pci_cap cap;
    uint8_t id, words;
    void (*put)(struct assigned *a, unsigned at, uint32_t head);
} shown[] = {
    { PCI_CAP_PM, 0x01, 2, put_pm },
    { PCI_CAP_MSI, 0x05, 6, put_msi },
    { PCI_CAP_PCIE, 0x10, 3, put_express },
    { PCI_CAP_MSIX, 0x11, 3, put_msix },
};

static unsigned words_of(unsigned i, uint32_t head)
{
    if (shown[i].cap != PCI_CAP_MSI)
        return shown[i].words;
    return 3 + (head & MSI_WIDE ? 1 : 0) + (head & MSI_MASKS ? 2 : 0);
}

/* The list that the guest is given, from its end on. */
struct list {
    uint64_t taken; /* words */
    unsigned next;
};

/* True if there is room for so many words: none lies over another, whatever the device says. */
static bool take(struct list *l, unsigned at, unsigned words)
{
    if (at % 4 || at / 4 + words > ASSIGNED_WORDS)
        return false;
    uint64_t mine = ((1ul << words) - 1) << at / 4;
    if (l->taken & mine)
        return false;
    l->taken |= mine;
    return true;
}

static void put_known(struct assigned *a, struct list *l, unsigned i)
{
    unsigned at = a->device->cap[shown[i].cap];
    uint32_t head = at ? hardware(a, at) & ~LIST_HEAD : 0;

    if (!at || (shown[i].cap == PCI_CAP_MSIX && !a->message_count) ||
        !take(l, at, words_of(i, head)))
        return;
    shown[i].put(a, at, head | shown[i].id | l->next << 8);
    l->next = at;
}

/* One of its maker's, to be read only: virtio's tell where in its BARs its registers are. */
static void put_vendors(struct assigned *a, struct list *l, unsigned at)
{
    uint32_t head = hardware(a, at);
    unsigned words = ((head >> 16 & 0xFF) + 3) / 4;

    if ((head & 0xFF) != VENDORS || !words || words > VENDORS_MOST || !take(l, at, words))
        return;
    set(a, at, (head & ~0xFF00u) | l->next << 8, 0);
    for (unsigned i = 1; i < words; i++)
        set(a, at + 4 * i, hardware(a, at + 4 * i), 0);
    l->next = at;
}

/* Each where the device has it. */
static void put_capabilities(struct assigned *a)
{
    struct list l = { .taken = (1u << CONFIG_FIRST_CAPABILITY / 4) - 1 };
    unsigned at = hardware(a, CONFIG_CAPABILITIES) & 0xFC;

    for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        put_known(a, &l, i);
    for (unsigned n = 0; n < ASSIGNED_WORDS && at >= CONFIG_FIRST_CAPABILITY; n++) {
        put_vendors(a, &l, at);
        at = hardware(a, at) >> 8 & 0xFC;
    }
    set(a, CONFIG_CAPABILITIES, l.next, 0);
    if (l.next)
        assigned_field(a, CONFIG_COMMAND)->value |= STATUS_LIST;
}

void space_build(struct assigned *a, struct passthrough_room *next)
{
    put_header(a);
    for (unsigned i = 0; i < ASSIGNED_BARS; i += 1 + a->device->bar[i].wide) {
        put_bar(a, i, next);
        put_ports(a, i, next);
    }
    put_capabilities(a);
}

/* ---- Accesses ---- */

uint32_t space_read(struct vpci_function *f, unsigned reg)
{
    struct assigned *a = container_of(f, struct assigned, function);
    const struct field *w = assigned_field(a, reg);

    return w->live ? (w->value & ~w->live) | (hardware(a, reg) & w->live) : w->value;
}

/* One whose messages Caisson masks by switching them off asserts no pin meanwhile. */
static bool may_assert_pin(struct assigned *a)
{
    return a->intx && !(assigned_field(a, CONFIG_COMMAND)->value & PCI_COMMAND_NOINTX) &&
           !message_is_chosen(a);
}

/* Zeroes to the status leave it as it is. One that was stopped, as it tried too much, stays so,
 * also if that was on another pCPU and this very moment. */
static void give_command(struct assigned *a)
{
    const struct config_place *at = &a->device->at;
    uint32_t given = a->word[CONFIG_COMMAND / 4].value & COMMAND_GIVEN;
    uint32_t fixed = may_assert_pin(a) ? PCI_COMMAND_MEMORY : COMMAND_FIXED;

    if (!pci_is_stopped(a->device))
        config_write32(at, CONFIG_COMMAND, fixed | given);
    if (pci_is_stopped(a->device))
        config_write32(at, CONFIG_COMMAND, COMMAND_FIXED | (given & ~PCI_COMMAND_MASTER));
}

void space_write(struct vpci_function *f, unsigned reg, uint32_t value, uint32_t mask)
{
    struct assigned *a = container_of(f, struct assigned, function);
    struct field *w = assigned_field(a, reg);

    mask &= w->kept;
    if (!mask)
        return;
    w->value = (w->value & ~mask) | (value & mask);
    if (reg == CONFIG_COMMAND)
        give_command(a);
    if (reg == CONFIG_COMMAND || (reg >= CONFIG_BAR && reg < CONFIG_BAR + 4 * ASSIGNED_BARS)) {
        ports_move(a);
        registers_move(a);
    } else if (reg >= CONFIG_FIRST_CAPABILITY) {
        message_look(a);
        if (a->intx)
            give_command(a);
    }
}
