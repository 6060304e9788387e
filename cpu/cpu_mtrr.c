/*
 * The MTRRs of a guest's CPU. See cpu/cpu_mtrr.h.
 */
#include "cpu/cpu_mtrr.h"
#include "arch/x86/msr.h"
#include "cpu/cpu_model.h"

#define MTRR_VARIABLE  8
#define MTRR_FIXED     11
#define MTRR_DEF_RESET 0xC06 /* enabled, fixed enabled, write-back */

int cpu_mtrr_index(uint32_t msr)
{
    if (msr >= MSR_IA32_MTRR_PHYSBASE0 && msr < MSR_IA32_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE)
        return (int)(msr - MSR_IA32_MTRR_PHYSBASE0);
    if (msr == MSR_IA32_MTRR_FIX64K)
        return 2 * MTRR_VARIABLE;
    if (msr == MSR_IA32_MTRR_FIX16K_80000 || msr == MSR_IA32_MTRR_FIX16K_A0000)
        return 2 * MTRR_VARIABLE + 1 + (int)(msr - MSR_IA32_MTRR_FIX16K_80000);
    if (msr >= MSR_IA32_MTRR_FIX4K_C0000 && msr <= MSR_IA32_MTRR_FIX4K_F8000)
        return 2 * MTRR_VARIABLE + 3 + (int)(msr - MSR_IA32_MTRR_FIX4K_C0000);
    if (msr == MSR_IA32_MTRR_DEF_TYPE)
        return 2 * MTRR_VARIABLE + MTRR_FIXED;
    return -1;
}

static bool memory_type_valid(uint8_t type)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

bool cpu_mtrr_valid(uint32_t msr, uint64_t value)
{
    uint64_t beyond = ~0ul << (cpu_model_address_bits());

    if (msr == MSR_IA32_MTRR_DEF_TYPE)
        return !(value & ~0xcfful) && memory_type_valid((uint8_t)value);
    if (msr < MSR_IA32_MTRR_FIX64K) {
        bool mask = msr & 1;
        return !(value & beyond) &&
               (mask ? !(value & 0x7ff) : !(value & 0xf00) && memory_type_valid((uint8_t)value));
    }
    for (unsigned i = 0; i < 8; i++)
        if (!memory_type_valid((uint8_t)(value >> (8 * i))))
            return false;
    return true;
}

void cpu_mtrr_reset(uint64_t reg[CPU_MTRRS])
{
    for (unsigned i = 2 * MTRR_VARIABLE; i < 2 * MTRR_VARIABLE + MTRR_FIXED; i++)
        reg[i] = 0x0606060606060606; /* write-back */
    reg[2 * MTRR_VARIABLE + MTRR_FIXED] = MTRR_DEF_RESET;
    reg[cpu_mtrr_index(MSR_IA32_MTRR_FIX16K_A0000)] = 0; /* the hole of old video memory: UC */
}
