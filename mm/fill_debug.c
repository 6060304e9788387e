/*
 * Freed memory is filled: the choice of a debug build.
 */
#include "mm/fill.h"

#include "arch/x86/bound.h"
#include "lib/string.h"
#include "mm/window.h"

void fill_frames(mfn_t m, unsigned order)
{
    window_fill(m, order, FILL_FREED);
}

void fill_bytes(void *p, size_t size)
{
    span_pause(); /* a release does not do it */
    memset(p, FILL_FREED, size);
    span_resume();
}
