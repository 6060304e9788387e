/*
 * PCI's configuration space by mechanism 1 and by memory: a host bridge; for a guest's own
 * firmware, the functions of a PIIX4 that tell where what it knows is; and what somebody plugs in.
 *
 * Registers: 0 address (port 0xCF8, 32 bits), 4..7 data (ports 0xCFC..0xCFF, any width). What is
 * not there reads all ones, as a PCI bus does when no device answers. In memory each function of
 * the bus has 4 KiB, of which the first 256 bytes are the same; behind them there is nothing.
 * Source: PCI Local Bus Specification, "Configuration Mechanism #1" and "Configuration Space
 * Organization"; PCI Express Base Specification, "Enhanced Configuration Access Mechanism".
 */
#ifndef CAISSON_DEVICES_VPCI_H
#define CAISSON_DEVICES_VPCI_H

#include <stdint.h>
#include "devices/device.h"

#define VPCI_ADDRESS 0
#define VPCI_DATA    4
#define VPCI_SIZE    8 /* ports */

#define VPCI_ECAM_SIZE (1u << 20) /* bytes: one bus */

#define VPCI_FIRST_SLOT 4  /* of those for what is plugged in, */
#define VPCI_SLOTS      28 /* and how many there are: all that a bus has left */
#define VPCI_SETTLES    12 /* what is sent on in one go; the last may be for all CPUs */

/* The board's lines for interrupt pins. They go round: pin A of slot n is at line n % 4, B at the
 * next one. For the 8259 pair they are these inputs, as of the PIIX4 that firmware knows. */
#define VPCI_LINES              4
#define VPCI_LINE_OF(slot, pin) ((VPCI_FIRST_SLOT + (slot) + (pin)-1) % VPCI_LINES)
#define VPCI_PIN_OF(slot, line) (((line) - (VPCI_FIRST_SLOT + (slot))) % VPCI_LINES + 1)
#define VPCI_ISA_IRQ(line)      ((((line) + 1) & 2) ? 10u : 11u)

struct vpci_function;
/* A function that is plugged in. reg: a multiple of 4; at: an address of memory. */
struct vpci_function_ops {
    uint32_t (*read)(struct vpci_function *f, unsigned reg);
    /* mask: the bytes of the value that are written. */
    void (*write)(struct vpci_function *f, unsigned reg, uint32_t value, uint32_t mask);
    /* Has it registers at this address? Those that can be are mapped there now: true; else accesses
     * to it come by the two below. size: 1, 2 or 4 bytes, which may leave the registers. */
    bool (*map)(struct vpci_function *f, uint64_t at);
    bool (*memory_read)(struct vpci_function *f, uint64_t at, unsigned size, uint32_t *value);
    bool (*memory_write)(struct vpci_function *f, uint64_t at, unsigned size, uint32_t value);
    /* Has it this port? If so, its accesses come by the two below. size: 1, 2 or 4 bytes, which may
     * leave its ports. What is above the size in an answer or in a value means nothing. */
    bool (*has_port)(struct vpci_function *f, uint16_t port);
    uint32_t (*port_read)(struct vpci_function *f, uint16_t port, unsigned size);
    void (*port_write)(struct vpci_function *f, uint16_t port, unsigned size, uint32_t value);
    /* It has asked to be called: it sends interrupts that it owes, so long as these come to less
     * than `most`, counting each once and once more for each CPU that it reaches. For the rest it
     * asks again. Returns what they came to. */
    unsigned (*settle)(struct vpci_function *f, unsigned most);
    /* The guest has ended the interrupt for which it called vpci_raise(). */
    void (*ended)(struct vpci_function *f);
};

struct vpci_function {
    const struct vpci_function_ops *ops;
};

struct vpci {
    struct device dev;
    struct device ports; /* what is plugged in answers there; the offset is a port */
    struct device ecam;  /* configuration space in memory */
    struct vpci_function *plugged[VPCI_SLOTS]; /* function 0 of each slot, or NULL */
    unsigned end;                              /* the slots from this one on are empty */
    struct line intx;            /* the board's, for all its lines; .set NULL: it has none */
    uint32_t raised[VPCI_LINES]; /* a bit for each slot: who asserts it */
    unsigned turn;               /* who is first at vpci_settle() */
    uint16_t pm_base;
    uint32_t address; /* as last written; bit 31: accesses to the data are configuration cycles */
};

/* pm_base: port of the power management, which the PIIX4 says; 0: there is none. */
void vpci_init(struct vpci *p, uint16_t pm_base);

/* Puts it into one of the slots, counted from VPCI_FIRST_SLOT; it stays. */
void vpci_plug(struct vpci *p, unsigned slot, struct vpci_function *f);

/* For the machine: an access to memory where none of its own devices is, of 1, 2, 4 or 8 bytes.
 * vpci_map() maps, if it can, and the access is to be made again; the other two are false where
 * nobody answers. */
bool vpci_map(struct vpci *p, uint64_t at);
bool vpci_memory_read(struct vpci *p, uint64_t at, unsigned size, uint64_t *value);
bool vpci_memory_write(struct vpci *p, uint64_t at, unsigned size, uint64_t value);
void vpci_settle(struct vpci *p);
/* Asserts a line for that slot's function, until its interrupt is ended: for the board, which says
 * so for a line. */
void vpci_raise(struct vpci *p, unsigned line, unsigned slot);
void vpci_end(struct vpci *p, unsigned line);
/* Somebody who is plugged in has this port. */
bool vpci_has_port(const struct vpci *p, uint16_t port);
/* Anything is plugged in. */
static inline bool vpci_has_any(const struct vpci *p)
{
    return p->end != 0;
}
/* A guest's own firmware puts registers where it likes: on this board it knows of no such memory.
 */
static inline bool vpci_has_ecam(const struct vpci *p)
{
    return vpci_has_any(p) && !p->pm_base;
}

#endif
