/*
 * A domain's machine: the devices of its board, on their ports and lines, with their clockwork.
 *
 * A board is pc.c or pvh.c: which devices there are, and one const table with the whole port map;
 * it is the place to add a device. pc.h has the addresses. board.c puts a machine together,
 * machine.c is what runs. A machine knows no domain: what it needs of its own is in struct
 * machine_config.
 *
 * No locks: whoever owns it serialises all calls.
 */
#ifndef CAISSON_MACHINE_MACHINE_H
#define CAISSON_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/vfwcfg.h"
#include "devices/vhpet.h"
#include "devices/vcrtc.h"
#include "devices/vi8042.h"
#include "devices/vioapic.h"
#include "devices/vlapic.h"
#include "devices/vpci.h"
#include "devices/vpic.h"
#include "devices/vpit.h"
#include "devices/vpm.h"
#include "devices/vreset.h"
#include "devices/vrtc.h"
#include "devices/vuart.h"
#include "arch/x86/moment.h"
#include "lib/addr.h"

#include "lib/warned.h"

enum machine_device {
    DEV_PIC,
    DEV_PIT,
    DEV_RTC,
    DEV_COM1,
    DEV_COM2,
    DEV_I8042,
    DEV_RESET,
    DEV_PM,
    DEV_IOAPIC,
    DEV_HPET,
    DEV_PCI,
    DEV_FWCFG,
    DEV_CRTC,
    DEV_COUNT,
    DEV_NONE = DEV_COUNT, /* nobody: a warning is owed */
    DEV_ABSENT,           /* nobody, as many a guest finds out by asking: none is */
    DEV_ZEROS,            /* the same, but zeros are read */
};

/* What is to be minded when a port is read: see devices/device.h. */
enum port_reading { PORT_ASK_AFTER, PORT_STEADY, PORT_TIMELESS };

/* Who answers at a port, and what is to be minded then: found once, for guests use a few ports over
 * and over. */
struct port {
    struct device *dev; /* NULL: nothing is there */
    uint16_t number;
    uint16_t offset; /* of the device's register; if dev is NULL, 16 of the bits that are read */
    uint8_t device;  /* enum machine_device; for no dev and the PCI bus one of the last three */
    uint8_t split;   /* sizes of accesses, as bits, that the bus carries out byte by byte */
    uint8_t reading; /* enum port_reading */
    bool clockless;  /* the device has no deadline */
};

#define PORTS_RECENT 8
#define STRAYS_TOLD  1000u /* after so many accesses where nothing is one line tells of them */

/* What a machine asks of the domain that owns it. The caller of the machine's function, in which
 * this comes, holds what that function wants held. */
enum machine_power { MACHINE_RESET, MACHINE_OFF };
struct machine_owner {
    /* vCPU 0 is to look before it enters the guest again: the 8259 pair has an interrupt for it,
     * the I/O APIC has more than one to send, or the next deadline is sooner than it knew. */
    void (*look)(void *ctx);
    /* The I/O APIC sends an interrupt. */
    void (*apic_message)(void *ctx, const struct apic_message *message);
    /* A byte of COM1's output; false: no room now, machine_console_kick() when there is. */
    bool (*console_put)(void *ctx, uint8_t byte);
    /* COM1 has room again for machine_console_give(). now: ns of the domain's clock. */
    void (*console_room)(void *ctx, uint64_t now);
    /* The guest has switched it off, or reset it. */
    void (*power)(void *ctx, enum machine_power wish);
    /* A device reads and writes the guest's memory by itself: devices/vfwcfg.h. */
    bool (*memory_read)(void *ctx, uint64_t from, void *to, size_t n);
    bool (*memory_write)(void *ctx, uint64_t to, const void *from, size_t n);
};

struct board;
extern const struct board board_pc, board_pvh, board_bare;

struct machine_config {
    const struct board *board;
    const struct machine_owner *owner;
    void *ctx;                   /* for the owner's functions */
    const char *name;            /* the domain's, for warnings; it stays where it is */
    uint64_t tsc_zero;           /* machine TSC at which the domain's clock read 0 */
    uint64_t ram_low, ram_above; /* bytes of RAM below 4 GiB, and from there on: for the CMOS */
    bool no_hpet;                /* a PC without one */
    bool pci;                    /* something will be plugged into its PCI bus */
    const struct vfwcfg_item *firmware; /* what its firmware is told; NULL: a PC without fw_cfg */
    unsigned firmware_items;
};

struct machine {
    const struct board *board;
    const struct machine_owner *owner;
    void *ctx;
    const char *name;
    uint64_t tsc_zero;
    struct vpic pic;
    struct device watched_pic; /* the same for the ports, if PCI devices have to know of EOIs */
    struct vpit pit;
    struct vrtc rtc;
    struct vuart com[2];
    struct vi8042 i8042;
    struct vreset reset;
    struct vpm pm;
    struct vioapic ioapic;
    struct vpci pci;
    struct vcrtc crtc;
    struct vioapic_bus ioapic_bus;
    struct vhpet hpet;
    struct vfwcfg fwcfg;
    struct port recent[PORTS_RECENT]; /* ports that were accessed lately, at their number's place */
    struct device *device[DEV_COUNT]; /* NULL: this machine has none */
    uint64_t device_due[DEV_COUNT];   /* ns of the domain's clock */
    struct moment due;                /* the first of them */
    uint64_t strays;                  /* accesses to memory where nothing is */
    struct warned unknown;            /* ports, and sleep types behind them */
};

/* Copies *config. */
void machine_init(struct machine *m, const struct machine_config *config);
/* The ports that guests reach without an exit, as the processor's I/O bitmaps have it: two pages, a
 * bit set for each port that exits. The same for all boards. */
void machine_fill_io_bitmap(uint8_t *bitmap);

/* One access to a port of 1, 2 or 4 bytes. Where nothing answers: all ones, and one warning. A
 * wider one to a device of bytes is as many accesses, low port first. What is above the size means
 * nothing. */
uint32_t machine_port_read(struct machine *m, uint16_t port, unsigned size);
void machine_port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value);

/* One access to device memory by the CPU with this local APIC: the APIC's page, the I/O APIC, the
 * HPET, or nothing. size: 1, 2, 4 or 8 bytes. */
bool machine_has_mmio(const struct machine *m, const struct vlapic *l, gpa_t at); /* a device's? */
uint64_t machine_mmio_read(struct machine *m, struct vlapic *l, gpa_t at, unsigned size);
void machine_mmio_write(struct machine *m, struct vlapic *l, gpa_t at, unsigned size,
                        uint64_t value);

/* Lets every device that is due do what it has to. now: ns of the domain's clock. */
void machine_tick(struct machine *m, uint64_t now);

/* COM1, of a PC: hands over a byte from the console, false if there is no room; and: output may go
 * on. */
bool machine_console_give(struct machine *m, uint8_t byte);
void machine_console_kick(struct machine *m);

#endif
