/*
 * Invariants. A failed ASSERT is Caisson's own bug, never a guest's doing, and ends in panic().
 *
 * panic() is declared here so that every room can reach it and defined in arch/x86/panic.c (in
 * tests/fakes for host tests): the one upward reference by name, like a trap instruction.
 */
#ifndef CAISSON_LIB_ASSERT_H
#define CAISSON_LIB_ASSERT_H

/* Prints the message, registers, backtrace and the domain being served, then stops the machine. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for an ASSERT, with less code at each of them. what: its words. */
_Noreturn void panic_assertion(const char *file, unsigned line, const char *what)
    __attribute__((__cold__));

/* A release build has the number of the line only, behind an instruction that is none, where
 * panic_trap() looks for it: file and words would be 4 KiB of the image. The backtrace names the
 * function. */
#if defined(LOCKDEP) && !LOCKDEP
#define ASSERT_FAILED(words)                                                                       \
    do {                                                                                           \
        asm volatile("ud1 %%eax, %%eax; .short %c0" : : "i"(__LINE__));                            \
        __builtin_unreachable();                                                                   \
    } while (0)
#else
#define ASSERT_FAILED(words) panic_assertion(__FILE__, __LINE__, words)
#endif

#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            ASSERT_FAILED(#cond);                                                                  \
    } while (0)

#endif
