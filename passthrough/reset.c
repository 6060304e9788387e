/*
 * Between two owners a device is reset, so that nothing of the first one's is left in it: by its
 * own function level reset, where it has one; else by sending it to sleep and waking it, where that
 * resets it; else by resetting its bus, where it is alone there. That takes a fraction of a second,
 * in which nobody waits for it; afterwards its registers are put where the machine's firmware had
 * put them.
 *
 * Sources: PCI Express Base Specification, "Function Level Reset (FLR)"; Advanced Capabilities for
 * Conventional PCI ECN; PCI Bus Power Management Interface Specification, "Power Management
 * Control/Status", "Software Accessible D3 (D3hot)", whose way back takes 10 ms; PCI Local Bus
 * Specification 3.0, "Reset" (Trhfa: 2^25 clocks from a bus's reset to the first access).
 */
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/log.h"
#include "passthrough/assigned.h"

#define WAKE_NS        10000000ul
#define RESET_NS       100000000ul
#define BUS_RESET_NS   1007000000ul /* of conventional PCI at 33 MHz */
#define AGAIN_NS       10000000ul
#define MOST_NS        1000000000ul /* for a device that says that it is not ready */
#define EXPRESS_RESET  0x8000u      /* of its control: now */
#define EXPRESS_ERRORS 0x000Fu      /* are told to the root, which may tell firmware: never */
#define ADVANCED_RESET 1u
#define POWER          4 /* in its capability: D0 to D3, and what else there is may be 0 */
#define POWER_STATE    3u

#define BAR_PORTS 1u
#define BAR_FLAGS 0xFu
#define IO_FLAGS  0x3u

static unsigned express(const struct assigned *a)
{
    return a->device->cap[PCI_CAP_PCIE];
}

/* No PME, and its status as it is: that is cleared by writing one. */
static void set_asleep(const struct assigned *a, bool asleep)
{
    config_write32(&a->device->at, a->device->cap[PCI_CAP_PM] + 4, asleep ? PM_ASLEEP : 0);
}

/* A reset of two halves: the device sleeps, or its bus is held, until it is let go on. */
static void hold(struct assigned *a, bool held)
{
    if (a->how == PCI_RESET_SLEEP)
        set_asleep(a, held);
    else
        pci_hold_bus(a->device, held);
    a->held_in_reset = held;
}

static void start(struct assigned *a)
{
    const struct config_place *at = &a->device->at;

    if (a->how == PCI_RESET_EXPRESS)
        config_write32(at, express(a) + 8, a->control | EXPRESS_RESET);
    else if (a->how == PCI_RESET_ADVANCED)
        config_write32(at, a->device->cap[PCI_CAP_AF] + 4, ADVANCED_RESET);
    else
        hold(a, true);
}

/* Where it was found. */
static bool is_in_place(const struct pci_device *d, unsigned i)
{
    const struct pci_bar *b = &d->bar[i];
    uint32_t low = config_read32(&d->at, CONFIG_BAR + 4 * i);
    uint64_t at = low & ~(b->io ? IO_FLAGS : BAR_FLAGS);

    if (b->wide)
        at |= (uint64_t)config_read32(&d->at, CONFIG_BAR + 4 * i + 4) << 32;
    return at == b->base && b->io == (low & BAR_PORTS);
}

static bool are_in_place(const struct pci_device *d)
{
    for (unsigned i = 0; i < ASSIGNED_BARS; i += 1 + d->bar[i].wide)
        if (d->bar[i].size && !is_in_place(d, i))
            return false;
    return true;
}

/* Device memory stays on: Caisson masks messages there. */
static void reset(struct assigned *a, uint64_t now)
{
    a->how = pci_reset_of(a->device);
    config_write32(&a->device->at, CONFIG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_NOINTX);
    a->until = now;
    if (a->how != PCI_RESET_NONE) {
        a->until += tsc_from_ns(RESET_NS);
        start(a);
    }
    a->latest = a->until + tsc_from_ns(MOST_NS);
}

/* Firmware may have left it asleep. It forgets where its registers are when it wakes, so nothing of
 * it answers then. */
void reset_begin(struct assigned *a)
{
    const struct config_place *at = &a->device->at;
    unsigned power = a->device->cap[PCI_CAP_PM];
    uint64_t now = rdtsc();

    if (a->held_in_reset) /* on its way to its guest: it may not answer yet */
        hold(a, false);
    else if (!are_in_place(a->device))
        log_warn("%s: %s has moved its registers on the machine's bus", a->owner.name,
                 pci_name(at).text);
    if (express(a) && config_read32(at, CONFIG_ID) == a->device->id)
        a->control = config_read16(at, express(a) + 8) & ~(EXPRESS_ERRORS | EXPRESS_RESET);
    a->wakes = power && config_read16(at, power + POWER) & POWER_STATE;
    if (!a->wakes) {
        reset(a, now);
        return;
    }
    config_write32(at, CONFIG_COMMAND, PCI_COMMAND_NOINTX);
    set_asleep(a, false);
    a->until = now + tsc_from_ns(WAKE_NS);
}

/* What the reset has cleared. It answers nowhere while its registers are on their way. */
static void restore(const struct assigned *a)
{
    const struct config_place *at = &a->device->at;

    config_write32(at, CONFIG_COMMAND, PCI_COMMAND_NOINTX);
    for (unsigned i = 0; i < ASSIGNED_BARS; i += 1 + a->device->bar[i].wide) {
        const struct pci_bar *b = &a->device->bar[i];
        if (!b->base)
            continue;
        config_write32(at, CONFIG_BAR + 4 * i, (uint32_t)b->base);
        if (b->wide)
            config_write32(at, CONFIG_BAR + 4 * i + 4, (uint32_t)(b->base >> 32));
    }
    if (express(a))
        config_write32(at, express(a) + 8, a->control);
    config_write32(at, CONFIG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_NOINTX);
}

static void go_on(struct assigned *a, uint64_t now)
{
    bool slow = a->how == PCI_RESET_BUS && !express(a);

    hold(a, false);
    a->until = now + tsc_from_ns(slow ? BUS_RESET_NS : RESET_NS);
    a->latest = a->until + tsc_from_ns(MOST_NS);
}

/* NULL: it is as it was found. */
static const char *come_back(const struct assigned *a)
{
    if (config_read32(&a->device->at, CONFIG_ID) != a->device->id)
        return "does not come out of its reset";
    restore(a);
    return are_in_place(a->device) ? NULL : "does not have its registers where they were";
}

bool reset_goes_on(struct assigned *a, int *err)
{
    uint64_t now = rdtsc();

    if (now < a->until)
        return false;
    if (a->wakes) {
        a->wakes = false;
        reset(a, now);
        return false;
    }
    if (a->held_in_reset) {
        go_on(a, now);
        return false;
    }
    const char *why = come_back(a);
    if (why && now < a->latest) {
        a->until = now + tsc_from_ns(AGAIN_NS);
        return false;
    }
    if (why)
        log_error("%s: %s %s", a->owner.name, pci_name(&a->device->at).text, why);
    *err = why ? -ENODEV : 0;
    return true;
}
