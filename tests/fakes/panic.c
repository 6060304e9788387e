/*
 * panic() for host tests.
 */
#include "tests/fakes/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/assert.h"

jmp_buf fake_panic_return;
bool fake_panic_expected;
char fake_panic_text[512];

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(fake_panic_text, sizeof(fake_panic_text), fmt, args);
    va_end(args);
    if (fake_panic_expected)
        longjmp(fake_panic_return, 1);
    fprintf(stderr, "unexpected panic: %s\n", fake_panic_text);
    abort();
}

void panic_assertion(const char *file, unsigned line, const char *what)
{
    panic("%s:%u: assertion failed: %s", file, line, what);
}
