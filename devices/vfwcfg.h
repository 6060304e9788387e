/*
 * QEMU's firmware configuration device, fw_cfg, by its ports: what a PC's firmware is told of the
 * machine that it starts on. Read only.
 *
 * Registers: 0 selector (port 0x510, 16 bits), 1 data (port 0x511): the next byte of the item that
 * the selector names; 4 to 11 DMA address (port 0x514, 64 bits in big endian): where in the guest's
 * memory a request stands to copy much at once. An item that is not there reads zeros, as does what
 * is behind the end of one.
 *
 * A request is carried out a piece at a time, the first at once, the others in tick(), and is done
 * when its control word says so, for which its guest has to look. A newer one takes the place of
 * one under way.
 *
 * Source: QEMU, docs/specs/fw_cfg, "Register Locations", "Data Items", "Guest-side DMA Interface".
 */
#ifndef CAISSON_DEVICES_VFWCFG_H
#define CAISSON_DEVICES_VFWCFG_H

#include <stdint.h>
#include "devices/device.h"

#define VFWCFG_SIZE 12 /* ports */

struct vfwcfg_item {
    uint16_t key;
    const void *data;
    uint64_t size;
};

/* The guest's memory. False where that is none; a leading part may have been done. */
struct vfwcfg_memory {
    void *ctx;
    bool (*read)(void *ctx, uint64_t from, void *to, size_t n);
    bool (*write)(void *ctx, uint64_t to, const void *from, size_t n); /* from NULL: zeros */
};

/* What is under way. */
struct vfwcfg_dma {
    uint64_t request; /* where it stands */
    uint64_t to;      /* where the next byte goes */
    uint64_t due;     /* the next piece, ns; TIME_NEVER: nothing is under way */
    uint32_t left;    /* bytes */
};

struct vfwcfg {
    struct device dev;
    const struct vfwcfg_item *items;
    unsigned count;
    const struct vfwcfg_item *selected; /* NULL: one that is not there */
    uint64_t next;                      /* byte of it */
    struct vfwcfg_memory memory;
    struct vfwcfg_dma dma;
    uint32_t dma_high; /* of the next request's address, as written */
};

/* items stay where they are; *memory is copied. */
void vfwcfg_init(struct vfwcfg *f, const struct vfwcfg_item *items, unsigned count,
                 const struct vfwcfg_memory *memory);

#endif
