/*
 * A device that is a domain's own, between the files of this room. One page, charged to the domain.
 */
#ifndef CAISSON_PASSTHROUGH_ASSIGNED_H
#define CAISSON_PASSTHROUGH_ASSIGNED_H

#include "guestmem/p2m.h"
#include "passthrough/passthrough.h"
#include "pci/pci.h"
#include "sched/timer.h"

#define ASSIGNED_WORDS  64 /* of configuration space: the first 256 bytes, all that it shows */
#define ASSIGNED_BARS   6  /* no expansion ROM */
#define PORTS_END       0x10000u   /* a PC has no more */
#define ASSIGNED_PIECES 2048       /* of registers, as they are mapped into its guest's memory */
#define ASSIGNED_TRAPS  PCI_PIECES /* pieces of them that are not */
/* The one of MSI, and what comes by its pin; those before are MSI-X's. */
#define ASSIGNED_MSI      31
#define ASSIGNED_INTX     32
#define ASSIGNED_MESSAGES 33

/* A word of configuration space as the guest sees it: bits of the device's own as they are now
 * (live), and others, some of which the guest can write (kept), which has no effect by itself. */
struct field {
    uint32_t value, kept, live;
};

/* Registers in memory. */
struct region {
    uint64_t at, size;         /* in the guest's memory, if it is on; size 0: no such BAR */
    bool on;                   /* it is where registers may be, and memory is enabled */
    struct p2m_registers left; /* what is still mapped where it was; none: 0 frames */
};

/* Ports, of which the machine has `base` on. */
struct ports {
    uint64_t size; /* 0: no such BAR, or its guest does not see it */
    uint16_t base;
    bool on;     /* there may be ports, and they are enabled */
    uint32_t at; /* of the guest's, if it is on */
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
    uint8_t pcpu, vector;      /* where it comes; vector 0: nowhere */
    uint8_t vcpu;              /* the first that it is for */
    bool routed;               /* the device has one of ours to send instead */
    bool open;                 /* and may */
};

struct assigned {
    struct vpci_function function;
    struct pci_device *device;
    struct passthrough_owner owner;
    unsigned slot;
    bool attached;      /* iommu/ lets it reach the domain's memory */
    bool resetting;     /* it is on its way back */
    bool wakes;         /* from firmware's sleep, before it is reset */
    enum pci_reset how; /* it is being reset, */
    bool held_in_reset; /* whose first half this is */
    uint64_t until;     /* TSC, until which it takes */
    uint64_t latest;    /* and by which it is to be ready */
    uint16_t control;   /* its PCI Express device control, before that */
    struct field word[ASSIGNED_WORDS];
    bool shows_msi, shows_msix; /* its guest finds them in its list of capabilities */
    struct region region[ASSIGNED_BARS];
    struct ports ports[ASSIGNED_BARS];
    bool leaving; /* one of them has left something */
    struct trap trap[ASSIGNED_TRAPS];
    unsigned trap_count;
    struct message message[ASSIGNED_MESSAGES];
    unsigned message_count;   /* of MSI-X */
    bool msix_on;             /* in the device */
    struct place table, bits; /* and where it has these messages, and which are pending */
    bool complained;          /* of a message that means nothing */
    bool intx;                /* its guest sees its interrupt pin, */
    uint8_t line;             /* which leads to this one of its board's */
    uint64_t moved;           /* TSC at which one was sent elsewhere */
    unsigned source, account; /* vector.c's number of it; arrival.c's of the domain */
    /* With source_lock(): */
    uint64_t pending;     /* a bit for each message that has come */
    bool up;              /* its pin's has, which is not ended: the line is masked */
    bool held;            /* none comes for now, as there were too many, */
    uint64_t held_at;     /* since this TSC */
    bool late;            /* one came long after that */
    unsigned defied;      /* how often in a row that was so */
    bool msi_on;          /* in the device */
    unsigned recent;      /* how many came since */
    uint64_t since;       /* this TSC */
    struct timer release; /* of what is held */
};

/* ---- place.c ---- */
/* What speaks against letting a guest reach its registers in memory, or its ports (io), where they
 * are; NULL: nothing. */
const char *place_objection(const struct pci_device *d, bool io);

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
/* BARs or the command may have changed: what is mapped elsewhere than it is now, goes, a piece now
 * and others by registers_settle(), before any vCPU comes far. */
void registers_move(struct assigned *a);
/* As `settle` of vpci_function_ops: a piece counts as all that may be done. */
unsigned registers_settle(struct assigned *a, unsigned most);
bool registers_map(struct vpci_function *f, uint64_t at);
bool registers_read(struct vpci_function *f, uint64_t at, unsigned size, uint32_t *value);
bool registers_write(struct vpci_function *f, uint64_t at, unsigned size, uint32_t value);
/* The registers at this offset of a region, where they are trapped; NULL elsewhere. */
volatile uint8_t *registers_at(const struct assigned *a, unsigned bar, uint64_t offset,
                               unsigned size);

/* ---- ports.c ---- */
/* Before space_build(). */
void ports_open(struct assigned *a);
/* BARs or the command may have changed. */
void ports_move(struct assigned *a);
/* As vpci_function_ops has them. */
bool ports_has(struct vpci_function *f, uint16_t port);
uint32_t ports_read(struct vpci_function *f, uint16_t port, unsigned size);
void ports_write(struct vpci_function *f, uint16_t port, unsigned size, uint32_t value);

/* ---- message.c: MSI and MSI-X ---- */
/* Every one is masked, and has a vector, if there are so many: a->message_count may shrink. 0,
 * -ENOSPC: there is none at all; -ENOMEM; -ENODEV, logged: it has neither messages nor a line. */
int must_check message_open(struct assigned *a);
/* Once the IOMMU lets the device in, one at each call: -EAGAIN, go on; 0; an error, logged. */
int must_check message_route_next(struct assigned *a);
/* From here on it comes to that pCPU, with that vector. The domain's lock is held, or nobody else
 * knows of the device; as iommu_route(). */
int must_check message_route(struct assigned *a, unsigned i, unsigned pcpu, uint8_t vector);
/* In the device. With source_lock(), but for the first time. */
void message_mask(struct assigned *a, unsigned i, bool masked);
/* Its capabilities may have changed: messages are let come, or not. */
void message_look(struct assigned *a);
/* It is to send messages, so not to assert its pin. */
bool message_is_chosen(struct assigned *a);
/* Its guest sees it: what comes by its pin may come. */
void message_begin(struct assigned *a);
/* An access to MSI-X's table. offset: in it; word-wise. */
uint32_t message_read(const struct assigned *a, uint64_t offset);
void message_write(struct assigned *a, uint64_t offset, uint32_t value);
/* None comes any more. No lock held. Again does no harm. */
void message_stop(struct assigned *a);

/* ---- intx.c: its interrupt pin ---- */
/* What speaks against letting anybody have it; NULL: nothing. Boot CPU, as the next five. */
const char *intx_objection(const struct pci_device *d);
/* A domain of another name has its line. */
bool intx_is_anothers(const struct pci_device *d, const char *name);
/* It is its guest's from now on: NULL; or why not. */
const char *intx_open(struct assigned *a);
/* Others of its domain may be on the same line of the machine's: is it the one that has it? */
bool intx_leads(const struct assigned *a);
void intx_close(struct assigned *a);
/* The leader's; as message_route() and message_mask(). Masked it stays while one is up. */
int must_check intx_route(const struct assigned *a, unsigned pcpu, uint8_t vector);
void intx_mask(const struct assigned *a, bool masked);
/* As vpci_function_ops has it. */
void intx_ended(struct vpci_function *f);

/* ---- arrival.c: interrupts as they come ---- */
/* One has come, with source_lock(); begun: TSC at which it did. False: no more of these. */
bool must_check arrival_come(struct assigned *a, unsigned i, uint64_t begun);
/* As vpci_function_ops has it. */
unsigned arrival_settle(struct vpci_function *f, unsigned most);
/* For a->release. */
void arrival_let_go_on(struct timer *t);

/* ---- vector.c: which vector of which pCPU is whose ---- */
/* Its interrupts are known. 0, -ENOSPC: those of too many devices are; -ENOMEM. Boot CPU, like the
 * next one. */
int must_check source_open(struct assigned *a);
void source_close(struct assigned *a);
/* What an interrupt of its may touch. Taken with the domain's lock, or none. */
void source_lock(const struct assigned *a);
void source_unlock(const struct assigned *a);
/* A vector of this pCPU's for message i; 0: none is left. */
uint8_t vector_take(const struct assigned *a, unsigned i, unsigned pcpu);
void vector_give(unsigned pcpu, uint8_t vector);

/* ---- reset.c ---- */
/* Stops it, and begins a reset if it has one. */
void reset_begin(struct assigned *a);
/* True: it is over, and the device is as it was when it was found. -ENODEV through *err: it has not
 * come back. */
bool must_check reset_goes_on(struct assigned *a, int *err);

#endif
