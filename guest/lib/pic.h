/*
 * The pair of 8259s: interrupts 0 to 15 of a PC, without APIC.
 */
#ifndef GUEST_PIC_H
#define GUEST_PIC_H

#include <stdint.h>

#define PIC_VECTOR 0x20 /* of interrupt 0; the others follow */

void pic_init(uint16_t mask);
/* Whose bit is set does not come in. */
void pic_mask(uint16_t mask);
/* An interrupt of the first 8259 has been handled. */
void pic_eoi(void);

#endif
