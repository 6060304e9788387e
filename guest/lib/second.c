/*
 * Starting the second vCPU. See guest/lib/second.h.
 * Source: Intel SDM vol. 3, "MP Initialization Protocol Algorithm for MP Systems".
 */
#include "guest/lib/second.h"
#include "guest/lib/lapic.h"

#define SECOND_ID   1ul
#define ENTRY       0x8000ul /* where guest/lib/second_entry.asm is to lie */
#define ICR_INIT    0x04500u
#define ICR_STARTUP 0x04600u

extern const uint8_t second_code[], second_code_end[];
void (*second_fn)(void);

void second_start(void (*fn)(void))
{
    volatile uint8_t *to = (volatile uint8_t *)ENTRY;

    for (unsigned i = 0; i < second_code_end - second_code; i++)
        to[i] = second_code[i];
    second_fn = fn;
    wrmsr(X2APIC_MSR(LAPIC_ICR), SECOND_ID << 32 | ICR_INIT);
    wrmsr(X2APIC_MSR(LAPIC_ICR), SECOND_ID << 32 | ICR_STARTUP | ENTRY >> 12);
}
