/*
 * Invariants. A failed ASSERT is Caisson's own bug, never a guest's doing, and ends in panic().
 *
 * panic() is declared here so that every room can reach it and defined in arch/x86/panic.c (in
 * tests/fakes for host tests): the one upward reference by name, like a trap instruction.
 */
#ifndef CAISSON_LIB_ASSERT_H
#define CAISSON_LIB_ASSERT_H

#include <stddef.h>

/* Prints the message, registers, backtrace and the domain being served, then stops the machine. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for an ASSERT, with less code at each of them. what: its words, or NULL. */
_Noreturn void panic_assertion(const char *file, unsigned line, const char *what)
    __attribute__((cold));

/* The image of a release build names the place only; the words stand there in the source. */
#if defined(LOCKDEP) && !LOCKDEP
#define ASSERT_WORDS(words) NULL
#else
#define ASSERT_WORDS(words) words
#endif

#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            panic_assertion(__FILE__, __LINE__, ASSERT_WORDS(#cond));                              \
    } while (0)

#endif
