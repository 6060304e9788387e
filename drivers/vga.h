/*
 * The text screen of a PC: 80 columns, 25 rows.
 */
#ifndef CAISSON_DRIVERS_VGA_H
#define CAISSON_DRIVERS_VGA_H

struct screen;

#define VGA_MADDR 0xB8000
#define VGA_BYTES 4000

/* video_memory: VGA_MADDR, mapped. Clears the screen the first time; later calls only say that it
 * is mapped elsewhere now. Boot only. */
struct screen *vga_init(void *video_memory);

#endif
