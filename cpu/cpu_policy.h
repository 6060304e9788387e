/*
 * The CPU policy of a domain: how much it is shown of the CPU that all could have.
 *
 * The control domain's tools read that CPU as a list of CPUID leaves, change it, and hand it back
 * before the domain runs. Features may be taken away, and the last leaf be an earlier one; CPUID
 * obeys. What else stands in a leaf is another CPU (refused) or topology and caches, which are ours
 * whatever the list says: they follow from the number of vCPUs and from their local APICs' ids.
 * Hidden is not forbidden, as on Xen: who uses a feature that it is not shown, uses it.
 */
#ifndef CAISSON_CPU_CPU_POLICY_H
#define CAISSON_CPU_CPU_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"
#include "include/public/arch-x86/policy.h"
#include "lib/errno.h"

/* All zero: it is shown all. */
struct cpu_policy {
    bool narrower; /* all that follows counts */
    uint32_t last_basic, last_extended;
    uint32_t hidden[XEN_FEATURES];
};

/* What a leaf of the list says comes into force; leaves in any order, and not all of them. 0;
 * -ERANGE: there is no such leaf in a list; -EINVAL: more features than there are, or another CPU.
 * Then *p is as it was. */
int must_check cpu_policy_take(struct cpu_policy *p, const struct xen_cpuid_leaf *l);

/* Takes away from the answer to CPUID what p, which is narrower, hides. */
void cpu_policy_narrow(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf,
                       struct cpuid_regs *r);

/* The list, one after the other: fills *l with what comes after what is in it; false: that was the
 * last. To begin with *l is CPU_POLICY_BEGIN. */
bool cpu_policy_next(const struct cpu_policy *p, struct xen_cpuid_leaf *l);
#define CPU_POLICY_BEGIN ((struct xen_cpuid_leaf){ .leaf = UINT32_MAX })

/* The features that there are. */
void cpu_policy_features(uint32_t out[XEN_FEATURES]);

#endif
