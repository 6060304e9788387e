/*
 * The BIOS data area of an hvm guest: what a PC's firmware leaves at 0x400 for software that asks
 * memory instead of devices (early consoles look there for the serial port, DOS-like kernels for
 * the size of conventional memory and the extended area).
 *
 * A pure function of the time into a buffer that the caller copies into the guest's memory.
 * Source: Ralf Brown's Interrupt List, MEMORY.LST, "Segment 0040h".
 */
#ifndef CAISSON_MACHINE_BIOS_DATA_H
#define CAISSON_MACHINE_BIOS_DATA_H

#include <stdint.h>

#define BIOS_DATA_START 0x400u
#define BIOS_DATA_SIZE  0x100u

/* epoch: seconds since 1970, UTC; its time of day goes into the tick count. ebda: where the
 * extended area of 1 KiB lies, whose first byte says so and is the caller's to write. */
void bios_data_build(uint8_t out[BIOS_DATA_SIZE], int64_t epoch, uint32_t ebda);

#endif
