/*
 * Host tests' twin of the special instructions: a pretended CPU that the test can set up.
 *
 * MSRs and control registers are memory, CPUID and ports are functions that the test may give
 * (all zero and all ones without), and time passes when the test says so.
 */
#ifndef CAISSON_ARCH_X86_INSN_H
#define CAISSON_ARCH_X86_INSN_H

#include <stdbool.h>
#include <stdint.h>

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

#define FAKE_MSRS 64

/* Weak, so that each test program has one of each without linking a file for it. */
__attribute__((weak)) struct cpuid_regs (*fake_cpuid)(uint32_t leaf, uint32_t subleaf);
__attribute__((weak)) uint32_t (*fake_in)(uint16_t port, unsigned size);
__attribute__((weak)) void (*fake_out)(uint16_t port, unsigned size, uint32_t value);
__attribute__((weak)) struct {
    uint32_t index;
    uint64_t value;
} fake_msr[FAKE_MSRS];
__attribute__((weak)) unsigned fake_msr_count;
__attribute__((weak)) uint64_t fake_tsc, fake_tsc_step; /* the step: added at each reading */
__attribute__((weak)) uint64_t fake_cr[5], fake_dr[8], fake_xcr0, fake_restored;
__attribute__((weak)) uint64_t fake_invlpg_count, fake_halts;
__attribute__((weak)) const void *fake_invlpg_last;
/* The operand of the last x87 instruction; and what that was when the FPU's state was loaded. */
__attribute__((weak)) const void *fake_x87_operand, *fake_restored_over;

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    return fake_cpuid ? fake_cpuid(leaf, subleaf) : (struct cpuid_regs){ 0, 0, 0, 0 };
}

static inline uint64_t rdmsr(uint32_t msr)
{
    for (unsigned i = 0; i < fake_msr_count; i++) {
        if (fake_msr[i].index == msr)
            return fake_msr[i].value;
    }
    return 0;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    unsigned i = 0;

    while (i < fake_msr_count && fake_msr[i].index != msr)
        i++;
    if (i == FAKE_MSRS)
        __builtin_trap();
    if (i == fake_msr_count)
        fake_msr_count++;
    fake_msr[i].index = msr;
    fake_msr[i].value = value;
}

static inline uint64_t rdtsc(void)
{
    fake_tsc += fake_tsc_step;
    return fake_tsc;
}

static inline uint8_t inb(uint16_t port)
{
    return fake_in ? (uint8_t)fake_in(port, 1) : 0xff;
}

static inline uint16_t inw(uint16_t port)
{
    return fake_in ? (uint16_t)fake_in(port, 2) : 0xffff;
}

static inline uint32_t inl(uint16_t port)
{
    return fake_in ? fake_in(port, 4) : 0xffffffff;
}

static inline void outb(uint16_t port, uint8_t v)
{
    if (fake_out)
        fake_out(port, 1, v);
}

static inline void outw(uint16_t port, uint16_t v)
{
    if (fake_out)
        fake_out(port, 2, v);
}

static inline void outl(uint16_t port, uint32_t v)
{
    if (fake_out)
        fake_out(port, 4, v);
}

/* Device registers are memory of the test's, which may hear of what is written. */
__attribute__((weak)) void (*fake_mmio_written)(volatile void *at, uint32_t v);

static inline uint32_t mmio_read32(const volatile void *at)
{
    return *(const volatile uint32_t *)at;
}

static inline void mmio_write32(volatile void *at, uint32_t v)
{
    *(volatile uint32_t *)at = v;
    if (fake_mmio_written)
        fake_mmio_written(at, v);
}

#define FAKE_REGISTER(kind, n)                                                                     \
    static inline uint64_t read_##kind##n(void)                                                    \
    {                                                                                              \
        return fake_##kind[n];                                                                     \
    }                                                                                              \
    static inline void write_##kind##n(uint64_t v)                                                 \
    {                                                                                              \
        fake_##kind[n] = v;                                                                        \
    }
FAKE_REGISTER(cr, 0)
FAKE_REGISTER(cr, 2)
FAKE_REGISTER(cr, 3)
FAKE_REGISTER(cr, 4)
FAKE_REGISTER(dr, 0)
FAKE_REGISTER(dr, 1)
FAKE_REGISTER(dr, 2)
FAKE_REGISTER(dr, 3)
FAKE_REGISTER(dr, 6)
FAKE_REGISTER(dr, 7)
#undef FAKE_REGISTER

static inline void invlpg(const void *p)
{
    fake_invlpg_count++;
    fake_invlpg_last = p;
}

static inline void irq_disable(void)
{
}

static inline void irq_let_in(void)
{
}

/* What comes in while it halts. */
__attribute__((weak)) void (*fake_while_halted)(void);

static inline void irq_wait(void)
{
    fake_halts++;
    if (fake_while_halted)
        fake_while_halted();
}

static inline void halt(void)
{
    fake_halts++;
}

static inline void triple_fault(void)
{
}

static inline void cpu_relax(void)
{
}

__attribute__((weak)) void (*fake_clflush)(const void *p);

static inline void clflush(const void *p)
{
    if (fake_clflush)
        fake_clflush(p);
}

static inline void wbinvd(void)
{
}

static inline void stosq(uint64_t *to, uint64_t word, uint64_t n)
{
    while (n-- > 0)
        __atomic_store_n(to++, word, __ATOMIC_RELAXED);
}

static inline void xsetbv(uint32_t n, uint64_t value)
{
    (void)n;
    fake_xcr0 = value;
}

static inline uint64_t xgetbv(uint32_t n)
{
    (void)n;
    return fake_xcr0;
}

static inline void xsave(void *area, uint64_t mask)
{
    (void)area;
    (void)mask;
}

static inline void x87_point_to(const uint32_t *operand)
{
    fake_x87_operand = operand;
}

static inline void xrstor(const void *area, uint64_t mask)
{
    (void)area;
    fake_restored = fake_xcr0 & mask;
    fake_restored_over = fake_x87_operand;
}

/* The real one. */
static inline uint16_t x87_status(void)
{
    uint16_t word;
    __asm__ volatile("fnstsw %0" : "=a"(word));
    return word;
}

static inline void fxsave(void *area)
{
    (void)area;
}

static inline void fxrstor(const void *area)
{
    (void)area;
    fake_restored_over = fake_x87_operand;
}

#endif
