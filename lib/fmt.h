/*
 * printf's formats, to a buffer.
 *
 * Conversions d i u x X c s p %, flags 0 and -, a width (or *), a precision for s (or *), lengths
 * hh h l ll z. %p is 0x and hexadecimal digits. A %s of NULL is "(null)". A directive that is none
 * of these is copied as it stands.
 */
#ifndef CAISSON_LIB_FMT_H
#define CAISSON_LIB_FMT_H

#include <stdarg.h>
#include <stddef.h>

/* Both return the length of the whole text, like snprintf: a result >= size tells that it was cut.
 * buf is NUL-terminated if size > 0. */
size_t fmt_sn(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t fmt_vsn(char *buf, size_t size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
