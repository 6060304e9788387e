/*
 * An i8042 keyboard controller with nothing plugged in: enough for a guest to find out that there
 * is no keyboard and no mouse, and to pull the reset line, which is what most kernels want of it.
 *
 * Registers: 0 data (port 0x60), 1 status and command (port 0x64). It raises no interrupt.
 */
#ifndef CAISSON_DEVICES_VI8042_H
#define CAISSON_DEVICES_VI8042_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/device.h"

struct vi8042 {
    struct device dev;
    struct line reset; /* pulsed: high, then low */
    bool answers;      /* reads are answered */
    uint8_t status;    /* as the guest reads it */
    uint8_t data;      /* output buffer; valid if status says so */
    uint8_t config;    /* the controller's command byte */
    uint8_t output;    /* output port: bit 0 reset (low is active), bit 1 A20 */
    uint8_t command;   /* waits for its data byte; 0: none does */
};

/* answers: reads are answered. Else all that is read is ones, as where there is none, which spares
 * firmware the long wait for a keyboard; writes do what they do. */
void vi8042_init(struct vi8042 *kbc, struct line reset, bool answers);

#endif
