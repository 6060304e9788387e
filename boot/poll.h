/*
 * Interrupt handlers of devices whose interrupt does not arrive, called by the clock instead.
 */
#ifndef CAISSON_BOOT_POLL_H
#define CAISSON_BOOT_POLL_H

/* Calls fn, which tells itself whether there is anything to do, often enough for a serial line at
 * 115200 baud, on this pCPU. Once for each fn; at most four. Wants tsc_calibrate(). Boot only. */
void poll_add(void (*fn)(void));

#endif
