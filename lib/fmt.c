/*
 * printf's formats. A directive is first read into a struct, then put out: the reading knows
 * nothing of the output and the output nothing of the format's text.
 */
#include "lib/fmt.h"

#include <stdbool.h>
#include <stdint.h>

struct out {
    char *buf;
    size_t size;  /* of buf */
    size_t used;  /* characters of the whole text so far, those without a place in buf included */
    va_list args; /* those not yet taken */
};

struct directive {
    bool left, zero;
    size_t width;
    size_t precision; /* SIZE_MAX: none was given */
    unsigned bytes;   /* of the integer: sizeof of its type */
    char conversion;
};

static void put(struct out *o, char c)
{
    if (o->used + 1 < o->size)
        o->buf[o->used] = c;
    o->used++;
}

static void put_repeated(struct out *o, char c, size_t n)
{
    while (n--)
        put(o, c);
}

/* Puts text with what fills it up to the width. */
static void put_field(struct out *o, const struct directive *d, const char *text, size_t length)
{
    size_t pad = d->width > length ? d->width - length : 0;

    if (!d->left)
        put_repeated(o, ' ', pad);
    for (size_t i = 0; i < length; i++)
        put(o, text[i]);
    if (d->left)
        put_repeated(o, ' ', pad);
}

static void put_string(struct out *o, const struct directive *d, const char *s)
{
    size_t length = 0;

    if (!s)
        s = "(null)";
    while (length < d->precision && s[length])
        length++;
    put_field(o, d, s, length);
}

/* prefix ("", "-" or "0x") stands before the zeros that fill the width. */
static void put_number(struct out *o, const struct directive *d, uint64_t value, const char *prefix)
{
    const char *digits = d->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned base = d->conversion == 'd' || d->conversion == 'u' ? 10 : 16;
    char text[24]; /* 20 digits of 2^64 - 1, "0x" */
    struct directive rest = *d;
    size_t at = sizeof(text), prefix_length = prefix[0] == '\0' ? 0 : prefix[1] == '\0' ? 1 : 2;

    do {
        text[--at] = digits[value % base];
        value /= base;
    } while (value);

    if (d->zero && !d->left) {
        size_t length = sizeof(text) - at + prefix_length;

        for (size_t i = 0; i < prefix_length; i++)
            put(o, prefix[i]);
        put_repeated(o, '0', d->width > length ? d->width - length : 0);
        rest.width = 0;
    } else {
        for (size_t i = prefix_length; i > 0; i--)
            text[--at] = prefix[i - 1];
    }
    put_field(o, &rest, text + at, sizeof(text) - at);
}

static const char *read_flags(const char *f, struct directive *d)
{
    for (;; f++) {
        if (*f == '-')
            d->left = true;
        else if (*f == '0')
            d->zero = true;
        else
            return f;
    }
}

/* Digits, or * for an argument; a negative argument is the left flag and a width. */
static const char *read_width(const char *f, struct directive *d, va_list *args)
{
    if (*f == '*') {
        int width = va_arg(*args, int);

        d->left |= width < 0;
        d->width = width < 0 ? -(size_t)width : (size_t)width;
        return f + 1;
    }
    while (*f >= '0' && *f <= '9')
        d->width = d->width * 10 + (size_t)(*f++ - '0');
    return f;
}

static const char *read_precision(const char *f, struct directive *d, va_list *args)
{
    d->precision = SIZE_MAX;
    if (*f != '.')
        return f;
    f++;
    if (*f == '*') {
        int precision = va_arg(*args, int);

        if (precision >= 0)
            d->precision = (size_t)precision;
        return f + 1;
    }
    d->precision = 0;
    while (*f >= '0' && *f <= '9')
        d->precision = d->precision * 10 + (size_t)(*f++ - '0');
    return f;
}

static const char *read_length(const char *f, struct directive *d)
{
    d->bytes = sizeof(int);
    if (f[0] == 'h') {
        d->bytes = f[1] == 'h' ? 1 : 2;
        return f + (f[1] == 'h' ? 2 : 1);
    }
    if (f[0] == 'l') {
        d->bytes = sizeof(long);
        return f + (f[1] == 'l' ? 2 : 1);
    }
    if (f[0] == 'z') {
        d->bytes = sizeof(size_t);
        return f + 1;
    }
    return f;
}

/* The next integer argument, cut to its length and extended again. */
static uint64_t take_integer(const struct directive *d, bool is_signed, va_list *args)
{
    unsigned shift = 64 - 8 * d->bytes;
    uint64_t value;

    value = d->bytes == 8 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
    value <<= shift;
    return is_signed ? (uint64_t)((int64_t)value >> shift) : value >> shift;
}

static void put_signed(struct out *o, struct directive *d)
{
    int64_t value = (int64_t)take_integer(d, true, &o->args);

    d->conversion = 'd';
    put_number(o, d, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0 ? "-" : "");
}

/* Puts one directive; false if it is none that we know. */
static bool put_directive(struct out *o, struct directive *d)
{
    char c;

    switch (d->conversion) {
    case 'd':
    case 'i':
        put_signed(o, d);
        return true;
    case 'u':
    case 'x':
    case 'X':
        put_number(o, d, take_integer(d, false, &o->args), "");
        return true;
    case 'p':
        put_number(o, d, (uintptr_t)va_arg(o->args, void *), "0x");
        return true;
    case 's':
        put_string(o, d, va_arg(o->args, const char *));
        return true;
    case 'c':
        c = (char)va_arg(o->args, int);
        put_field(o, d, &c, 1);
        return true;
    case '%':
        put(o, '%');
        return true;
    default:
        return false;
    }
}

/* f stands behind the '%'; returns what follows the directive. */
static const char *format_one(struct out *o, const char *f)
{
    const char *start = f - 1;
    struct directive d = { 0 };

    f = read_flags(f, &d);
    f = read_width(f, &d, &o->args);
    f = read_precision(f, &d, &o->args);
    f = read_length(f, &d);
    d.conversion = *f;
    if (d.conversion)
        f++;
    if (!put_directive(o, &d)) {
        while (start < f)
            put(o, *start++);
    }
    return f;
}

size_t fmt_vsn(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = { .buf = buf, .size = size };

    va_copy(o.args, args);
    while (*fmt) {
        if (*fmt == '%')
            fmt = format_one(&o, fmt + 1);
        else
            put(&o, *fmt++);
    }
    va_end(o.args);
    if (size)
        buf[o.used < size ? o.used : size - 1] = '\0';
    return o.used;
}

size_t fmt_sn(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    size_t used;

    va_start(args, fmt);
    used = fmt_vsn(buf, size, fmt, args);
    va_end(args);
    return used;
}
