/*
 * For what a back end says of an entry that the processor has refused: the words.
 */
#ifndef CAISSON_VIRT_CHECK_H
#define CAISSON_VIRT_CHECK_H

/* Said instead of a rule where check_release.c is linked. */
#define CHECK_RELEASE "a debug build names the rule that is broken"

/* A text in this pCPU's buffer, good until its next call. */
const char *check_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
