/*
 * Breakpoints over emulated accesses. See emulate/breakpoint.h. Source: SDM volume 3, "Debug
 * Registers", "Breakpoint Field Recognition", "Data Breakpoint Exception Condition".
 */
#include "emulate/breakpoint.h"
#include "arch/x86/cpu.h"

#define BREAKPOINTS 4
#define ENABLED     0xFFu /* L0 to G3 of DR7 */

/* Conditions as DR7 numbers them. */
enum { ON_FETCH, ON_WRITE, ON_PORT, ON_ACCESS };

void breakpoints_take(struct breakpoints *b, const struct virt_vcpu *v)
{
    virt_breakpoints(v, &b->set);
    b->ports = virt_cr4(v) & CR4_DE;
    b->armed = b->set.dr7 & ENABLED;
    b->met = 0;
}

uint32_t breakpoints_end(struct breakpoints *b)
{
    uint32_t met = b->met, enabled = 0;

    for (unsigned n = 0; n < BREAKPOINTS; n++)
        if (b->set.dr7 >> 2 * n & 3)
            enabled |= 1u << n;
    b->armed = false;
    b->met = 0;
    return met & enabled ? met : 0;
}

/* The address counts in steps of the length, whatever its lowest bits. */
static bool overlaps(uint64_t breakpoint, unsigned length, uint64_t at, unsigned size)
{
    uint64_t first = breakpoint & ~(length - 1ul);

    return at - first < length || first - at < size;
}

/* conditions: a bit for each that such an access meets. */
static void meet(struct breakpoints *b, unsigned conditions, uint64_t at, unsigned size)
{
    static const uint8_t lengths[4] = { 1, 2, 8, 4 };

    for (unsigned n = 0; n < BREAKPOINTS; n++) {
        unsigned control = b->set.dr7 >> (16 + 4 * n) & 15;
        if (conditions >> (control & 3) & 1 &&
            overlaps(b->set.at[n], lengths[control >> 2], at, size))
            b->met |= 1u << n;
    }
}

void breakpoints_memory(struct breakpoints *b, gva_t at, unsigned size, bool write)
{
    meet(b, write ? 1u << ON_WRITE | 1u << ON_ACCESS : 1u << ON_ACCESS, at.v, size);
}

void breakpoints_port(struct breakpoints *b, uint16_t port, unsigned size)
{
    if (b->ports)
        meet(b, 1u << ON_PORT, port, size);
}
