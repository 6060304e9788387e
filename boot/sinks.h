/*
 * Where the log goes: which of the machine's outputs become its sinks, and when.
 */
#ifndef CAISSON_BOOT_SINKS_H
#define CAISSON_BOOT_SINKS_H

#include <stdbool.h>
#include <stddef.h>
#include "boot/boot_info.h"
#include "boot/options.h"
#include "drivers/uart.h"

/* More of what boot/entry.asm's TRAIL begins: to COM1 and port 0xE9, a few bytes, unseen. */
void sinks_trail(const char *text);

/* Port 0xE9 where an emulator listens, and the serial ports that the options name. They send when
 * they can, and nobody waits; with loglevel=debug each line is out before the next step, so that
 * the last one tells where a machine hangs. */
void sinks_start(const struct options *o);
/* The screen: the framebuffer, or VGA text on a BIOS machine. Wants aspace_init(). */
void sinks_map_screen(const struct boot_framebuffer *fb, bool efi, const struct options *o);
/* Lets the serial ports interrupt, where the machine can route that. Wants ioapic_init(). */
void sinks_use_interrupts(void);

/* The serial port that guests' consoles share with the log: the first one open, or NULL. */
struct uart *sinks_uart(void);

/* For the operator's text: the screen, whichever it is; the log's lines share it. */
void sinks_screen_text(const char *text, size_t len);

/* From now on the screen is drawn by a unit of the scheduler, not by who prints. Boot CPU. */
void sinks_paint_later(void);

/* For panic and the end: uart_go_polled(), and the screen is drawn at once and takes no lock. */
void sinks_go_polled(void);

#endif
