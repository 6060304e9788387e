/*
 * A domain's machine: the devices of an hvm guest, on their ports and lines, with their clockwork.
 *
 * pc.h has the addresses, pc.c the wiring: the whole port map is one const table
 * there, and it is the place to add a device. machine.c is what runs.
 */
#ifndef CAISSON_MACHINE_MACHINE_H
#define CAISSON_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/vi8042.h"
#include "devices/vioapic.h"
#include "devices/vpci.h"
#include "devices/vpic.h"
#include "devices/vpit.h"
#include "devices/vpm.h"
#include "devices/vreset.h"
#include "devices/vrtc.h"
#include "devices/vuart.h"
#include "loader/memmap.h"
#include "arch/x86/moment.h"
#include "lib/addr.h"

struct domain;
struct vcpu;
struct port_range;

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
    DEV_PCI,
    DEV_COUNT
};

/* Who answers at a port, and what is to be minded then: found once, for guests use a few ports over
 * and over. */
struct port {
    struct device *dev; /* NULL: nothing is there */
    uint16_t number;
    uint16_t offset;       /* of the device's register */
    uint8_t device;        /* enum machine_device */
    bool timeless, steady; /* to be read: see devices/device.h */
    bool clockless;        /* the device has no deadline */
};

#define PORTS_RECENT 8

struct machine {
    struct domain *domain;
    struct vpic pic;
    struct vpit pit;
    struct vrtc rtc;
    struct vuart com[2];
    struct vi8042 i8042;
    struct vreset reset;
    struct vpm pm;
    struct vioapic ioapic;
    struct vpci pci;
    struct vioapic_bus ioapic_bus;
    struct vuart_peer com_peer[2];
    const struct port_range *ports;   /* its port map */
    struct port recent[PORTS_RECENT]; /* ports that were accessed lately, at their number's place */
    struct device *device[DEV_COUNT]; /* NULL: this machine has none */
    uint64_t device_due[DEV_COUNT];   /* ns of the domain's clock */
    struct moment due;                /* the first of them */
};

void machine_init(struct machine *m, struct domain *d, const struct memmap *map);
/* For machine.c: who answers at a port; and the warning, once, where nothing does. */
struct port machine_find_port(const struct machine *m, uint16_t number);
void machine_warn_of_port(struct machine *m, uint16_t number, const char *what);

/* One access to a port of 1, 2 or 4 bytes. Where nothing answers: all ones, and one warning. What
 * is above the size means nothing. */
uint32_t machine_port_read(struct machine *m, uint16_t port, unsigned size);
void machine_port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value);

/* One access to device memory by v: its local APIC's page, the I/O APIC, or nothing. */
bool machine_has_mmio(const struct machine *m, const struct vcpu *v, gpa_t at); /* a device's? */
uint64_t machine_mmio_read(struct machine *m, struct vcpu *v, gpa_t at, unsigned size);
void machine_mmio_write(struct machine *m, struct vcpu *v, gpa_t at, unsigned size, uint64_t value);

/* Lets every device that is due do what it has to. now: ns of the domain's clock. */
void machine_tick(struct machine *m, uint64_t now);

/* An inter-processor interrupt or an I/O APIC's message, to whomever it addresses. */
void machine_apic_message(struct machine *m, const struct apic_message *message);

/* All of these want the domain's lock held. COM1: hands over a byte from the console, false if
 * there is no room; and: output may go on. */
bool machine_console_give(struct machine *m, uint8_t byte);
void machine_console_kick(struct machine *m);

#endif
