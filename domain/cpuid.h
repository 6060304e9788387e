/*
 * CPUID as a domain sees it: the machine's, less everything that is not really virtualized.
 *
 * What may pass is listed (a const table of masks in cpuid.c); what is not listed reads zero, so
 * that a feature of tomorrow's CPU does not leak into a guest that Caisson cannot carry with it.
 */
#ifndef CAISSON_DOMAIN_CPUID_H
#define CAISSON_DOMAIN_CPUID_H

#include <stdint.h>
#include "arch/x86/insn.h"

struct vcpu;

/* The answer to CPUID with these inputs, executed by v. */
struct cpuid_regs cpuid_guest(struct vcpu *v, uint32_t leaf, uint32_t subleaf);

/* The same, from what v has been answered before where that still holds. Until the next call. */
const struct cpuid_regs *cpuid_answer(struct vcpu *v, uint32_t leaf, uint32_t subleaf);

/* What follows from the same policy: XCR0 and CR4 bits that a guest may set. */
uint64_t cpuid_xcr0_mask(void);
uint64_t cpuid_cr4_mask(void);
/* How many bits a guest-physical address has. */
uint8_t cpuid_address_bits(void);
/* The clock of leaf 0x15, in Hz, from which TSC and local APIC timer are told to run. */
uint64_t cpuid_crystal_hz(void);

#endif
