/*
 * What a PC's firmware leaves of its services for a kernel that enables interrupts in real mode
 * before it has handlers of its own: an interrupt table whose handlers return, of hardware
 * interrupts after an EOI, and of the timer's after one more tick in the BIOS data area. The
 * services themselves are not here: INT 10h and its like return without having done anything.
 *
 * Bytes for the caller to copy into the guest's memory, constant so that this takes no time.
 */
#ifndef CAISSON_MACHINE_BIOS_VECTORS_H
#define CAISSON_MACHINE_BIOS_VECTORS_H

#include <stdint.h>

/* The 8259s' vectors, as in all PCs: of IRQ 0 and of IRQ 8. */
#define BIOS_IRQ_VECTOR  0x08
#define BIOS_IRQ_VECTOR2 0x70

#define BIOS_VECTORS    256
#define BIOS_CODE_START 0xFFE00u /* of what they lead to */
#define BIOS_CODE_SIZE  0x200u   /* to 1 MiB, where a CPU's first instruction is: it resets */

extern const uint32_t bios_vectors[BIOS_VECTORS]; /* at address 0 */
extern const uint8_t bios_code[BIOS_CODE_SIZE];

#endif
