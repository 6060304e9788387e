/*
 * The small paravirtual guest: says who it is by UART and by hypercall, counts a few ticks of its
 * timer, and ends itself. The place to begin when you write a guest.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"
#include "guest/lib/timer.h"
#include "guest/lib/trap.h"

#define HZ    100
#define TICKS 10

static void say(const char *text)
{
    uint64_t n = 0;

    while (text[n])
        n++;
    xen_console_write(text, n);
}

/* A word of the BIOS data area, which the compiler would not let us read as an array. */
static unsigned bios_data(uint64_t address)
{
    uint16_t word;

    asm volatile("movw (%1), %0" : "=r"(word) : "r"(address));
    return word;
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    int64_t version = xen_version();
    const char *words = start_cmdline(boot_information);

    trap_init();
    print("hello: this line went through a 16550\n");
    if (*words)
        print("hello: told \"%s\"\n", words);
    print("hello: COM1 is at 0x%x, and %u KiB are below the extended BIOS data area\n",
          bios_data(0x400), bios_data(0x413));
    print("hello: the hypervisor speaks Xen's interface, version %ld.%ld\n", version >> 16,
          version & 0xffff);
    say("hello: this line went through a hypercall\r\n");
    print("hello: an unknown hypercall is answered with %ld\n", hypercall(63, 0, 0, 0));

    timer_start(HZ);
    uint64_t from = rdtsc();
    while (timer_ticks() < TICKS)
        irq_wait();
    timer_stop();
    print("hello: %lu ticks at %u Hz, the TSC runs\n", timer_ticks(), HZ);
    if (rdtsc() <= from)
        print("hello: no, it does not\n");

    xen_sched(XEN_SCHED_YIELD);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
