/*
 * Port 0xE9: the cheapest of all consoles, and the one that works first.
 */
#include "drivers/port_e9.h"

#include "arch/x86/insn.h"

#define PORT 0xE9

bool port_e9_present(void)
{
    return inb(PORT) == PORT;
}

void port_e9_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        outb(PORT, (uint8_t)text[i]);
}
