/*
 * Frames and heap on the host's malloc(), so that the sanitizers watch each of them.
 * A machine address is the host's pointer. Everything is counted per owner as the real ones do.
 */
#ifndef CAISSON_TESTS_FAKES_HEAP_H
#define CAISSON_TESTS_FAKES_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Frames and heap pages that were allocated and not freed. */
uint64_t fake_heap_in_use(void);
/* The heap is in shreds: there are single pages only. Whoever asks for more fails the test. */
extern bool fake_heap_shreds;
/* Called when somebody frees pages of the heap, if there is one. */
extern void (*fake_heap_freed)(void);

#endif
