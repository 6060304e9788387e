/*
 * Names for code addresses, from a table that the build links into the image.
 */
#ifndef CAISSON_ARCH_X86_SYMBOL_H
#define CAISSON_ARCH_X86_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

#define SYMBOL_NAME 64 /* bytes for one, its end included; tools/symbols holds them to it */

/* The function that address lies in, and how far; false outside the text or without a table. */
bool symbol_find(uint64_t address, char name[SYMBOL_NAME], uint64_t *offset);

#endif
