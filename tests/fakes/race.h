/*
 * A second vCPU for host tests, as quick as can be: memory that changes with each read.
 *
 * Watched pages are out of the process's reach. An instruction that touches one is let through, by
 * itself, and what it read is something else before the next one runs. So what the code under test
 * reads twice it finds changed, be the second read the compiler's. How often each place is read is
 * counted too: a place that is read twice may be one that is checked and then used.
 *
 * Works by SIGSEGV and single steps; x86-64 Linux.
 */
#ifndef CAISSON_TESTS_FAKES_RACE_H
#define CAISSON_TESTS_FAKES_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RACE_PAGES 64

enum race_how {
    RACE_COUNT,  /* nothing changes */
    RACE_CHANGE, /* what was read does */
};

/* Pages that are watched from the next race_begin() on. */
void race_watch(const void *page);
/* Watches none any more. */
void race_forget(void);
/* The environment's RACE_SEED makes other seeds of all, and RACE_ROUNDS=n so many times the rounds
 * that a test does by itself. */
uint64_t race_seed(uint64_t seed);
unsigned race_rounds(unsigned n);
/* Between these two. The first sets the counts to 0. What has changed or been counted in all is
 * told at the end of the process. */
void race_begin(enum race_how how, uint64_t seed);
void race_end(void);

extern uint64_t race_reads, race_writes; /* instructions that did */
extern unsigned race_doubled;            /* addresses that were read twice or more often */
extern const void *race_doubled_first;   /* one of them, and where it was read again */
extern const void *race_doubled_by;

#endif
