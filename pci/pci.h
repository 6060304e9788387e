/*
 * The machine's PCI devices.
 *
 * Found once, by pci_start(); the list only grows while that runs, so everybody may read it
 * afterwards. A "device" here is a function of one: what has configuration space of its own.
 */
#ifndef CAISSON_PCI_PCI_H
#define CAISSON_PCI_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/limits.h"
#include "pci/config.h"

#define PCI_MOST 1024 /* devices; the others are left out, with a line in the log */

#define PCI_UNOWNED UINT16_MAX
#define PCI_BROKEN  (UINT16_MAX - 1)
#define PCI_PIECES  8

#define PCI_BARS 7 /* six, and the expansion ROM */
#define PCI_ROM  6

struct pci_bar {
    uint64_t base, size; /* size 0: there is none, or (base is not 0) it has not been asked */
    bool io, prefetchable, wide; /* ports; may be read ahead; takes two registers */
};

/* Capabilities that are looked for. From PCI_CAP_AER on they are extended ones. */
enum pci_cap {
    PCI_CAP_PM,
    PCI_CAP_MSI,
    PCI_CAP_IOMMU,
    PCI_CAP_PCIE,
    PCI_CAP_MSIX,
    PCI_CAP_AF,
    PCI_CAP_AER,
    PCI_CAP_ACS,
    PCI_CAP_ARI,
    PCI_CAP_ATS,
    PCI_CAP_SRIOV,
    PCI_CAPS
};

struct pci_device {
    struct pci_device *next;
    struct config_place at;
    uint32_t id;    /* vendor, then device */
    uint32_t class; /* three bytes: class, subclass, interface */
    uint8_t revision;
    uint8_t pin, line;              /* of interrupts: 1 to 4, 0: it has none; as firmware left it */
    uint8_t header;                 /* layout: 0 a device, 1 a bridge, 2 a bridge to CardBus */
    uint8_t secondary, subordinate; /* of a bridge that leads on: buses behind it; else 0 */
    uint16_t cap[PCI_CAPS];         /* where each is; 0: nowhere */
    struct pci_bar bar[PCI_BARS];
    /* The domain whose own it is; PCI_UNOWNED; PCI_BROKEN: nobody gets it. Boot CPU, as the next.
     */
    uint16_t owner;
    char had_by[MAX_NAME]; /* the last domain's name; "": it has been nobody's */
    /* Pieces of its registers that passthrough/ has mapped, for good. Boot CPU. */
    struct pci_piece {
        uint64_t start, end; /* machine addresses */
        volatile uint8_t *at;
    } mapped[PCI_PIECES];
    unsigned faults;     /* accesses that an IOMMU has blocked. The IOMMU's lock */
    bool stopped;        /* by pci_stop(): it is not let become bus master again */
    const char *used_as; /* what Caisson itself uses it for; NULL: nothing */
};

#define PCI_CLASS_BASE(d)  ((d)->class >> 16)
#define PCI_CLASS_SUB(d)   ((d)->class >> 8)
#define PCI_BASE_BRIDGE    0x06
#define PCI_SUB_VGA        0x0300
#define PCI_COMMAND_IO     0x0001
#define PCI_COMMAND_MEMORY 0x0002
#define PCI_COMMAND_MASTER 0x0004
#define PCI_COMMAND_NOINTX 0x0400

/* What Caisson uses already, which nothing may come in the way of. */
struct pci_use {
    uint64_t address; /* of memory, or a port */
    bool io;
    const char *as;
};

/* Whether the firmware's memory map has all of this as reserved: configuration space that is not
 * there is not believed in. */
typedef bool (*pci_reserved_fn)(maddr_t start, uint64_t size);

/* Walks all buses. Wants acpi_read(), and that no other CPU runs and nobody draws, prints or takes
 * interrupts: a device whose BARs are measured does not answer for a moment. Those in use are not
 * measured. Boot only. */
void pci_start(const struct pci_use *uses, unsigned count, pci_reserved_fn reserved);

/* The first one for NULL; NULL behind the last. In the order of their addresses. */
const struct pci_device *pci_next(const struct pci_device *d);

/* NULL: there is none. */
struct pci_device *pci_find(uint16_t segment, uint16_t bdf);

/* Lets it send its one interrupt message (MSI) to this CPU with this vector. False: it has none. */
bool pci_route_message(const struct pci_device *d, uint8_t vector, uint32_t apic_id);
/* It no longer reads and writes by itself, nor sends messages, nor asserts its interrupt pin. */
void pci_stop(struct pci_device *d);
/* Who makes it master all the same, as he has not seen it in time, finds it here afterwards. */
static inline bool pci_is_stopped(const struct pci_device *d)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&d->stopped, __ATOMIC_RELAXED);
}

/* What devices send goes up to the IOMMU, wherever they and the bridges can be told so. Boot only.
 */
void pci_send_up(void);
/* An IOMMU can keep them apart: what one of them sends does not reach the other on a way of its
 * own.
 */
bool pci_is_apart(const struct pci_device *a, const struct pci_device *b);
/* It is behind a bridge to conventional PCI, and sends in that one's name. */
bool pci_is_conventional(const struct pci_device *d);

/* The bridge that leads to d's bus; NULL: none, it is a root bus. */
const struct pci_device *pci_above(const struct pci_device *d);
/* All bridges on the way pass on to d what is for this BAR of its. */
bool pci_is_passed_on(const struct pci_device *d, const struct pci_bar *b);
/* No BAR of any device's lies over this one, which is of one of them. */
bool pci_is_alone(const struct pci_bar *b);

/* The bridge is on the way to d. */
static inline bool pci_leads_to(const struct pci_device *bridge, const struct pci_device *d)
{
    return bridge->secondary && bridge->at.segment == d->at.segment &&
           CONFIG_BUS(&d->at) >= bridge->secondary && CONFIG_BUS(&d->at) <= bridge->subordinate;
}

/* What a device writes, and where, to send an interrupt (MSI, MSI-X). */
struct msi_message {
    uint64_t address;
    uint32_t data;
};
/* Where such messages go; bits 12 to 19 of the address are the CPU. */
#define MSI_ADDRESS    0xFEE00000u
#define MSI_TO_CPU(id) ((id) << 12)

/* Of the first word of the capability MSI. */
#define MSI_ON    (1u << 16)
#define MSI_WIDE  (1u << 23) /* its address has 64 bits */
#define MSI_MASKS (1u << 24) /* messages can be masked */
/* Where the data stand in that capability, in a device of these abilities; the mask comes next. */
static inline unsigned msi_data(uint32_t abilities)
{
    return abilities & MSI_WIDE ? 12 : 8;
}
/* Tells d, whose abilities are these, what its MSI is to write. */
void pci_tell_message(const struct pci_device *d, uint32_t abilities, const struct msi_message *m);

/* Of the word behind that of the capability PCI Express: it has a function level reset. */
#define EXPRESS_FLR (1u << 28)

struct pci_name {
    char text[16];
};
/* "00:1f.2"; of another segment than the first "0001:00:1f.2". */
struct pci_name pci_name(const struct config_place *at);

/* How it can be reset alone: by its PCI Express capability, by that of the ECN for conventional
 * PCI; or it forgets all when it is sent to sleep (D3hot) and woken, or when its bus, on which
 * nothing else is, is reset. */
enum pci_reset {
    PCI_RESET_NONE,
    PCI_RESET_EXPRESS,
    PCI_RESET_ADVANCED,
    PCI_RESET_SLEEP,
    PCI_RESET_BUS
};
enum pci_reset pci_reset_of(const struct pci_device *d);
/* Its bus is in reset from now on, or no longer; for one that is reset so. Boot CPU. */
void pci_hold_bus(const struct pci_device *d, bool held);

/* Of the word behind that of the capability Power Management. */
#define PM_ASLEEP 3u /* D3hot */
#define PM_KEEPS  8u /* waking up resets nothing */

/* A device in words, as it is now: what it is; where it answers; what it can do. `between` comes
 * between these. size: of text, not 0. */
void pci_describe(const struct pci_device *d, const char *between, char *text, size_t size);

#endif
