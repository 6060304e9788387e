/*
 * An ELF kernel's section headers, for the boot information of multiboot kernels, which find
 * their own symbols by them.
 */
#ifndef CAISSON_LOADER_IMAGE_SECTIONS_H
#define CAISSON_LOADER_IMAGE_SECTIONS_H

#include "loader/image_place.h"

#define IMAGE_MAX_SECTIONS 64 /* of more nothing is told */

struct image_sections {
    unsigned count;      /* 0: there are none to tell of */
    unsigned entry_size; /* bytes of a header: 40 or 64 */
    unsigned names;      /* which of them has the names */
    unsigned stride;     /* from one header to the next, in the file */
    const uint8_t *headers;
    uint64_t at[IMAGE_MAX_SECTIONS]; /* where it came to lie that no segment has; 0: none such */
};

/* Puts what no segment has (symbols and names) behind the kernel, whose extent grows by it. */
void image_sections_place(struct image_place *p, struct image_extent *kernel,
                          struct image_sections *out);
/* The i-th header, its address filled in: entry_size bytes. */
void image_sections_header(const struct image_sections *s, unsigned i, uint8_t out[64]);

#endif
