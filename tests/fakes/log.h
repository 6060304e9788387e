/*
 * The log for host tests: keeps the lines of the test so far, for the test to look at.
 * With CAISSON_TEST_LOG in the environment they also go to stderr.
 */
#ifndef CAISSON_TESTS_FAKES_LOG_H
#define CAISSON_TESTS_FAKES_LOG_H

#include <stdbool.h>

extern char fake_log_text[65536];
extern unsigned fake_log_lines[5]; /* lines so far of each level */

void fake_log_reset(void);
bool fake_log_has(const char *part);

#endif
