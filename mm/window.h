/*
 * Windows: how Caisson touches a frame that it does not keep mapped.
 *
 * Each pCPU has a few slots of its own; opening one is a store, closing it a store and an INVLPG,
 * no lock, no other CPU to tell. A window is opened, used and closed within one function.
 */
#ifndef CAISSON_MM_WINDOW_H
#define CAISSON_MM_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"

#define WINDOW_SLOTS 8 /* open at once on one pCPU; nesting deeper is a bug (ASSERT) */

/* Maps the frame read-write, no-execute, write-back. Never fails. */
void *window_open(mfn_t m);
/* Closes it, by any address in it; windows close in the reverse order of opening (ASSERT). */
void window_close(void *p);

/* Copies bytes of a frame, from an offset on and not beyond its end. */
void window_read(mfn_t m, size_t offset, void *to, size_t n);
void window_write(mfn_t m, size_t offset, const void *from, size_t n);

/* Eight bytes of memory that held `value`, as far as the bits of `mask` go, when they were read.
 * They lie within one frame. */
struct window_word {
    maddr_t at;
    uint64_t mask, value;
};
/* Do they all hold that still? Looked at in their order, through one window. */
bool window_same(const struct window_word *words, unsigned count);

/* Sets every byte of 2^order frames, 2 MiB at a time where it can. */
void window_fill(mfn_t m, unsigned order, uint8_t byte);

/* For aspace_init(): the table (level 2, static) that the PML4's entry for WINDOW_BASE shall name,
 * given the machine address of IMAGE_BASE; and that it is in force from now on. */
maddr_t window_table(maddr_t image_phys);
void window_start(void);

#endif
