/*
 * What a model-specific register's value must look like. See virt/msr.h.
 * Source: SDM, "IA32_PAT MSR"; APM volume 2, "Page-Attribute Table Mechanism".
 */
#include "virt/msr.h"

#include "arch/x86/msr.h"

bool msr_is_pat(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t type = value >> 8 * i;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
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
