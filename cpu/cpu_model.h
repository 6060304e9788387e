/*
 * The CPU model of a guest: the machine's, less everything that is not really virtualized.
 *
 * What may pass is listed (a const table of masks in cpu_model.c); what is not listed reads zero,
 * so that a feature of tomorrow's CPU does not leak into a guest that Caisson cannot carry with it.
 */
#ifndef CAISSON_CPU_CPU_MODEL_H
#define CAISSON_CPU_CPU_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"

/* A leaf of CPUID, without what depends on the vCPU that asks (exits/cpuid.c). */
struct cpuid_regs cpu_model_leaf(uint32_t leaf, uint32_t subleaf);

/* Are there AMD's leaves of caches and topology, 8000001D and 8000001E? */
bool cpu_model_has_topoext(void);

/* What follows from the same policy: XCR0 and CR4 bits that a guest may set. */
uint64_t cpu_model_xcr0_mask(void);
uint64_t cpu_model_cr4_mask(void);
/* How many bits a guest-physical address has. */
uint8_t cpu_model_address_bits(void);
/* The clock of leaf 0x15, in Hz, from which TSC and local APIC timer are told to run. */
uint64_t cpu_model_crystal_hz(void);

/* The same with what Caisson adds itself: what all vCPUs of all domains are shown, and what depends
 * on the vCPU left out. */
struct cpuid_regs cpu_model_common(uint32_t leaf, uint32_t subleaf);

#endif
