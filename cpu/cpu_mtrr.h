/*
 * The MTRRs of a guest's CPU: kept for it and checked, and without effect, since the second-level
 * page table says what is cached. Source: SDM, "Memory Type Range Registers (MTRRs)".
 */
#ifndef CAISSON_CPU_CPU_MTRR_H
#define CAISSON_CPU_CPU_MTRR_H

#include <stdbool.h>
#include <stdint.h>

#define CPU_MTRRCAP (8 | 1 << 8 | 1 << 10) /* variable ranges, fixed ranges, write combining */
#define CPU_MTRRS   32                     /* room for the registers, by their index */

/* Variable pairs, then fixed ones, then the default type; -1: it is no MTRR. */
int cpu_mtrr_index(uint32_t msr);
/* Would the CPU take this value? */
bool cpu_mtrr_valid(uint32_t msr, uint64_t value);
/* As firmware leaves them: write-back but for the hole of old video memory. */
void cpu_mtrr_reset(uint64_t reg[CPU_MTRRS]);

#endif
