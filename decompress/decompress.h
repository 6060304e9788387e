/*
 * Packed files, and how they are unpacked: for kernels that come with gzip around them.
 *
 * A format is a row of a table: what it is known by, how large it will be, and the work. Another
 * one is another row. The bytes are a stranger's: what is unpacked is bounded by what the caller
 * has room for.
 */
#ifndef CAISSON_DECOMPRESS_DECOMPRESS_H
#define CAISSON_DECOMPRESS_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECOMPRESS_WORK 4096 /* bytes that any format may want to work with */

struct decompress_format {
    const char *name;
    bool (*is)(const uint8_t *file, size_t n);
    /* Both: NULL, or what is wrong with the file. How many bytes will come out of it; */
    const char *(*size)(const uint8_t *file, size_t n, size_t *out);
    /* and those, checked as the format has it. work: DECOMPRESS_WORK bytes, aligned for anything.
     */
    const char *(*unpack)(const uint8_t *file, size_t n, void *to, size_t size, void *work);
};

/* The format of a packed file; NULL: it is not packed. */
const struct decompress_format *decompress_format_of(const void *file, size_t n);

extern const struct decompress_format decompress_gzip;

#endif
