/*
 * The text screen of a PC: 80 columns, 25 rows.
 */
#ifndef CAISSON_DRIVERS_VGA_H
#define CAISSON_DRIVERS_VGA_H

#include <stddef.h>

#define VGA_MADDR 0xB8000
#define VGA_BYTES 4000

/* screen: VGA_MADDR, mapped. Clears it. Called again after the mapping has moved, it only takes
 * over the new address. Boot only. */
void vga_init(void *screen);

/* A log sink; without vga_init() it does nothing. */
void vga_write(const char *text, size_t len);

#endif
