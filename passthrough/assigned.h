/*
 * A device that is a domain's own, between the files of this room. One page, charged to the domain.
 */
#ifndef CAISSON_PASSTHROUGH_ASSIGNED_H
#define CAISSON_PASSTHROUGH_ASSIGNED_H

#include "passthrough/passthrough.h"
#include "pci/pci.h"
#include "sched/timer.h"

#define ASSIGNED_WORDS    64   /* of configuration space: the first 256 bytes, all that it shows */
#define ASSIGNED_BARS     6    /* no expansion ROM */
#define ASSIGNED_PIECES   2048 /* of registers, as they are mapped into its guest's memory */
#define ASSIGNED_TRAPS    PCI_PIECES /* pieces of them that are not */
#define ASSIGNED_MESSAGES 32
#define ASSIGNED_MSI      (ASSIGNED_MESSAGES - 1) /* the one of MSI; the others are MSI-X's */

/* A word of configuration space as the guest sees it: bits of the device's own as they are now
 * (live), and others, some of which the guest can write (kept), which has no effect by itself. */
struct field {
    uint32_t value, kept, live;
};

/* Registers in memory. */
struct region {
    uint64_t at, size; /* in the guest's memory, if it is on; size 0: no such BAR */
    bool on;           /* it is where registers may be, and memory is enabled */
};

/* Pages of a region whose accesses are carried out here: the table of messages is among them, or
 * registers of another device may be. */
struct trap {
    uint8_t bar;
    uint64_t start, end; /* offsets in the region */
    volatile uint8_t *registers;
};

/* Some bytes of a BAR; none: there is no such place. */
struct place {
    unsigned bar;
    uint64_t at, bytes;
};

struct message {
    uint32_t word[4];          /* as the guest wrote it: address, its upper half, data, control */
    struct apic_message means; /* to the guest's local APICs */
    uint8_t vector;            /* of the machine's, 0: none yet; it stays */
    uint8_t vcpu;              /* the first that it is for */
    bool routed;               /* the device has one of ours to send instead */
    bool open;                 /* and may */
};

struct assigned {
    struct vpci_function function;
    struct pci_device *device;
    struct passthrough_owner owner;
    unsigned slot;
    bool attached;    /* iommu/ lets it reach the domain's memory */
    bool resetting;   /* it is on its way back */
    bool asleep;      /* as the first half of a reset */
    uint64_t until;   /* TSC, until which a reset takes */
    uint16_t control; /* its PCI Express device control, before that */
    struct field word[ASSIGNED_WORDS];
    struct region region[ASSIGNED_BARS];
    struct trap trap[ASSIGNED_TRAPS];
    unsigned trap_count;
    struct message message[ASSIGNED_MESSAGES];
    unsigned message_count;   /* of MSI-X */
    bool msix_on;             /* in the device */
    struct place table, bits; /* and where it has these messages, and which are pending */
    bool complained;          /* of a message that means nothing, or of too many */
    /* With message.c's lock: */
    uint32_t pending;     /* a bit for each message that has come */
    uint32_t held;        /* and for each that comes no more for now, as there were too many */
    bool msi_on;          /* in the device */
    unsigned recent;      /* how many came since */
    uint64_t since;       /* this TSC */
    struct timer release; /* of those held */
};

/* ---- place.c ---- */
/* What speaks against letting a guest reach its registers where they are; NULL: nothing. */
const char *place_objection(const struct pci_device *d);

#define MSIX_COUNT 0x07FF0000u /* of the first word of that capability: messages, less one */

/* The word of configuration space at this register. */
static inline struct field *assigned_field(struct assigned *a, unsigned reg)
{
    return &a->word[reg / 4];
}

/* ---- space.c: configuration space ---- */
/* As at reset, with BARs from *next on. */
void space_build(struct assigned *a, struct passthrough_room *next);
uint32_t space_read(struct vpci_function *f, unsigned reg);
void space_write(struct vpci_function *f, unsigned reg, uint32_t value, uint32_t mask);

/* ---- registers.c: what its BARs lead to ---- */
/* 0, -ENOMEM, -E2BIG: too large, -ENODEV: not as for its last owner; logged. */
int must_check registers_open(struct assigned *a);
/* BARs or the command may have changed: what is mapped elsewhere than it is now, goes. */
void registers_move(struct assigned *a);
bool registers_map(struct vpci_function *f, uint64_t at);
bool registers_read(struct vpci_function *f, uint64_t at, unsigned size, uint32_t *value);
bool registers_write(struct vpci_function *f, uint64_t at, unsigned size, uint32_t value);
/* The registers at this offset of a region, where they are trapped; NULL elsewhere. */
volatile uint8_t *registers_at(const struct assigned *a, unsigned bar, uint64_t offset,
                               unsigned size);

/* ---- message.c: MSI and MSI-X ---- */
void message_open(struct assigned *a);
/* Its capabilities may have changed: messages are let come, or not. */
void message_look(struct assigned *a);
/* An access to MSI-X's table. offset: in it; word-wise. */
uint32_t message_read(const struct assigned *a, uint64_t offset);
void message_write(struct assigned *a, uint64_t offset, uint32_t value);
void message_settle(struct vpci_function *f);
/* None comes any more. No lock held. */
void message_stop(struct assigned *a);

/* ---- reset.c ---- */
/* Stops it, and begins a reset if it has one. */
void reset_begin(struct assigned *a);
/* True: it is over, and the device is as it was when it was found. -ENODEV through *err: it has not
 * come back. */
bool must_check reset_goes_on(struct assigned *a, int *err);

#endif
