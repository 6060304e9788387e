/*
 * Intel's IOMMUs (VT-d), between the files of this room.
 */
#ifndef CAISSON_IOMMU_VTD_H
#define CAISSON_IOMMU_VTD_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"
#include "iommu/dmar.h"
#include "iommu/driver.h"
#include "lib/addr.h"

/* Registers. Those of 64 bits take two halves just as well. */
enum {
    VTD_VERSION = 0x00,
    VTD_CAP = 0x08,
    VTD_ECAP = 0x10,
    VTD_COMMAND = 0x18,
    VTD_STATUS = 0x1C,
    VTD_ROOT = 0x20,
    VTD_FAULTS = 0x34, /* what has happened */
    VTD_FAULT_CONTROL = 0x38,
    VTD_FAULT_DATA = 0x3C,
    VTD_FAULT_ADDRESS = 0x40,
    VTD_FAULT_UPPER = 0x44,
    VTD_PROTECTED = 0x64, /* memory that was shut before there was a table */
    VTD_QUEUE_HEAD = 0x80,
    VTD_QUEUE_TAIL = 0x88,
    VTD_QUEUE = 0x90,
    VTD_INTERRUPTS = 0xB8,
};

/* What a unit has: bits of VTD_CAP and VTD_ECAP. */
#define VTD_CAP_FLUSHES(c)      ((c) >> 4 & 1)  /* its write buffer wants to be told */
#define VTD_CAP_CACHES(c)       ((c) >> 7 & 1)  /* also what is not present: no hardware does */
#define VTD_CAP_HAS_3_LEVELS(c) ((c) >> 9 & 1)  /* tables of that many, */
#define VTD_CAP_HAS_4_LEVELS(c) ((c) >> 10 & 1) /* or that many */
#define VTD_LEVELS(c)           (VTD_CAP_HAS_4_LEVELS(c) ? 4u : VTD_CAP_HAS_3_LEVELS(c) ? 3u : 0u)
#define VTD_CAP_BITS(c)         (((c) >> 16 & 0x3F) + 1) /* of an address that a device names */
#define VTD_CAP_FAULT_REGS(c)   (((c) >> 24 & 0x3FF) * 16)
#define VTD_CAP_HAS_2M(c)       ((c) >> 34 & 1)
#define VTD_CAP_HAS_1G(c)       ((c) >> 35 & 1)
#define VTD_CAP_PICKS(c)        ((c) >> 39 & 1)                    /* forgets pages one by one, */
#define VTD_CAP_PICKS_ORDER(c)  ((unsigned)((c) >> 48 & 0x3F))     /* and up to that order */
#define VTD_CAP_FAULTS(c)       ((unsigned)((c) >> 40 & 0xFF) + 1) /* that it remembers */
#define VTD_CAP_DOMAINS(c)      (16u << 2 * ((c)&7))
#define VTD_ECAP_COHERENT       (1ul << 0) /* reads its tables out of caches */
#define VTD_ECAP_HAS_QUEUE(e)   ((e) >> 1 & 1)
#define VTD_ECAP_REMAPS(e)      ((e) >> 3 & 1) /* interrupts */
#define VTD_ECAP_SNOOPS         (1ul << 7) /* looks into them for a device, whatever that says */
#define VTD_ECAP_HAS_X2APIC(e)  ((e) >> 4 & 1)

/* Numbers of domains: those of struct iommu_use from 1 on, and the last ones for devices that work
 * for the firmware. */
#define VTD_KEPT_MOST     8
#define VTD_FIRST_KEPT(c) (VTD_CAP_DOMAINS(c) - VTD_KEPT_MOST)

/* Bits of VTD_COMMAND, and the same of VTD_STATUS. */
#define VTD_TRANSLATES     (1u << 31)
#define VTD_SET_ROOT       (1u << 30)
#define VTD_FLUSH          (1u << 27)
#define VTD_QUEUES         (1u << 26)
#define VTD_REMAPS         (1u << 25)
#define VTD_SET_INTERRUPTS (1u << 24)
#define VTD_OLD_INTERRUPTS (1u << 23) /* messages of the format without remapping pass */

#define VTD_PATIENCE     1000000
#define VTD_RECORD_BYTES 16 /* of a fault */

/* An entry of the root table, of a context table (one device's), or of interrupts' table. */
struct vtd_entry {
    uint64_t low, high;
};
#define VTD_PRESENT      1ul
#define VTD_DOMAIN_SHIFT 8   /* of a device's, in the high half */
#define VTD_SILENT       2ul /* no faults are told of; also where it is not present */

/* Entries for interrupts. */
#define VTD_ROUTES 2048

struct vtd_queue;

/* Set up by the boot CPU, which also takes the interrupts; then iommu.c's lock. */
struct vtd_unit {
    struct dmar_unit info;
    volatile uint8_t *regs;
    uint64_t cap, ecap;
    struct vtd_entry *root;       /* by bus: a context table */
    struct vtd_entry *elsewhere;  /* that of all buses where no device of this unit was found */
    struct vtd_entry *interrupts; /* NULL: it does not remap them */
    bool x2apic;                  /* these have ids of CPUs of 32 bits */
    bool forgeable;               /* some of them, Caisson's, whoever sends them */
    struct vtd_queue *queue;
    uint64_t routes_used[1]; /* by device: which of the interrupts are somebody's */
    unsigned kept;           /* devices that reach memory of the firmware's */
    bool on;                 /* it answers */
    bool unheard;            /* its faults came without end, so it tells of none. Atomic */
};

/* ---- vtd_unit.c: its registers, and what it keeps of its tables ---- */

static inline uint32_t vtd_read32(const struct vtd_unit *u, unsigned reg)
{
    return mmio_read32(u->regs + reg);
}

static inline void vtd_write32(const struct vtd_unit *u, unsigned reg, uint32_t value)
{
    mmio_write32(u->regs + reg, value);
}

static inline uint64_t vtd_read64(const struct vtd_unit *u, unsigned reg)
{
    return (uint64_t)vtd_read32(u, reg + 4) << 32 | vtd_read32(u, reg);
}

static inline void vtd_write64(const struct vtd_unit *u, unsigned reg, uint64_t value)
{
    vtd_write32(u, reg, (uint32_t)value);
    vtd_write32(u, reg + 4, (uint32_t)(value >> 32));
}

/* Makes bit n of the status what is wanted. False: it does not answer. */
bool vtd_command(const struct vtd_unit *u, uint32_t bit, bool on);

/* Starts the queue of commands, whoever had one before. False: no memory, or no answer. */
bool vtd_queue_start(struct vtd_unit *u);

/* What it keeps of entries and page tables, of a domain's page tables, or of interrupts' entries is
 * forgotten: after each change, also of what was not present before. False: it does not answer,
 * from then on. */
bool vtd_forget(struct vtd_unit *u);
bool vtd_forget_pages(struct vtd_unit *u, uint16_t domain, gfn_t start, uint64_t frames);
bool vtd_forget_interrupts(struct vtd_unit *u);

/* So many bytes of a table have been written. */
void vtd_written(const struct vtd_unit *u, const void *at, uint32_t bytes);

/* ---- vtd_table.c: what devices may reach ---- */

/* Everything blocked. False: no memory. */
bool vtd_make_tables(struct vtd_unit *u);
/* The entry of a device, or of one that nobody has found. */
struct vtd_entry *vtd_entry_of(const struct vtd_unit *u, uint16_t bdf);
/* The device reaches this memory at its own addresses, as the firmware wants it to. False, with a
 * line: it does not. */
bool vtd_open(struct vtd_unit *u, const struct pci_device *d, const struct dmar_region *r);

/* ---- vtd_device.c: devices that domains have; as struct iommu_driver has it ---- */

void vtd_share(void);
int vtd_attach(struct iommu_use *use);
bool vtd_detach(struct iommu_use *use);
void vtd_block(struct iommu_use *use);

/* ---- vtd_fault.c: who tries ---- */

/* Faults so far are forgotten; those to come interrupt the calling CPU with this vector (less than
 * 0: they do not). */
void vtd_fault_start(const struct vtd_unit *u, int vector);
void vtd_take_faults(struct vtd_unit *u);
/* If it told of too many, it tells of others again. */
void vtd_hear_again(struct vtd_unit *u);

/* ---- vtd_interrupt.c: interrupts' entries ---- */

/* No interrupt gets through from now on. False: no memory, or no answer. */
bool vtd_remap_start(struct vtd_unit *u);
/* Those of Caisson's I/O APIC do, by this unit. bdf: the name that it sends them under; NULL: not
 * known. */
void vtd_let_ioapic(struct vtd_unit *u, const uint16_t *bdf);

/* Entries for a device's interrupts. False, with a line: there are not so many left. */
bool vtd_take_routes(struct vtd_unit *u, struct iommu_use *use);
/* None of them gets through any more; and they are given back. False: it does not answer. */
bool vtd_shut_routes(struct vtd_unit *u, const struct iommu_use *use);
bool vtd_drop_routes(struct vtd_unit *u, struct iommu_use *use);
int vtd_route(struct iommu_use *use, unsigned index, uint32_t apic_id, uint8_t vector,
              struct msi_message *out);
void vtd_unroute(struct iommu_use *use, unsigned index);

/* ---- vtd.c ---- */

/* The unit that stands before a device; NULL: none does. */
struct vtd_unit *vtd_unit_of(const struct pci_device *d);
/* The firmware wants it to reach some memory. */
bool vtd_is_kept(const struct pci_device *d);
/* All units that work have these bits of VTD_ECAP. */
bool vtd_all_have(uint64_t bits);
/* The driver; NULL: no unit works. */
const struct iommu_driver *vtd_start(const uint8_t *dmar, uint32_t length);

#endif
