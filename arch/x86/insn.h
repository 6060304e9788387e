/*
 * Every special instruction that Caisson uses, one inline function each. Host tests get the fake
 * twin in tests/fakes/arch/x86/insn.h instead.
 */
#ifndef CAISSON_ARCH_X86_INSN_H
#define CAISSON_ARCH_X86_INSN_H

#include <stdint.h>

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf));
    return r;
}

/* It clears the upper halves of RAX and RDX. */
static inline uint64_t rdmsr(uint32_t msr)
{
    uint64_t lo, hi;
    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr"
                 :
                 : "c"(msr), "a"((uint32_t)(value & UINT32_MAX)), "d"((uint32_t)(value >> 32))
                 : "memory");
}

/* It clears the upper halves of RAX and RDX. */
static inline uint64_t rdtsc(void)
{
    uint64_t lo, hi;
    asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return hi << 32 | lo;
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void outb(uint16_t port, uint8_t v)
{
    asm volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;
    asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void outw(uint16_t port, uint16_t v)
{
    asm volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t v;
    asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
    asm volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

/* Registers of a device. On AMD's processors configuration space in memory wants them in RAX. */
static inline uint32_t mmio_read32(const volatile void *at)
{
    uint32_t v;
    asm volatile("movl %1, %0" : "=a"(v) : "m"(*(const volatile uint32_t *)at) : "memory");
    return v;
}

static inline void mmio_write32(volatile void *at, uint32_t v)
{
    asm volatile("movl %1, %0" : "=m"(*(volatile uint32_t *)at) : "a"(v) : "memory");
}

#define DEFINE_CR(n)                                                                               \
    static inline uint64_t read_cr##n(void)                                                        \
    {                                                                                              \
        uint64_t v;                                                                                \
        asm volatile("mov %%cr" #n ", %0" : "=r"(v));                                              \
        return v;                                                                                  \
    }                                                                                              \
    static inline void write_cr##n(uint64_t v)                                                     \
    {                                                                                              \
        asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory");                                     \
    }
DEFINE_CR(0)
DEFINE_CR(2)
DEFINE_CR(3)
DEFINE_CR(4)
#undef DEFINE_CR

#define DEFINE_DR(n)                                                                               \
    static inline uint64_t read_dr##n(void)                                                        \
    {                                                                                              \
        uint64_t v;                                                                                \
        asm volatile("mov %%db" #n ", %0" : "=r"(v));                                              \
        return v;                                                                                  \
    }                                                                                              \
    static inline void write_dr##n(uint64_t v)                                                     \
    {                                                                                              \
        asm volatile("mov %0, %%db" #n : : "r"(v));                                                \
    }
DEFINE_DR(0)
DEFINE_DR(1)
DEFINE_DR(2)
DEFINE_DR(3)
DEFINE_DR(6)
DEFINE_DR(7)
#undef DEFINE_DR

static inline void invlpg(const void *p)
{
    asm volatile("invlpg %0" : : "m"(*(const char *)p) : "memory");
}

static inline void irq_disable(void)
{
    asm volatile("cli" : : : "memory");
}

/* Lets pending interrupts of the machine in, for a moment. */
static inline void irq_let_in(void)
{
    asm volatile("sti; nop; cli" : : : "memory");
}

/* Halts until an interrupt has been handled. The shadow of STI closes the race with a wake-up. */
static inline void irq_wait(void)
{
    asm volatile("sti; hlt; cli" : : : "memory");
}

static inline void halt(void)
{
    asm volatile("hlt" : : : "memory");
}

/* The end of all ways to reset: an exception with an IDT of no entries. */
static inline void triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = { 0, 0 };

    asm volatile("lidt %0; ud2" : : "m"(none) : "memory");
}

static inline void cpu_relax(void)
{
    asm volatile("pause" : : : "memory");
}

static inline void clflush(const void *p)
{
    asm volatile("clflush %0" : : "m"(*(const char *)p) : "memory");
}

static inline void wbinvd(void)
{
    asm volatile("wbinvd" : : : "memory");
}

/* n words, all the same. */
static inline void stosq(uint64_t *to, uint64_t word, uint64_t n)
{
    asm volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(word) : "memory");
}

static inline uint64_t xgetbv(uint32_t n)
{
    uint32_t lo, hi;
    asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(n));
    return (uint64_t)hi << 32 | lo;
}

static inline void xsetbv(uint32_t n, uint64_t value)
{
    asm volatile("xsetbv" : : "c"(n), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline void xsave(void *area, uint64_t mask)
{
    asm volatile("xsave64 (%0)"
                 :
                 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                 : "memory");
}

/* An x87 instruction without consequences, for the sake of the pointers to the last one and to its
 * operand: no exception is pending, and the place that it fills is free. */
static inline void x87_point_to(const uint32_t *operand)
{
    asm volatile("fnclex; ffree %%st(7); fildl %0" : : "m"(*operand));
}

static inline uint16_t x87_status(void)
{
    uint16_t word;
    asm volatile("fnstsw %0" : "=a"(word));
    return word;
}

static inline void xrstor(const void *area, uint64_t mask)
{
    asm volatile("xrstor64 (%0)"
                 :
                 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
                 : "memory");
}

static inline void fxsave(void *area)
{
    asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void fxrstor(const void *area)
{
    asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

#endif
