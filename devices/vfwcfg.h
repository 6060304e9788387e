/*
 * QEMU's firmware configuration device, fw_cfg, by its ports: what a PC's firmware is told of the
 * machine that it starts on. Read only, without DMA.
 *
 * Registers: 0 selector (port 0x510, 16 bits), 1 data (port 0x511): the next byte of the item that
 * the selector names. An item that is not there reads zeros, as does what is behind the end of one.
 * Source: QEMU, docs/specs/fw_cfg, "Register Locations" and "Data Items".
 */
#ifndef CAISSON_DEVICES_VFWCFG_H
#define CAISSON_DEVICES_VFWCFG_H

#include <stdint.h>
#include "devices/device.h"

#define VFWCFG_SIZE 2 /* ports */

struct vfwcfg_item {
    uint16_t key;
    const void *data;
    uint64_t size;
};

struct vfwcfg {
    struct device dev;
    const struct vfwcfg_item *items;
    unsigned count;
    const struct vfwcfg_item *selected; /* NULL: one that is not there */
    uint64_t next;                      /* byte of it */
};

/* items stay where they are. */
void vfwcfg_init(struct vfwcfg *f, const struct vfwcfg_item *items, unsigned count);

#endif
