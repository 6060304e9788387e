/*
 * What a model-specific register's value must look like: the same with all back ends, whose tables
 * say which form each of their registers has.
 */
#ifndef CAISSON_VIRT_MSR_H
#define CAISSON_VIRT_MSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"

enum msr_form { MSR_ANY, MSR_CANONICAL, MSR_LOW_32, MSR_PAT, MSR_DEBUGCTL, MSR_ZERO };

/* A row of a back end's table: a register that it keeps for the guest. */
struct msr_row {
    uint32_t msr;
    uint32_t home;   /* the kind of place where the guest's value is, */
    uint32_t where;  /* and which of them */
    uint32_t passes; /* whether the guest's own RDMSR and WRMSR reach hardware */
    enum msr_form form;
};

/* Does each byte hold a memory type? */
bool msr_is_pat(uint64_t value);
bool msr_fits(enum msr_form form, uint64_t value);
/* Does this CPU have the register? TSC_AUX may be absent: access exits then, and is refused like
 * that to an unknown one. */
static inline bool msr_is_there(uint32_t msr)
{
    return msr != MSR_IA32_TSC_AUX || (cpuid(0x80000001, 0).edx & CPUID_EXT1D_RDTSCP);
}
/* The row of a register that this CPU has; NULL if it is in no row. */
static inline const struct msr_row *msr_row_of(const struct msr_row *rows, size_t n, uint32_t msr)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].msr == msr)
            return msr_is_there(msr) ? &rows[i] : NULL;
    return NULL;
}

#endif
