/*
 * What lib/string.c has beyond the C library, for programs that must keep the host's own: its
 * memcpy() and the like would serve a fuzzer too, which has habits that they do not allow.
 */
#include "lib/string.h"

size_t str_copy(char *dst, const char *src, size_t size)
{
    size_t length = strlen(src), n = length < size ? length : size ? size - 1 : 0;

    if (size) {
        memcpy(dst, src, n);
        dst[n] = '\0';
    }
    return length;
}
