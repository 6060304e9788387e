/*
 * For what a back end says of an entry that the processor has refused: the words, and the checks
 * that both processors make alike.
 */
#ifndef CAISSON_VIRT_CHECK_H
#define CAISSON_VIRT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* A text in this pCPU's buffer, good until its next call. */
const char *check_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Does each byte hold a memory type? */
bool check_is_pat(uint64_t value);

#endif
