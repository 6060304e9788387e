/*
 * The console ring: a page with a queue in each direction. Layout as in
 * xen/include/public/io/console.h. Indices run on; each is written by one side only.
 */
#ifndef CAISSON_PUBLIC_IO_CONSOLE_H
#define CAISSON_PUBLIC_IO_CONSOLE_H

#include <stdint.h>

#define XENCONS_IN_BYTES  1024
#define XENCONS_OUT_BYTES 2048

struct xencons_interface {
    char in[XENCONS_IN_BYTES];   /* to the guest */
    char out[XENCONS_OUT_BYTES]; /* from it */
    uint32_t in_cons, in_prod;
    uint32_t out_cons, out_prod;
};

_Static_assert(sizeof(struct xencons_interface) == 3088, "as in Xen");

#endif
