/*
 * The local APIC of the pCPU.
 *
 * Two ways to the same registers: MSRs in x2APIC mode, a page of memory in xAPIC mode, chosen once
 * by the boot CPU for all. The timer knows two modes as well: TSC deadline, or a count that is
 * measured against the TSC. It is only ever a wake-up, so a count that is too short does no harm.
 *
 * Source: SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "arch/x86/lapic.h"

#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "lib/log.h"

/* Offsets in the page; the MSR is 0x800 + offset / 16 ("x2APIC Register Address Space"). */
#define LAPIC_ID            0x020
#define LAPIC_VERSION       0x030
#define LAPIC_TPR           0x080
#define LAPIC_EOI           0x0B0
#define LAPIC_SVR           0x0F0
#define LAPIC_ICR           0x300
#define LAPIC_ICR_HIGH      0x310 /* xAPIC only */
#define LAPIC_LVT_TIMER     0x320
#define LAPIC_LVT_PERF      0x340
#define LAPIC_LVT_LINT0     0x350
#define LAPIC_LVT_LINT1     0x360
#define LAPIC_LVT_ERROR     0x370
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE  0x3E0
#define LAPIC_SELF_IPI      0x3F0 /* x2APIC only */

#define VERSION_MAX_LVT(v) ((v) >> 16 & 0xFF)
#define SVR_ENABLE         (1u << 8)
#define LVT_MASKED         (1u << 16)
#define TIMER_TSC_DEADLINE (2u << 17)
#define DIVIDE_BY_1        0x0Bu
#define ICR_NMI            (4u << 8)
#define ICR_INIT           (5u << 8)
#define ICR_STARTUP        (6u << 8)
#define ICR_PENDING        (1u << 12)
#define ICR_ASSERT         (1u << 14)
#define ICR_SELF           (1u << 18)
#define LVT_NMI            (4u << 8)
#define ICR_PATIENCE       1000000
#define XAPIC_EVERYBODY    0xFFu

/* Set by the boot CPU before the others start, the same on all. */
static volatile uint32_t *page;
static bool x2apic, tsc_deadline;
static uint64_t counts_per_tick; /* count mode: fixed point, 32 bits of fraction */

static uint32_t lapic_read(unsigned reg)
{
    if (x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC_FIRST + reg / 16);
    return page[reg / sizeof(*page)];
}

static void lapic_write(unsigned reg, uint32_t value)
{
    if (x2apic)
        wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
    else
        page[reg / sizeof(*page)] = value;
}

uint32_t lapic_id(void)
{
    return x2apic ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
}

bool lapic_reaches(uint32_t apic_id)
{
    return x2apic || apic_id < XAPIC_EVERYBODY;
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

/* ---- Interrupts to other CPUs ---- */

/* WRMSR to the ICR is not serializing: what was stored before must be seen by who gets this. */
static void icr_write(uint32_t apic_id, uint32_t command)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (x2apic) {
        wrmsr(MSR_X2APIC_FIRST + LAPIC_ICR / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    for (unsigned i = 0; i < ICR_PATIENCE && (lapic_read(LAPIC_ICR) & ICR_PENDING); i++)
        cpu_relax();
    lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
    lapic_write(LAPIC_ICR, command);
}

void lapic_send_init(uint32_t apic_id)
{
    icr_write(apic_id, ICR_INIT | ICR_ASSERT);
}

void lapic_send_startup(uint32_t apic_id, uint8_t start_page)
{
    icr_write(apic_id, ICR_STARTUP | ICR_ASSERT | start_page);
}

void lapic_send(uint32_t apic_id, uint8_t vector)
{
    ASSERT(vector >= 16);
    icr_write(apic_id, ICR_ASSERT | vector);
}

void lapic_send_nmi(uint32_t apic_id)
{
    icr_write(apic_id, ICR_NMI | ICR_ASSERT);
}

/* With the shorthand for "self" the other half of the ICR, which we may have interrupted somebody
 * between writing, does not matter and stays as it is. */
void lapic_send_self(uint8_t vector)
{
    ASSERT(vector >= 16);
    lapic_write(x2apic ? LAPIC_SELF_IPI : LAPIC_ICR, x2apic ? vector : ICR_SELF | vector);
}

/* ---- The timer ---- */

static void timer_set_deadline(uint64_t deadline)
{
    if (deadline == UINT64_MAX)
        deadline = 0; /* disarms */
    else if (deadline == 0)
        deadline = 1;
    wrmsr(MSR_IA32_TSC_DEADLINE, deadline);
}

static void timer_set_count(uint64_t deadline)
{
    uint64_t now = rdtsc();
    uint64_t ticks = deadline > now ? deadline - now : 0;
    unsigned __int128 count = ((unsigned __int128)ticks * counts_per_tick >> 32) + 1;

    if (deadline == UINT64_MAX)
        count = 0; /* stops */
    lapic_write(LAPIC_TIMER_INITIAL, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

void lapic_timer_set(uint64_t deadline)
{
    if (tsc_deadline)
        timer_set_deadline(deadline);
    else
        timer_set_count(deadline);
}

/* How far the count goes in 10 ms of TSC; every pCPU's timer hangs on the same bus clock. */
static void timer_measure(void)
{
    uint64_t start;
    uint32_t gone;

    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    start = rdtsc();
    tsc_delay_us(10000);
    gone = UINT32_MAX - lapic_read(LAPIC_TIMER_CURRENT);
    counts_per_tick = ((uint64_t)gone << 32) / (rdtsc() - start);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    if (counts_per_tick == 0) {
        log_warn("lapic: the timer stands still; interrupts alone wake idle CPUs");
        counts_per_tick = 1UL << 32;
    }
}

static void timer_init_cpu(void)
{
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | (tsc_deadline ? TIMER_TSC_DEADLINE : 0));
    /* In xAPIC mode the store above is not ordered with a later WRMSR to the deadline:
     * "TSC-Deadline Mode". */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    lapic_timer_set(UINT64_MAX);
}

/* ---- Setting up ---- */

/* Firmware may ask, in the DMAR, to leave the xAPIC on: its own code below us knows no other. */
static bool lapic_wants_x2apic(void)
{
    bool on = rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_X2APIC;

    return on || !acpi.dmar.refuses_x2apic;
}

/* The boot CPU's part: which modes there are. */
static void lapic_choose(volatile void *mmio)
{
    uint32_t features = cpuid(1, 0).ecx;

    page = mmio;
    x2apic = (features & CPUID_1C_X2APIC) && lapic_wants_x2apic();
    tsc_deadline = (features & CPUID_1C_TSC_DEADLINE) && !model_has(ERRATUM_TSC_DEADLINE);
    ASSERT(x2apic || page);
}

/* One step at a time: from disabled straight to x2APIC is #GP ("x2APIC State Transitions"). */
static void lapic_switch_on(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

    if (!(base & APIC_BASE_ENABLE))
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE);
    if (x2apic && !(base & APIC_BASE_X2APIC))
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
}

/* Nothing comes in but what Caisson routes: the 8259's line and the NMI pin are shut. */
static void lapic_mask_lines(void)
{
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_MASKED);
    if (VERSION_MAX_LVT(lapic_read(LAPIC_VERSION)) >= 3)
        lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
    if (VERSION_MAX_LVT(lapic_read(LAPIC_VERSION)) >= 4)
        lapic_write(LAPIC_LVT_PERF, LVT_MASKED);
}

void lapic_open_nmi(void)
{
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
}

void lapic_init(volatile void *mmio)
{
    bool boot_cpu = cpu_id() == 0;

    if (boot_cpu)
        lapic_choose(mmio);
    lapic_switch_on();
    lapic_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    lapic_write(LAPIC_TPR, 0);
    lapic_mask_lines();
    if (boot_cpu && !tsc_deadline) {
        lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
        lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
        timer_measure();
    }
    timer_init_cpu();
    this_cpu()->apic_id = lapic_id();
    if (boot_cpu)
        log_info("lapic: %s mode, timer by %s", x2apic ? "x2APIC" : "xAPIC",
                 tsc_deadline ? "TSC deadline" : "count");
}
