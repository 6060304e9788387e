/*
 * A guest that takes interrupts of its local APIC's timer and stays in each handler for a while,
 * with IF=0 and without an exit. None may come into another one's handler. Ends after `irqs=N`.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"
#include "guest/lib/timer.h"
#include "guest/lib/trap.h"

#define IRQS      100
#define STAY      1000000 /* turns of a loop in each handler */
#define NEXT      1000000 /* ticks of the timer from one handler's end to the next interrupt */
#define RFLAGS_IF 0x200

static volatile uint64_t taken, nested;

static void tick(struct trap *t)
{
    taken++;
    if (!(t->rflags & RFLAGS_IF))
        nested++;
    for (volatile unsigned i = 0; i < STAY; i++)
        ;
    lapic_write(LAPIC_EOI, 0);
    lapic_write(LAPIC_INITIAL, NEXT);
}

void main(const void *boot_information)
{
    uint64_t irqs = start_number(boot_information, "irqs", IRQS);

    trap_init();
    timer_stop();
    trap_set(LAPIC_TEST_VECTOR, tick);
    lapic_enable_x2apic();
    lapic_enable();
    lapic_write(LAPIC_DIVIDE, 0xB); /* by 1 */
    lapic_write(LAPIC_LVT_TIMER, LAPIC_TEST_VECTOR);
    print("once: begins\n");
    lapic_write(LAPIC_INITIAL, NEXT);
    while (taken < irqs && !nested)
        asm volatile("sti; nop; cli");
    print("once: %lu interrupts, %lu within another's handler\n", taken, nested);
}
