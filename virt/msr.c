/*
 * What a model-specific register's value must look like. See virt/msr.h.
 */
#include "virt/msr.h"

#include "lib/addr.h"
#include "arch/x86/msr.h"
#include "virt/check.h"

bool msr_fits(enum msr_form form, uint64_t value)
{
    switch (form) {
    case MSR_CANONICAL:
        return is_canonical(value);
    case MSR_LOW_32:
        return value >> 32 == 0;
    case MSR_PAT:
        return check_is_pat(value);
    case MSR_DEBUGCTL:
        return (value & ~DEBUGCTL_BTF) == 0;
    case MSR_ZERO:
        return value == 0;
    case MSR_ANY:
        break;
    }
    return true;
}
