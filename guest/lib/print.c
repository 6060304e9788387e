/*
 * A guest's output. See guest/lib/print.h.
 */
#include "guest/lib/print.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include "guest/lib/cpu.h"

#define COM1     0x3F8
#define LSR      5
#define LSR_THRE 0x20

static void uart_char(char c)
{
    while (!(inb(COM1 + LSR) & LSR_THRE))
        ;
    outb(COM1, (uint8_t)c);
}

static void (*sink)(char c) = uart_char;

void print_to(void (*fn)(char c))
{
    sink = fn;
}

void print_char(char c)
{
    if (c == '\n')
        sink('\r');
    sink(c);
}

static void print_text(const char *s, int width)
{
    int length = 0;

    for (; s[length]; length++)
        print_char(s[length]);
    for (; length < width; length++)
        print_char(' ');
}

static void print_number(uint64_t v, unsigned base, int width, char pad, bool negative)
{
    char digits[32];
    int n = 0;

    do
        digits[n++] = "0123456789abcdef"[v % base];
    while (v /= base);
    if (negative)
        digits[n++] = '-';
    for (int i = n; i < width; i++)
        print_char(pad);
    while (n)
        print_char(digits[--n]);
}

struct spec {
    bool alternate, is_long, left;
    char pad;
    int width;
};

static const char *parse(const char *p, struct spec *s)
{
    *s = (struct spec){ .pad = ' ' };
    for (; *p == '#' || *p == '0' || *p == '-'; p++) {
        s->alternate |= *p == '#';
        s->left |= *p == '-';
        s->pad = *p == '0' ? '0' : s->pad;
    }
    for (; *p >= '0' && *p <= '9'; p++)
        s->width = s->width * 10 + (*p - '0');
    for (; *p == 'l'; p++)
        s->is_long = true;
    return p;
}

static void print_signed(int64_t v, const struct spec *s)
{
    print_number(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, s->width, s->pad, v < 0);
}

void print(const char *fmt, ...)
{
    va_list args;
    struct spec s;

    va_start(args, fmt);
    for (const char *p = fmt; *p; p++) {
        if (*p != '%') {
            print_char(*p);
            continue;
        }
        p = parse(p + 1, &s);
        switch (*p) {
        case 's':
            print_text(va_arg(args, const char *), s.width);
            break;
        case 'c':
            print_char((char)va_arg(args, int));
            break;
        case 'd':
            print_signed(s.is_long ? va_arg(args, long) : va_arg(args, int), &s);
            break;
        case 'x':
            if (s.alternate)
                print_text("0x", 0);
            /* fall through */
        case 'u':
            print_number(s.is_long ? va_arg(args, unsigned long) : va_arg(args, unsigned),
                         *p == 'x' ? 16 : 10, s.width, s.pad, false);
            break;
        default:
            print_char(*p);
        }
    }
    va_end(args);
}
