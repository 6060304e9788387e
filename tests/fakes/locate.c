/*
 * Where a pCPU is, for tests in which none is ever stuck: nowhere that has a name.
 */
#include <stddef.h>
#include "arch/x86/smp.h"
#include "arch/x86/symbol.h"

uint64_t smp_locate(unsigned cpu)
{
    (void)cpu;
    return 0;
}

bool symbol_find(uint64_t address, char name[SYMBOL_NAME], uint64_t *offset)
{
    (void)address;
    (void)name;
    (void)offset;
    return false;
}
