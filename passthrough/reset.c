/*
 * Between two owners a device is reset, so that nothing of the first one's is left in it: by its
 * own function level reset, where it has one; else by sending it to sleep and waking it, where that
 * resets it. That takes 100 ms, in which nobody waits for it; afterwards its registers are put
 * where the machine's firmware had put them.
 *
 * Sources: PCI Express Base Specification, "Function Level Reset (FLR)"; Advanced Capabilities for
 * Conventional PCI ECN; PCI Bus Power Management Interface Specification, "Power Management
 * Control/Status", "Software Accessible D3 (D3hot)", whose way back takes 10 ms.
 */
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/log.h"
#include "passthrough/assigned.h"

#define RESET_NS       100000000ul
#define MOST_NS        1000000000ul /* for a device that says that it is not ready */
#define INTX_OFF       0x0400u
#define EXPRESS_RESET  0x8000u /* of its control: now */
#define ADVANCED_RESET 1u

static unsigned express(const struct assigned *a)
{
    return a->device->cap[PCI_CAP_PCIE];
}

/* No PME, and its status as it is: that is cleared by writing one. */
static void set_asleep(struct assigned *a, bool asleep)
{
    config_write32(&a->device->at, a->device->cap[PCI_CAP_PM] + 4, asleep ? PM_ASLEEP : 0);
    a->asleep = asleep;
}

static void start(struct assigned *a, enum pci_reset how)
{
    const struct config_place *at = &a->device->at;

    if (how == PCI_RESET_EXPRESS)
        config_write32(at, express(a) + 8, a->control | EXPRESS_RESET);
    else if (how == PCI_RESET_ADVANCED)
        config_write32(at, a->device->cap[PCI_CAP_AF] + 4, ADVANCED_RESET);
    else
        set_asleep(a, true);
}

/* Device memory stays on: Caisson masks messages there. */
void reset_begin(struct assigned *a)
{
    const struct config_place *at = &a->device->at;
    enum pci_reset how = pci_reset_of(a->device);

    config_write32(at, CONFIG_COMMAND, PCI_COMMAND_MEMORY | INTX_OFF);
    if (express(a))
        a->control = config_read16(at, express(a) + 8);
    a->until = rdtsc();
    if (how == PCI_RESET_NONE)
        return;
    a->until += tsc_from_ns(RESET_NS);
    start(a, how);
}

/* What the reset has cleared. */
static void restore(const struct assigned *a)
{
    const struct config_place *at = &a->device->at;

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
    config_write32(at, CONFIG_COMMAND, PCI_COMMAND_MEMORY | INTX_OFF);
}

bool reset_goes_on(struct assigned *a, int *err)
{
    uint64_t now = rdtsc();

    if (now < a->until)
        return false;
    if (a->asleep) {
        set_asleep(a, false);
        a->until = now + tsc_from_ns(RESET_NS);
        return false;
    }
    if (config_read32(&a->device->at, CONFIG_ID) == a->device->id) {
        restore(a);
        *err = 0;
        return true;
    }
    if (now < a->until + tsc_from_ns(MOST_NS))
        return false;
    log_error("%s: %s does not come out of its reset", a->owner.name,
              pci_name(&a->device->at).text);
    *err = -ENODEV;
    return true;
}
