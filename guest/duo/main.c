/*
 * The yardstick for two vCPUs: what they cost each other, in TSC ticks, which both read alike.
 *
 * With the word `one` they share a pCPU: world switches. Else each has its own: what an interrupt
 * from one to the other costs.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/print.h"
#include "guest/lib/second.h"
#include "guest/lib/trap.h"
#include "guest/lib/words.h"

#define ROUNDS      1000
#define PING_VECTOR 0x41
#define PONG_VECTOR 0x42

enum work { WAIT, HALT, SPIN, YIELD, END };

static volatile enum work work;   /* what the second vCPU is to do, */
static volatile enum work doing;  /* and what it does */
static volatile uint64_t arrived; /* TSC at the first instruction of the second's handler */
static volatile unsigned pongs;

static bool relaxes; /* PAUSE in loops; set before there is a second vCPU */

/* QEMU's CPUs take turns where it counts instructions (icount), and PAUSE ends a turn; without it
 * one would spin for a million instructions before the other goes on. It has AMD-V. On VT-x PAUSE
 * may exit. */
static void find_out_relaxes(void)
{
    uint32_t r[4];

    cpuid(0, 0, r);
    relaxes = r[1] == 0x68747541; /* Auth, of AuthenticAMD */
}

static void relax(void)
{
    if (relaxes)
        asm volatile("pause");
}

static void send(uint64_t to, uint8_t vector)
{
    wrmsr(X2APIC_MSR(LAPIC_ICR), to << 32 | 0x4000 | vector);
}

static void on_ping(struct trap *t)
{
    (void)t;
    arrived = rdtsc();
    lapic_write(LAPIC_EOI, 0);
    send(0, PONG_VECTOR);
}

static void on_pong(struct trap *t)
{
    (void)t;
    lapic_write(LAPIC_EOI, 0);
    pongs++;
}

static void spin_with_interrupts(void)
{
    irq_on();
    while (work == SPIN)
        relax();
    irq_off();
}

static void second(void)
{
    trap_init();
    lapic_enable_x2apic();
    lapic_enable();
    while ((doing = work) != END) {
        if (doing == HALT)
            irq_wait();
        else if (doing == SPIN)
            spin_with_interrupts();
        else
            xen_sched(XEN_SCHED_YIELD);
    }
}

static void show(const char *name, uint64_t ticks)
{
    print("bench: %-36s %8lu.%lu\n", name, ticks / ROUNDS, ticks * 10 / ROUNDS % 10);
}

static void pong_wait(unsigned before, bool halt)
{
    while (pongs == before) {
        if (halt)
            irq_wait();
        else {
            irq_on();
            relax();
        }
    }
    irq_off();
}

/* Who halts does not see that there is other work. */
static void begin(enum work w)
{
    unsigned before = pongs;
    bool halts = work == HALT;

    work = w;
    if (halts) {
        send(1, PING_VECTOR);
        pong_wait(before, false);
    }
    while (doing != w)
        xen_sched(XEN_SCHED_YIELD);
}

/* Long enough for the second to have reached its HLT, if it has a pCPU of its own. */
static void let_it_halt(void)
{
    for (uint64_t until = rdtsc() + 10000; rdtsc() < until;)
        xen_sched(XEN_SCHED_YIELD);
}

static void ping(const char *there, const char *back, enum work w)
{
    uint64_t to = 0, round = 0;

    begin(w);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned before = pongs;
        if (w == HALT)
            let_it_halt();
        uint64_t from = rdtsc();
        send(1, PING_VECTOR);
        pong_wait(before, w == HALT);
        round += rdtsc() - from;
        to += arrived - from;
    }
    show(there, to);
    show(back, round);
}

static void yields(void)
{
    begin(YIELD);
    uint64_t from = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        xen_sched(XEN_SCHED_YIELD);
    show("world switch, there and back", rdtsc() - from);
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    uint64_t started = rdtsc(); /* a domain's TSC begins with its creation */

    find_out_relaxes();
    trap_init();
    lapic_enable_x2apic();
    lapic_enable();
    trap_set(PING_VECTOR, on_ping);
    trap_set(PONG_VECTOR, on_pong);
    second_start(second);
    if (words_have(boot_information, "one")) {
        print("bench: %-36s %8lu.0\n", "creation to main()", started);
        yields();
        ping("IPI to a halted vCPU here", "IPI to a halted vCPU here, and back", HALT);
    } else {
        ping("IPI to a halted vCPU", "IPI to a halted vCPU, and back", HALT);
        ping("IPI to a running vCPU", "IPI to a running vCPU, and back", SPIN);
    }
    print("bench: done\n");
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
