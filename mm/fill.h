/*
 * What becomes of freed memory: a debug build links mm/fill_debug.c, which fills it so that a
 * stale pointer or a stale mapping shows; a release build links mm/fill_release.c, which leaves it.
 * Either way nobody gets memory that is not zeroed.
 */
#ifndef CAISSON_MM_FILL_H
#define CAISSON_MM_FILL_H

#include <stddef.h>
#include "lib/addr.h"

#define FILL_FREED 0xdb /* each byte of it */

void fill_frames(mfn_t m, unsigned order); /* mapped nowhere */
void fill_bytes(void *p, size_t size);

#endif
