/*
 * What a model-specific register's value must look like. See virt/msr.h.
 * Source: SDM, "IA32_PAT MSR"; APM volume 2, "Page-Attribute Table Mechanism".
 */
#include "virt/msr.h"

#include "arch/x86/msr.h"

bool msr_is_pat(uint64_t value)
{
    uint64_t each = 0x0101010101010101, two_or_three = value & 2 * each & ~(value >> 1);

    return !(value & ~(7 * each) || two_or_three);
}

bool msr_fits(enum msr_form form, uint64_t value)
{
    switch (form) {
    case MSR_CANONICAL:
        return is_canonical(value);
    case MSR_LOW_32:
        return value >> 32 == 0;
    case MSR_PAT:
        return msr_is_pat(value);
    case MSR_DEBUGCTL:
        return (value & ~DEBUGCTL_BTF) == 0;
    case MSR_ZERO:
        return value == 0;
    case MSR_ANY:
        break;
    }
    return true;
}
