/*
 * The yardstick: what one round trip through the hypervisor costs, counted by RDTSC around many
 * of them. On an emulator whose TSC counts instructions the table is the same on every run.
 *
 * Each row is a function that does the thing once; an empty one is measured too and subtracted, so
 * a row is what the exit costs, from the guest's instruction to the guest's next. Interrupts are on
 * and none comes: with IF=0 the watchdog of vmx/run.c would end the guest's stay now and then.
 */
#include "guest/bench/row.h"
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/pvconsole.h"
#include "guest/lib/trap.h"

#define SETTLE_TICKS 60000000

static void nothing(unsigned i)
{
    (void)i;
}
static void (*volatile const empty)(unsigned i) = nothing; /* so that no compiler sees through it */

/* Kept until the end: the console would still be busy with a line while the next row is counted. */
#define ROWS_MOST 64
static struct {
    const char *name;
    uint64_t tenths;
} results[ROWS_MOST];
static unsigned results_count;

static uint64_t measure(void (*once)(unsigned i), unsigned rounds)
{
    uint64_t from = rdtsc();

    for (unsigned i = 0; i < rounds; i++)
        once(i);
    return rdtsc() - from;
}

void row_note(const char *name, uint64_t ticks, unsigned rounds)
{
    if (results_count == ROWS_MOST)
        return;
    results[results_count].name = name;
    results[results_count++].tenths = (ticks * 10 + rounds / 2) / rounds;
}

static void show(void)
{
    for (unsigned i = 0; i < results_count; i++)
        print("bench: %-36s %8lu.%lu\n", results[i].name, results[i].tenths / 10,
              results[i].tenths % 10);
}

void rows_run(const struct row *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t loop = measure(empty, rows[i].rounds);
        irq_on();
        uint64_t ticks = measure(rows[i].once, rows[i].rounds);
        irq_off();
        row_note(rows[i].name, ticks - loop, rows[i].rounds);
    }
}

/* The console is busy for a while with what the hypervisor said at the domain's start. */
static void settle(void)
{
    for (uint64_t until = rdtsc() + SETTLE_TICKS; rdtsc() < until;)
        ;
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    (void)boot_information;
    trap_init();
    pvconsole_init();
    settle();
    memory_rows();
    instruction_rows();
    pv_rows();
    apic_rows();
    show();
    print("bench: done\n");
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
