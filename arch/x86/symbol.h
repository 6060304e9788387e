/*
 * Names for code addresses, from a table that the build links into the image.
 */
#ifndef CAISSON_ARCH_X86_SYMBOL_H
#define CAISSON_ARCH_X86_SYMBOL_H

#include <stdint.h>

/* The function that address lies in, and how far; NULL outside the text or without a table. */
const char *symbol_find(uint64_t address, uint64_t *offset);

#endif
