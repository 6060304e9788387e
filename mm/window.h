/*
 * Windows: how Caisson touches a frame that it does not keep mapped.
 *
 * Each pCPU has a few slots of its own; mapping one is a store and an INVLPG, no lock, no other
 * CPU to tell. A window is opened, used and closed within one function.
 */
#ifndef CAISSON_MM_WINDOW_H
#define CAISSON_MM_WINDOW_H

#include "lib/addr.h"

#define WINDOW_SLOTS 8 /* open at once on one pCPU; nesting deeper is a bug (ASSERT) */

/* Maps the frame read-write, no-execute, write-back. Never fails. */
void *window_open(mfn_t m);
/* Closes it; windows close in the reverse order of opening (ASSERT). */
void window_close(void *p);

#endif
