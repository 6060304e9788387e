/*
 * A text console on the framebuffer that the boot loader handed over.
 */
#ifndef CAISSON_DRIVERS_FB_H
#define CAISSON_DRIVERS_FB_H

#include <stddef.h>
#include <stdint.h>
#include "lib/errno.h"

struct fb_mode {
    uint32_t pitch, width, height; /* bytes a line, pixels, pixels */
    uint8_t bpp;                   /* bits a pixel: 24 or 32 */
    uint8_t red_shift, green_shift, blue_shift;
};

/* pixels: pitch * height bytes, mapped; best write-combining. Clears it. 0, or -EINVAL for a mode
 * that it cannot draw in. Boot only. */
int must_check fb_init(const struct fb_mode *mode, void *pixels);

/* A log sink; without fb_init() it does nothing. */
void fb_write(const char *text, size_t len);

#endif
