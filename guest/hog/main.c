/*
 * A guest that takes all the CPU time it can get, or hardly any: what a scheduler is measured with.
 *
 * Without words it spins, and never exits of its own will; with `two` its second vCPU does so too.
 * With `pause` it spins as who waits for a lock does, and exits again and again. With `sleep` it
 * halts and asks for one timer interrupt a second. With `relay` all its vCPUs sleep and wake one
 * another without an end (guest/hog/relay.c).
 */
#include "guest/hog/relay.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/second.h"
#include "guest/lib/trap.h"
#include "guest/lib/words.h"

#define MSR_TSC_DEADLINE 0x6E0

static void tick(struct trap *t)
{
    (void)t;
    lapic_write(LAPIC_EOI, 0);
}

static uint64_t tsc_hz(void)
{
    uint32_t r[4];

    cpuid(0x15, 0, r);
    return (uint64_t)r[2] * r[1] / r[0];
}

static _Noreturn void sleep_on(void)
{
    uint64_t second = tsc_hz();

    trap_set(LAPIC_TEST_VECTOR, tick);
    lapic_write(LAPIC_LVT_TIMER, LAPIC_TEST_VECTOR | LAPIC_TIMER_DEADLINE);
    for (uint64_t next = rdtsc() + second;; next += second) {
        wrmsr(MSR_TSC_DEADLINE, next);
        irq_wait();
    }
}

static void spin(void)
{
    irq_on();
    for (volatile uint64_t n = 0;; n++)
        ;
}

static void pause_on(void)
{
    irq_on();
    for (;;)
        asm volatile("pause");
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    trap_init();
    lapic_enable_x2apic();
    lapic_enable();
    if (words_have(boot_information, "sleep"))
        sleep_on();
    if (words_have(boot_information, "pause"))
        pause_on();
    if (words_have(boot_information, "relay"))
        relay_begin();
    if (words_have(boot_information, "two"))
        second_start(spin);
    spin();
}
