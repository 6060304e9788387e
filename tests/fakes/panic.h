/*
 * panic() for host tests: ends the test program, unless the test expects it. It comes back by
 * longjmp(): a local that changes around EXPECT_PANIC() may have to be volatile.
 *
 *     EXPECT_PANIC(frame_free(m, 0, 7));
 *     assert_non_null(strstr(fake_panic_text, "owner"));
 */
#ifndef CAISSON_TESTS_FAKES_PANIC_H
#define CAISSON_TESTS_FAKES_PANIC_H

#include <setjmp.h>
#include <stdbool.h>

extern jmp_buf fake_panic_return;
extern bool fake_panic_expected;
extern char fake_panic_text[512]; /* of the last panic */

/* True when statement panics. */
#define PANICS(statement)                                                                          \
    ({                                                                                             \
        volatile bool panicked = true;                                                             \
        if (!setjmp(fake_panic_return)) {                                                          \
            fake_panic_expected = true;                                                            \
            statement;                                                                             \
            panicked = false;                                                                      \
        }                                                                                          \
        fake_panic_expected = false;                                                               \
        panicked;                                                                                  \
    })

#define EXPECT_PANIC(statement) assert_true(PANICS(statement))

#endif
