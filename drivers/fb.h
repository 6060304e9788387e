/*
 * A text console on the framebuffer that the boot loader handed over.
 */
#ifndef CAISSON_DRIVERS_FB_H
#define CAISSON_DRIVERS_FB_H

#include <stddef.h>
#include <stdint.h>
#include "lib/errno.h"

struct screen;

struct fb_channel {
    uint8_t shift, bits;
};

struct fb_mode {
    uint32_t pitch, width, height; /* bytes a line, pixels, pixels */
    uint8_t bpp;                   /* bits a pixel: 15, 16, 24 or 32 */
    struct fb_channel red, green, blue;
};

/* How much memory fb_init() wants for this mode; 0 if it cannot draw in it. */
size_t must_check fb_memory(const struct fb_mode *mode);

/* pixels: pitch * height bytes, mapped; best write-combining. Clears it. cells: fb_memory(mode)
 * bytes, kept. Boot only. */
struct screen *fb_init(const struct fb_mode *mode, void *pixels, char *cells);

#endif
