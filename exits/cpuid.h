/*
 * CPUID as a vCPU sees it. What may pass of the machine's is the policy of cpu/cpu_model.h.
 */
#ifndef CAISSON_EXITS_CPUID_H
#define CAISSON_EXITS_CPUID_H

#include <stdint.h>
#include "arch/x86/insn.h"

struct vcpu;

/* The answer to CPUID with these inputs, executed by v. */
struct cpuid_regs cpuid_guest(struct vcpu *v, uint32_t leaf, uint32_t subleaf);

/* The same, from what v has been answered before where that still holds. Until the next call. */
const struct cpuid_regs *cpuid_answer(struct vcpu *v, uint32_t leaf, uint32_t subleaf);

#endif
