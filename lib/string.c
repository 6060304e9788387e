/*
 * Bytes and strings.
 *
 * Compilers call memcpy, memmove, memset and memcmp by themselves, freestanding or not. The bulk
 * goes by string instructions in words of 8: quick on every CPU, and one instruction for each word
 * where instructions are counted. They are in assembly also because a compiler may recognise a
 * loop that fills memory as memset, and make memset call itself.
 */
#include "lib/string.h"

#include <stdint.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    void *to = dst;
    size_t words = n / 8, rest = n % 8;

    asm volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(rest) : : "memory");
    return dst;
}

/* From the last byte down, for a destination that overlaps the source from above. */
static void copy_down(char *dst, const char *src, size_t n)
{
    dst += n - 1;
    src += n - 1;
    asm volatile("std; rep movsb; cld" : "+D"(dst), "+S"(src), "+c"(n) : : "memory", "cc");
}

void *memmove(void *dst, const void *src, size_t n)
{
    /* Unsigned: a dst below src also gives a distance beyond n. */
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src, n);
    copy_down(dst, src, n);
    return dst;
}

void *memset(void *dst, int byte, size_t n)
{
    void *to = dst;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101UL;
    size_t words = n / 8, rest = n % 8;

    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n]) {
        asm volatile(""); /* keeps the loop a loop: see the head of the file */
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return (uint8_t)a[i] - (uint8_t)b[i];
        if (!a[i])
            return 0;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++) {
        if (!*s)
            return NULL;
    }
    return (char *)s;
}

size_t str_copy(char *dst, const char *src, size_t size)
{
    size_t length = strlen(src);
    size_t taken = length;

    if (!size)
        return length;
    if (taken >= size)
        taken = size - 1;
    memcpy(dst, src, taken);
    dst[taken] = '\0';
    return length;
}
