/*
 * Attacks by the devices of the PC: registers that are dear to look at, ticks and interrupts
 * without an end.
 */
#include "guest/attacker/attack.h"
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/pic.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"
#include "include/public/vcpu.h"

#define RTC_INDEX        0x70
#define RTC_DATA         0x71
#define RTC_ALARM_S      1
#define RTC_ALARM_M      3
#define RTC_ALARM_H      5
#define RTC_A            0x0A
#define RTC_B            0x0B
#define RTC_C            0x0C
#define PIT_COMMAND      0x43
#define PIT_CHANNEL0     0x40
#define COM1             0x3F8
#define STRING           4096
#define MSR_TSC_DEADLINE 0x6E0
#define IOAPIC           0xFEC00000ul
#define HPET             0xFED00000ul
#define HPET_CONFIG      0x10
#define HPET_COUNTER     0xF0
#define HPET_TIMER(n)    (0x100 + 32 * (n))
#define HPET_COMPARATOR  8 /* of a timer */
#define HPET_TIMERS      3
#define HPET_PIN         20    /* the first of those that they may have */
#define HPET_PERIODIC    0x14C /* enabled, of 32 bits, and the next write is the comparator too */
#define HPET_ONCE        0x104
#define HPET_ROUTING     256 /* steps from one to the other */
#define HPET_VECTOR      0x41
#define HPET_PROOF       1024 /* steps, after which its interrupts must have been seen */
#define SLEEP_LEAST      20000
#define SLEEP_MORE       180000
#define ICR_ALL          0x80000u /* itself included */
#define ICR_OTHERS       0xC0000u
#define ICR_INIT         0x4500u
#define ICR_STARTUP      0x4600u

static uint8_t buffer[STRING];

static void read_string(uint16_t port)
{
    void *to = buffer;
    uint64_t n = STRING;

    asm volatile("rep insb" : "+D"(to), "+c"(n) : "d"(port) : "memory");
}

static void write_string(uint16_t port)
{
    const void *from = buffer;
    uint64_t n = STRING;

    asm volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(port) : "memory");
}

static void rtc_write(uint8_t index, uint8_t value)
{
    outb(RTC_INDEX, index);
    outb(RTC_DATA, value);
}

/* ---- Dear reads ---- */

/* An alarm at any hour and minute, and at a second that there is not: the next one is never. */
void attack_rtc_begin(void)
{
    rtc_write(RTC_ALARM_S, 0x99);
    rtc_write(RTC_ALARM_M, 0xff);
    rtc_write(RTC_ALARM_H, 0xff);
    rtc_write(RTC_B, 0x7a); /* all its interrupts, 24 hours, BCD */
    outb(RTC_INDEX, RTC_C);
}

void attack_rtc(void)
{
    read_string(RTC_DATA);
}

/* Every port of the PC's but those that end it. */
void attack_ports(void)
{
    static const uint16_t ports[] = { 0x20, 0x21, 0x40, 0x42, 0x43,  0x60,  0x61, 0x64,
                                      0x70, 0x71, 0x80, 0xa1, 0x3fd, 0x608, 0xcfc };
    static unsigned n;

    n = (n + 1) % (sizeof(ports) / sizeof(ports[0]));
    read_string(ports[n]);
    if (ports[n] == 0x40 || ports[n] == 0x43)
        write_string(ports[n]);
}

/* ---- Output ---- */

void attack_serial(void)
{
    for (unsigned i = 0; i < STRING; i++)
        buffer[i] = i % 2 ? '\n' : 'x';
    write_string(COM1);
}

/* ---- Ticks ---- */

static void tick(struct trap *t)
{
    (void)t;
    lapic_write(LAPIC_EOI, 0);
}

static void irq(struct trap *t)
{
    (void)t;
    outb(RTC_INDEX, RTC_C);
    inb(RTC_DATA);
    outb(0xA0, 0x20);
    outb(0x20, 0x20);
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)IOAPIC = index;
    *(volatile uint32_t *)(IOAPIC + 0x10) = value;
}

static unsigned hpet_ticks; /* on all vCPUs */

static void hpet_tick(struct trap *t)
{
    (void)t;
    __atomic_fetch_add(&hpet_ticks, 1, __ATOMIC_RELAXED);
    lapic_write(LAPIC_EOI, 0);
}

static volatile uint32_t *hpet(uint32_t offset)
{
    return (volatile uint32_t *)(HPET + offset);
}

/* Two timers that match with every tick, at 12.5 MHz, and one that hpet_step() sets. Each match is
 * an edge for all vCPUs. */
static void hpet_begin(void)
{
    *hpet(HPET_CONFIG) = 0;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        ioapic_write(0x11 + 2 * (HPET_PIN + n), 0xFF000000);
        ioapic_write(0x10 + 2 * (HPET_PIN + n), HPET_VECTOR);
        *hpet(HPET_TIMER(n)) = (HPET_PIN + n) << 9 | (n < 2 ? HPET_PERIODIC : HPET_ONCE);
        *hpet(HPET_TIMER(n) + HPET_COMPARATOR) = 1;
        *hpet(HPET_TIMER(n) + HPET_COMPARATOR) = 1; /* and the period */
    }
    *hpet(HPET_CONFIG) = 1;
}

/* The next match is at once; from time to time the first two timers take the lines of PIT and RTC,
 * or give them back. */
static void hpet_step(void)
{
    static unsigned n;
    unsigned step = __atomic_fetch_add(&n, 1, __ATOMIC_RELAXED);

    if (step == HPET_PROOF && !hpet_ticks)
        print("attacker: harmless: no interrupt of the HPET's\n");
    if (step % HPET_ROUTING == 0)
        *hpet(HPET_CONFIG) = 1 | (step / HPET_ROUTING & 1) << 1;
    *hpet(HPET_TIMER(2) + HPET_COMPARATOR) = *hpet(HPET_COUNTER) + 1;
}

/* Those that all vCPUs share. */
static void board_timers(void)
{
    pic_init(0);
    for (unsigned v = 0x20; v < 0x30; v++)
        trap_set((uint8_t)v, irq);
    rtc_write(RTC_A, 0x23); /* 8 kHz */
    rtc_write(RTC_B, 0x72);
    outb(PIT_COMMAND, 0x34);
    outb(PIT_CHANNEL0, 2);
    outb(PIT_CHANNEL0, 0);
    hpet_begin();
}

void attack_timers_begin(void)
{
    struct xen_set_periodic_timer periodic = { .period_ns = 1000000 };
    static bool begun;

    if (!__atomic_exchange_n(&begun, true, __ATOMIC_SEQ_CST))
        board_timers();
    trap_set(LAPIC_TEST_VECTOR, tick);
    trap_set(HPET_VECTOR, hpet_tick);
    lapic_enable_x2apic();
    lapic_enable();
    lapic_write(LAPIC_DIVIDE, 0xB);
    lapic_write(LAPIC_LVT_TIMER, 0x20000 | LAPIC_TEST_VECTOR);
    lapic_write(LAPIC_INITIAL, 1);
    hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_PERIODIC_TIMER, 0, (uint64_t)&periodic);
}

/* And each time anew: how near can the next one be? */
void attack_timers(void)
{
    irq_let_in();
    hpet_step();
    lapic_write(LAPIC_INITIAL, 1);
    hypercall(XEN_HYPERCALL_SET_TIMER_OP, 1, 0, 0);
    irq_wait();
}

/* ---- Sleep ---- */

void attack_sleepers_begin(void)
{
    trap_set(LAPIC_TEST_VECTOR, tick);
    lapic_enable_x2apic();
    lapic_enable();
    lapic_write(LAPIC_LVT_TIMER, LAPIC_TEST_VECTOR | LAPIC_TIMER_DEADLINE);
}

/* Each wakes at another moment, to sleep again. */
void attack_sleepers(void)
{
    static uint64_t n;
    uint64_t k = __atomic_fetch_add(&n, 1, __ATOMIC_RELAXED);

    wrmsr(MSR_TSC_DEADLINE, rdtsc() + SLEEP_LEAST + k * 977 % SLEEP_MORE);
    irq_wait();
}

/* ---- Interrupts ---- */

void attack_ipis_begin(void)
{
    trap_set(LAPIC_TEST_VECTOR, tick);
    lapic_enable_x2apic();
    lapic_enable();
}

void attack_ipis(void)
{
    for (unsigned i = 0; i < 64; i++)
        wrmsr(X2APIC_MSR(LAPIC_ICR), ICR_ALL | 0x4000 | LAPIC_TEST_VECTOR);
    irq_let_in();
}

/* The others are reset and begin where nothing is, over and over. */
void attack_startups(void)
{
    lapic_enable_x2apic();
    lapic_enable();
    wrmsr(X2APIC_MSR(LAPIC_ICR), ICR_OTHERS | ICR_INIT);
    wrmsr(X2APIC_MSR(LAPIC_ICR), ICR_OTHERS | ICR_STARTUP | 0x90);
}

/* ---- Bare exits ---- */

void attack_exits(void)
{
    uint32_t r[4];

    for (uint32_t leaf = 0; leaf < 0x20; leaf++)
        cpuid(leaf, leaf, r);
    asm volatile("wbinvd" : : : "memory");
    asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
    asm volatile("mov %%cr4, %%rax; xor $0x80, %%rax; mov %%rax, %%cr4" : : : "rax", "memory");
    rdmsr(0x8B);
}

void attack_pause(void)
{
    for (unsigned i = 0; i < 1000; i++)
        asm volatile("pause");
    xen_sched(XEN_SCHED_YIELD);
}
