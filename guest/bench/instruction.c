/*
 * Rows of what the CPU itself exits for: instructions, registers, ports.
 */
#include "guest/bench/row.h"
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"

#define MSR_BIOS_SIGN_ID 0x08B
#define MSR_PAT          0x277
#define MSR_EFER         0xC0000080
#define CR0_TS           8ul
#define PIT_COUNTER_0    0x40
#define PIC_MASK         0x21
#define UART_LSR         0x3FD
#define POST_CODE        0x80
#define UNKNOWN_CALL     63

static uint64_t pat, efer;

static void once_cpuid(unsigned i)
{
    uint32_t r[4];

    (void)i;
    cpuid(0, 0, r);
}

static void once_features(unsigned i)
{
    uint32_t r[4];

    (void)i;
    cpuid(1, 0, r);
}

static void once_vmcall(unsigned i)
{
    (void)i;
    hypercall(UNKNOWN_CALL, 0, 0, 0);
}

static void once_version(unsigned i)
{
    (void)i;
    xen_version();
}

static void once_yield(unsigned i)
{
    (void)i;
    xen_sched(XEN_SCHED_YIELD);
}

static void once_rdmsr(unsigned i)
{
    (void)i;
    rdmsr(MSR_BIOS_SIGN_ID);
}

static void once_apicbase(unsigned i)
{
    (void)i;
    rdmsr(MSR_APIC_BASE);
}

static void once_wrefer(unsigned i)
{
    (void)i;
    wrmsr(MSR_EFER, efer);
}

static void once_wrpat(unsigned i)
{
    (void)i;
    wrmsr(MSR_PAT, pat);
}

static void once_rdpat(unsigned i)
{
    (void)i;
    rdmsr(MSR_PAT);
}

static void once_ts(unsigned i)
{
    uint64_t cr0;

    (void)i;
    asm volatile("mov %%cr0, %0; or %1, %0; mov %0, %%cr0; clts" : "=&r"(cr0) : "i"(CR0_TS));
}

static void once_pit(unsigned i)
{
    (void)i;
    inb(PIT_COUNTER_0);
}

static void once_pic(unsigned i)
{
    (void)i;
    outb(PIC_MASK, 0xFF);
}

static void once_uart(unsigned i)
{
    (void)i;
    inb(UART_LSR);
}

static void once_post(unsigned i)
{
    outb(POST_CODE, (uint8_t)i);
}

static const struct row rows[] = {
    { "CPUID leaf 0", once_cpuid, ROUNDS },
    { "CPUID leaf 1", once_features, ROUNDS },
    { "VMCALL, unknown number", once_vmcall, ROUNDS },
    { "xen_version", once_version, ROUNDS },
    { "sched_op(yield), nobody else", once_yield, ROUNDS },
    { "RDMSR that exits (0x8B)", once_rdmsr, ROUNDS },
    { "RDMSR IA32_APIC_BASE", once_apicbase, ROUNDS },
    { "WRMSR EFER", once_wrefer, ROUNDS },
    { "WRMSR PAT", once_wrpat, ROUNDS },
    { "RDMSR PAT", once_rdpat, ROUNDS },
    { "CR0.TS toggled", once_ts, ROUNDS },
    { "IN from the PIT (0x40)", once_pit, ROUNDS },
    { "OUT to the PIC mask (0x21)", once_pic, ROUNDS },
    { "IN from the UART's LSR", once_uart, ROUNDS },
    { "OUT 0x80", once_post, ROUNDS },
};

void instruction_rows(void)
{
    pat = rdmsr(MSR_PAT);
    efer = rdmsr(MSR_EFER);
    ROWS_RUN(rows);
}
