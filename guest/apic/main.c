/*
 * The local APIC, looked at from inside: registers, self-IPIs, priorities, nesting, level-triggered
 * interrupts, the timer, its page moved away and back. First by the page, then by MSR.
 *
 * Who answers for each of these depends on the processor's APIC virtualization; the guest must not
 * be able to tell. It prints what is not as it should be, and at the end how much was.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/pic.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"

#define VERSION       0x030
#define PPR           0x0A0
#define LDR           0x0D0
#define ISR           0x100
#define IRR           0x200
#define RFLAGS_IF     0x200
#define ESR           0x280
#define ICR_HIGH      0x310
#define SELF          0x40000u /* shorthand of the ICR */
#define ONE_SHOT_TIME 100000
#define MOVED_BASE    0xFED10000ul /* nothing of the board is there */
#define IOAPIC        0xFEC00000ul
#define COM2          0x2F8
#define COM2_PIN      3

/* Vectors, by class. */
#define LOW      0x41
#define LOW_2    0x47 /* the same class */
#define MIDDLE   0x55
#define HIGH     0x91
#define LEVEL    0x63
#define TIMER    0x71
#define DEADLINE 0x75

#define MSR_TSC_DEADLINE 0x6E0

static unsigned checks, failures;
static unsigned came[256];
static unsigned uncalled; /* while interrupts were off */

static void check(const char *what, bool good)
{
    checks++;
    if (good)
        return;
    failures++;
    print("apic: FAILED: %s\n", what);
}

static bool is_set(uint32_t set, uint8_t vector)
{
    return lapic_read(set + vector / 32 * 0x10) >> vector % 32 & 1;
}

static void send_self(uint8_t vector)
{
    lapic_write(LAPIC_ICR, SELF | vector);
}

static void wait_a_little(void)
{
    for (unsigned i = 0; i < 8; i++)
        irq_let_in();
}

static void count(struct trap *t)
{
    came[t->vector & 0xFF]++;
    uncalled += !(t->rflags & RFLAGS_IF);
    lapic_write(LAPIC_EOI, 0);
}

/* ---- Registers ---- */

static void registers(void)
{
    check("version", (lapic_read(VERSION) & 0xFF) == 0x14);
    check("ID", lapic_read(LAPIC_ID) == 0);
    check("LDR", lapic_read(LDR) == (lapic_by_msr() ? 1 : 0));
    lapic_write(LAPIC_TPR, 0x35);
    check("TPR", lapic_read(LAPIC_TPR) == 0x35);
    check("PPR follows the TPR", lapic_read(PPR) == 0x35);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT_TIMER, 0x10000 | TIMER);
    check("LVT", lapic_read(LAPIC_LVT_TIMER) == (0x10000 | TIMER));
    check("SVR", lapic_read(LAPIC_SVR) == (0x100 | LAPIC_SPURIOUS_VECTOR));
}

static void set_cr8(uint64_t value)
{
    asm volatile("mov %0, %%cr8" : : "r"(value) : "memory");
}

static uint64_t get_cr8(void)
{
    uint64_t value;
    asm volatile("mov %%cr8, %0" : "=r"(value));
    return value;
}

/* ---- Interrupts ---- */

static void self_ipi(void)
{
    unsigned before = came[LOW];

    send_self(LOW);
    check("not with IF=0", came[LOW] == before && is_set(IRR, LOW));
    wait_a_little();
    check("a self-IPI comes once", came[LOW] == before + 1);
    check("and is over", !is_set(IRR, LOW) && !is_set(ISR, LOW));
    for (unsigned i = 0; i < 100; i++) {
        send_self(LOW);
        wait_a_little();
    }
    check("and a hundred times", came[LOW] == before + 101);
}

static void priority(void)
{
    unsigned middle = came[MIDDLE], high = came[HIGH];

    set_cr8(5);
    check("TPR follows CR8", lapic_read(LAPIC_TPR) == 0x50 && get_cr8() == 5);
    send_self(MIDDLE);
    send_self(HIGH);
    wait_a_little();
    check("what is above the TPR comes", came[HIGH] == high + 1);
    check("what is not waits", came[MIDDLE] == middle && is_set(IRR, MIDDLE));
    set_cr8(4);
    wait_a_little();
    check("until CR8 lets it", came[MIDDLE] == middle + 1);
    lapic_write(LAPIC_TPR, 0x5F);
    send_self(MIDDLE);
    wait_a_little();
    lapic_write(LAPIC_TPR, 0);
    wait_a_little();
    check("or the register", came[MIDDLE] == middle + 2);
}

static struct {
    bool outer_served, other_waits, inner_first;
} nest;

static void nesting(struct trap *t)
{
    unsigned high = came[HIGH], other = came[LOW_2];

    (void)t;
    send_self(LOW_2);
    send_self(HIGH);
    irq_on();
    wait_a_little();
    irq_off();
    nest.inner_first = came[HIGH] == high + 1;
    nest.outer_served = is_set(ISR, MIDDLE - 0x10) && lapic_read(PPR) == 0x40;
    nest.other_waits = came[LOW_2] == other && is_set(IRR, LOW_2);
    lapic_write(LAPIC_EOI, 0);
}

static void nested(void)
{
    unsigned other = came[LOW_2];

    trap_set(MIDDLE - 0x10, nesting);
    send_self(MIDDLE - 0x10);
    wait_a_little();
    check("a higher class comes in between", nest.inner_first);
    check("the lower one is still served", nest.outer_served);
    check("its own class waits", nest.other_waits);
    check("for its EOI", came[LOW_2] == other + 1);
}

/* ---- A line that stays up ---- */

static void ioapic_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)IOAPIC = reg;
    *(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

static uint32_t ioapic_read(uint32_t reg)
{
    *(volatile uint32_t *)IOAPIC = reg;
    return *(volatile uint32_t *)(IOAPIC + 0x10);
}

/* The UART lets go of its line when the third interrupt asks what it wants. */
static void line_up(struct trap *t)
{
    (void)t;
    if (++came[LEVEL] % 3 == 0)
        (void)inb(COM2 + 2);
    lapic_write(LAPIC_EOI, 0);
}

static void level(void)
{
    unsigned before = came[LEVEL];
    const uint32_t entry = 0x10 + 2 * COM2_PIN, remote_irr = 1u << 14;

    trap_set(LEVEL, line_up);
    ioapic_write(entry + 1, 0);
    ioapic_write(entry, 0x8000 | LEVEL);
    outb(COM2 + 4, 0x0B);
    outb(COM2 + 1, 2); /* the transmitter is empty: a line that is up */
    check("a line that is up", ioapic_read(entry) & remote_irr);
    wait_a_little();
    check("comes until it is down", came[LEVEL] == before + 3);
    check("and is let go by the EOI", !(ioapic_read(entry) & remote_irr));
    outb(COM2 + 1, 0);
    ioapic_write(entry, 0x10000);
}

/* ---- Timer ---- */

static void timer(void)
{
    unsigned before = came[TIMER];

    lapic_write(LAPIC_DIVIDE, 0xB);
    lapic_write(LAPIC_LVT_TIMER, TIMER);
    lapic_write(LAPIC_INITIAL, ONE_SHOT_TIME);
    uint32_t current = lapic_read(LAPIC_CURRENT);
    check("the timer counts", current > 0 && current <= ONE_SHOT_TIME);
    irq_wait();
    check("and ends a HLT", came[TIMER] == before + 1);
    check("and stands still", lapic_read(LAPIC_CURRENT) == 0);
}

static volatile uint64_t deadline_at;

static void on_deadline(struct trap *t)
{
    (void)t;
    deadline_at = rdtsc();
    lapic_write(LAPIC_EOI, 0);
}

/* When it came, which is after `ahead` ticks of the TSC at the soonest. */
static bool comes_early(uint64_t ahead, bool halted)
{
    uint64_t at = rdtsc() + ahead;

    deadline_at = 0;
    wrmsr(MSR_TSC_DEADLINE, at);
    while (!deadline_at) {
        if (halted)
            irq_wait();
        else
            irq_let_in();
    }
    return deadline_at < at;
}

static void deadlines(void)
{
    unsigned early = 0;

    lapic_write(LAPIC_LVT_TIMER, DEADLINE | LAPIC_TIMER_DEADLINE);
    for (uint64_t ahead = 0; ahead < 1000; ahead += 7)
        early += comes_early(ahead, false) + comes_early(8 * ahead, true);
    check("no deadline comes early", !early);
    lapic_write(LAPIC_LVT_TIMER, TIMER);
}

/* ---- What only the page can ---- */

static void moved(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    wrmsr(MSR_APIC_BASE, (base & 0xFFF) | MOVED_BASE);
    check("the page is where it was moved",
          (*(volatile uint32_t *)(MOVED_BASE + VERSION) & 0xFF) == 0x14);
    check("and not where it was", lapic_mmio_read(VERSION) == 0xFFFFFFFF);
    wrmsr(MSR_APIC_BASE, base);
    check("and back again", (lapic_mmio_read(VERSION) & 0xFF) == 0x14);
    check("and nowhere else", *(volatile uint32_t *)(MOVED_BASE + VERSION) == 0xFFFFFFFF);
}

static void odd_accesses(void)
{
    uint32_t copy = 0;
    const void *from = (const void *)(LAPIC_BASE + VERSION);
    void *to = &copy;

    asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
    check("a string instruction", (copy & 0xFF) == 0x14);
    lapic_write(ESR, 0);
    (void)lapic_mmio_read(0x040); /* no such register */
    lapic_write(ESR, 0);
    check("an error is told", lapic_read(ESR) == 0x80);
    lapic_write(ESR, 0);
    lapic_write(ICR_HIGH, 0xAB123456);
    check("the ICR's other half", lapic_read(ICR_HIGH) == 0xAB000000);
    lapic_write(ICR_HIGH, 0);
    lapic_write(LAPIC_ID, 0x77000000);
    check("the ID stays", lapic_read(LAPIC_ID) == 0);
}

/* Off, whatever waits is lost; and on again. */
static void switched_off(void)
{
    unsigned before = came[LOW];

    send_self(LOW);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~0x800ul);
    check("no page while it is off", lapic_mmio_read(VERSION) == 0xFFFFFFFF);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0x800);
    lapic_enable();
    wait_a_little();
    check("what waited is lost", came[LOW] == before && (lapic_mmio_read(VERSION) & 0xFF) == 0x14);
}

static void in_both_modes(const char *mode)
{
    print("apic: %s\n", mode);
    registers();
    self_ipi();
    priority();
    nested();
    level();
    timer();
    deadlines();
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    static const uint8_t counted[] = { LOW, LOW_2, MIDDLE, HIGH, TIMER };

    (void)boot_information;
    trap_init();
    pic_init(0xFFFF);
    for (unsigned i = 0; i < sizeof(counted); i++)
        trap_set(counted[i], count);
    trap_set(DEADLINE, on_deadline);
    lapic_enable();
    in_both_modes("by its page");
    odd_accesses();
    moved();
    switched_off();
    in_both_modes("by its page, again");
    lapic_enable_x2apic();
    in_both_modes("by MSR");
    check("none came with interrupts off", uncalled == 0);
    print("apic: %u of %u as they should be\n", checks - failures, checks);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
