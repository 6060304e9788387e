/*
 * A row of the bench: something that a guest does, in a function that does it once.
 *
 * The function's name is how `make profile` finds it; its text is how tests/bench/reference does.
 */
#ifndef GUEST_BENCH_ROW_H
#define GUEST_BENCH_ROW_H

#include <stdbool.h>
#include <stdint.h>

#define ROUNDS 1000

struct row {
    const char *name;
    void (*once)(unsigned i); /* i counts the rounds */
    unsigned rounds;
};

/* Runs the rows one after the other; interrupts on. */
void rows_run(const struct row *rows, unsigned count);
/* A result, printed with one decimal at the end. */
void row_note(const char *name, uint64_t ticks, unsigned rounds);

/* What the CPU itself exits for: instruction.c. */
void instruction_rows(void);
/* The local APIC and the I/O APIC: apic.c. Leaves the local APIC in x2APIC mode. */
void apic_rows(void);
/* The first touch of RAM: memory.c. */
void memory_rows(void);
/* Events and grants: pv.c. */
void pv_rows(void);

#define ROWS_RUN(rows) rows_run((rows), sizeof(rows) / sizeof((rows)[0]))

#endif
