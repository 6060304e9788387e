/*
 * Registers of a guest's CPU that read a fixed value: of both makers' CPUs, or of one's alone. What
 * is here has no effect; registers with one are kept by the back ends, devices/vlapic and
 * domain/msr.c.
 */
#ifndef CAISSON_CPU_CPU_MSR_H
#define CAISSON_CPU_CPU_MSR_H

#include <stdbool.h>
#include <stdint.h>

/* What a register reads, in two registers; known: this CPU has it. */
struct msr_value {
    uint64_t value;
    bool known;
};

/* Looks what the machine's registers read that the guests' are to read as well. Behind virt_probe()
 * and all that writes to these registers. Boot only. */
void cpu_msr_start(void);

struct msr_value cpu_msr_read(uint32_t msr);
/* Does this CPU have it, and let it be written with this value? It changes nothing. */
bool cpu_msr_takes(uint32_t msr, uint64_t value);

/* Is it one of particular CPUs that Linux probes for, ready for a #GP? No warning is owed then. */
bool cpu_msr_is_probed(uint32_t msr);

#endif
