/*
 * Bytes and strings, as the C standard has them, and str_copy(), which strlcpy() should have been.
 */
#ifndef CAISSON_LIB_STRING_H
#define CAISSON_LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Copies src to dst of `size` bytes, cut where it does not fit; dst is NUL-terminated if size > 0.
 * Returns strlen(src): a result >= size tells that it was cut. */
size_t str_copy(char *dst, const char *src, size_t size);

#endif
