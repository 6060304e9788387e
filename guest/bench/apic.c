/*
 * Rows of the local APIC, by memory as long as it is in that mode and then by MSR, of its timer,
 * and of the I/O APIC. Interrupts go to the short handlers of taken.asm.
 */
#include "guest/bench/row.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/trap.h"

#define MSR_TSC_DEADLINE 0x6E0
#define MSR_SELF_IPI     0x83F
#define COUNT_VECTOR     0x41
#define WAKE_VECTOR      0x42
#define ICR_SELF         0x40000u /* shorthand: self */
#define MASKED           0x10000u
#define FAR_TICKS        10000000000ul
#define WAKE_ROUNDS      100
#define NO_EXIT_ROUNDS   10000 /* one watchdog exit, left over from IF=0, is not to be seen */
#define WAKE_TICKS       20000 /* of the TSC, from arming the timer to its interrupt */

#define IOAPIC_SELECT (*(volatile uint32_t *)0xFEC00000ul)
#define IOAPIC_WINDOW (*(volatile uint32_t *)0xFEC00010ul)
#define IOAPIC_FIRST  0x10 /* low half of the first redirection entry */

void taken_count(void), taken_note(void);
extern volatile uint64_t taken, taken_at;

static void mmio_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(LAPIC_BASE + reg) = value;
}

static void once_tpr(unsigned i)
{
    (void)i;
    mmio_write(LAPIC_TPR, 0);
}

static void once_id(unsigned i)
{
    (void)i;
    lapic_mmio_read(LAPIC_ID);
}

static void once_eoi(unsigned i)
{
    (void)i;
    mmio_write(LAPIC_EOI, 0);
}

static void once_count(unsigned i)
{
    (void)i;
    lapic_mmio_read(LAPIC_CURRENT);
}

static void once_ioapic(unsigned i)
{
    (void)i;
    (void)IOAPIC_WINDOW;
}

static void once_x2eoi(unsigned i)
{
    (void)i;
    wrmsr(X2APIC_MSR(LAPIC_EOI), 0);
}

static void once_x2count(unsigned i)
{
    (void)i;
    rdmsr(X2APIC_MSR(LAPIC_CURRENT));
}

static void once_selfipi(unsigned i)
{
    uint64_t before = taken;

    (void)i;
    wrmsr(MSR_SELF_IPI, COUNT_VECTOR);
    while (taken == before)
        ;
}

/* By the register that sends any IPI. */
static void once_selficr(unsigned i)
{
    uint64_t before = taken;

    (void)i;
    wrmsr(X2APIC_MSR(LAPIC_ICR), ICR_SELF | COUNT_VECTOR);
    while (taken == before)
        ;
}

static uint64_t far_off;

static void once_arm(unsigned i)
{
    wrmsr(MSR_TSC_DEADLINE, far_off + i);
}

/* A deadline that has passed: armed, taken, and its EOI. */
static void once_passed(unsigned i)
{
    uint64_t before = taken;

    (void)i;
    wrmsr(MSR_TSC_DEADLINE, 1);
    while (taken == before)
        ;
}

static const struct row by_memory[] = {
    { "LAPIC by MMIO: TPR", once_tpr, NO_EXIT_ROUNDS },
    { "LAPIC by MMIO: ID", once_id, NO_EXIT_ROUNDS },
    { "LAPIC by MMIO: EOI", once_eoi, NO_EXIT_ROUNDS },
    { "LAPIC by MMIO: current timer count", once_count, ROUNDS },
    { "I/O APIC read by MMIO", once_ioapic, ROUNDS },
};

static const struct row by_msr[] = {
    { "x2APIC: EOI", once_x2eoi, NO_EXIT_ROUNDS },
    { "x2APIC: current count", once_x2count, ROUNDS },
    { "x2APIC self-IPI delivered + EOI", once_selfipi, NO_EXIT_ROUNDS },
    { "the same by the ICR", once_selficr, ROUNDS },
};

static const struct row armed[] = {
    { "arm the one-shot timer", once_arm, ROUNDS },
};

static const struct row passed[] = {
    { "a deadline in the past, taken + EOI", once_passed, ROUNDS },
};

/* From the deadline to the first instruction of the handler. */
static __attribute__((noinline)) void once_halt(uint64_t *late)
{
    uint64_t deadline = rdtsc() + WAKE_TICKS;

    taken_at = 0;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    while (!taken_at)
        irq_wait();
    *late += taken_at - deadline;
}

/* With interrupts on before it is armed: else the watchdog of vmx/run.h comes first. */
static __attribute__((noinline)) void once_spin(uint64_t *late)
{
    irq_on();
    uint64_t deadline = rdtsc() + WAKE_TICKS;

    taken_at = 0;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    while (!taken_at)
        ;
    irq_off();
    *late += taken_at - deadline;
}

static void late_row(const char *name, void (*once)(uint64_t *late))
{
    uint64_t late = 0;

    for (unsigned i = 0; i < WAKE_ROUNDS; i++)
        once(&late);
    row_note(name, late, WAKE_ROUNDS);
}

/* A one-shot timer that is far from over, and heard by nobody, so that there is a count to read. */
static void count_down(void)
{
    lapic_write(LAPIC_DIVIDE, 0xB); /* by 1 */
    lapic_write(LAPIC_LVT_TIMER, MASKED | WAKE_VECTOR);
    lapic_write(LAPIC_INITIAL, 0xFFFFFFFF);
}

void apic_rows(void)
{
    trap_gate(COUNT_VECTOR, taken_count);
    trap_gate(WAKE_VECTOR, taken_note);
    lapic_enable();
    count_down();
    if (!lapic_by_msr()) {
        IOAPIC_SELECT = IOAPIC_FIRST;
        ROWS_RUN(by_memory);
        lapic_enable_x2apic();
    }
    ROWS_RUN(by_msr);
    lapic_write(LAPIC_LVT_TIMER, WAKE_VECTOR | LAPIC_TIMER_DEADLINE);
    far_off = rdtsc() + FAR_TICKS;
    ROWS_RUN(armed);
    late_row("HLT until the timer's interrupt", once_halt);
    late_row("timer's interrupt while it spins", once_spin);
    lapic_write(LAPIC_LVT_TIMER, COUNT_VECTOR | LAPIC_TIMER_DEADLINE);
    ROWS_RUN(passed);
}
