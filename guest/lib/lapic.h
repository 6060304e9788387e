/*
 * A guest's local APIC, by memory or (after lapic_enable_x2apic) by MSR.
 */
#ifndef GUEST_LAPIC_H
#define GUEST_LAPIC_H

#include <stdint.h>
#include "guest/lib/cpu.h"

#define LAPIC_BASE      0xFEE00000ul
#define LAPIC_ID        0x020
#define LAPIC_TPR       0x080
#define LAPIC_EOI       0x0B0
#define LAPIC_SVR       0x0F0
#define LAPIC_ICR       0x300
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_INITIAL   0x380
#define LAPIC_CURRENT   0x390
#define LAPIC_DIVIDE    0x3E0

#define LAPIC_TIMER_DEADLINE  0x40000u
#define LAPIC_TEST_VECTOR     0x40
#define LAPIC_SPURIOUS_VECTOR 0xFF

#define MSR_APIC_BASE    0x01B
#define APIC_BASE_X2APIC 0xC00 /* with the enable bit */
#define X2APIC_MSR(reg)  (0x800u + ((reg) >> 4))

static inline uint32_t lapic_mmio_read(uint32_t reg)
{
    return *(volatile uint32_t *)(LAPIC_BASE + reg);
}

static inline bool lapic_by_msr(void)
{
    return (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC) == APIC_BASE_X2APIC;
}

/* In whichever mode it is; as the next one. */
static inline uint32_t lapic_read(uint32_t reg)
{
    return lapic_by_msr() ? (uint32_t)rdmsr(X2APIC_MSR(reg)) : lapic_mmio_read(reg);
}

static inline void lapic_write(uint32_t reg, uint32_t value)
{
    if (lapic_by_msr())
        wrmsr(X2APIC_MSR(reg), value);
    else
        *(volatile uint32_t *)(LAPIC_BASE + reg) = value;
}

static inline void lapic_enable(void)
{
    lapic_write(LAPIC_SVR, 0x100 | LAPIC_SPURIOUS_VECTOR);
}

static inline void lapic_enable_x2apic(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
}

#endif
