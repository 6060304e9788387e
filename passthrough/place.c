/*
 * Whether a device's registers may be put into a guest. How many they are the device has said
 * itself, and where they are the machine's firmware: what is believed of that is what cannot be
 * anything else's.
 */
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "iommu/iommu.h"
#include "mm/frame.h"
#include "passthrough/assigned.h"

/* The board's own, on all PCs: I/O APICs, HPET, TPM, local APICs, flash. */
#define BOARD     0xFEC00000ul
#define BOARD_END 0x100000000ul
/* The board's own ports lie here, and its power management in one or two blocks elsewhere, of which
 * some ports are known: what is near to one of them is its too. */
#define BOARD_PORTS_END 0x1000u
#define PORTS_NEAR      0x80u
#define BUS_SHIFT       20 /* of MCFG: bytes of configuration space of a bus */

static bool meets(const struct pci_bar *b, uint64_t start, uint64_t end)
{
    return b->base < end && start < b->base + b->size;
}

static bool meets_page(const struct pci_bar *b, maddr_t page)
{
    return page.v && meets(b, page.v, page.v + PAGE_SIZE);
}

/* As far as Caisson knows of it. */
static bool is_boards(const struct pci_bar *b)
{
    for (unsigned i = 0; i < acpi.mcfg_count; i++) {
        const struct acpi_mcfg *m = &acpi.mcfg[i];
        if (meets(b, m->base.v + ((uint64_t)m->first_bus << BUS_SHIFT),
                  m->base.v + ((m->last_bus + 1ul) << BUS_SHIFT)))
            return true;
    }
    return meets(b, BOARD, BOARD_END) || meets_page(b, acpi.lapic) || meets_page(b, acpi.ioapic) ||
           meets_page(b, acpi.hpet) || iommu_has_registers(b->base, b->base + b->size);
}

static bool is_memory(const struct pci_bar *b)
{
    uint64_t first = b->base >> PAGE_SHIFT, last = (b->base + b->size - 1) >> PAGE_SHIFT;

    return !frame_all_reserved(mfn(first), last + 1 - first);
}

static bool is_boards_port(const struct pci_bar *b)
{
    const uint16_t used[] = { acpi.pm_timer_port, acpi.pm1a_control, acpi.pm1b_control,
                              acpi.smi_command, acpi.reset_port };

    for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++)
        if (used[i] && meets(b, used[i] & -PORTS_NEAR, (used[i] & -PORTS_NEAR) + PORTS_NEAR))
            return true;
    return b->base < BOARD_PORTS_END;
}

static const char *objection(const struct pci_device *d, const struct pci_bar *b)
{
    uint64_t reach = b->io ? PORTS_END : 1ul << cpu_maddr_bits();

    if (!b->base)
        return "the machine's firmware gave its registers no place";
    if (b->base % b->size || b->base >= reach || b->size > reach - b->base)
        return "its registers are where none can be";
    if (!b->io && is_memory(b))
        return "its registers lie over memory";
    if (b->io ? is_boards_port(b) : is_boards(b))
        return "its registers lie over the board's";
    if (!pci_is_alone(b))
        return "its registers lie over those of another device";
    if (!pci_is_passed_on(d, b))
        return "no bridge passes on what is for its registers";
    return NULL;
}

const char *place_objection(const struct pci_device *d, bool io)
{
    const char *why = NULL;

    for (unsigned i = 0; i < ASSIGNED_BARS && !why; i++)
        if (d->bar[i].size && d->bar[i].io == io)
            why = objection(d, &d->bar[i]);
    return why;
}
