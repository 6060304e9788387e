/*
 * What a PC's firmware leaves of its services for a kernel that enables interrupts in real mode
 * before it has handlers of its own: an interrupt table whose handlers return, of hardware
 * interrupts after an EOI, and of the timer's after one more tick in the BIOS data area. The
 * services themselves are not here: INT 10h and its like return without having done anything.
 *
 * Bytes for the caller to copy into the guest's memory.
 */
#ifndef CAISSON_MACHINE_BIOS_VECTORS_H
#define CAISSON_MACHINE_BIOS_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#define BIOS_VECTORS_SIZE 0x400u   /* of the table, at address 0 */
#define BIOS_CODE_START   0xFFE00u /* of what it leads to */
#define BIOS_CODE_SIZE    0x200u   /* to 1 MiB, where a CPU's first instruction is: it resets */

void bios_vectors_build(uint8_t out[BIOS_VECTORS_SIZE]);
void bios_code_build(uint8_t out[BIOS_CODE_SIZE]);

/* The 8259s' vectors, as in all PCs: of IRQ 0 and of IRQ 8. */
#define BIOS_IRQ_VECTOR  0x08
#define BIOS_IRQ_VECTOR2 0x70

#endif
