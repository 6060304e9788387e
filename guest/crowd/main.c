/*
 * One of many: what hypervisor and guest cost while more and more of them are there
 * (tools/scaling).
 *
 *   wait    arm a timer that is far off, and halt
 *   probe   the same, but first measure: creation, an event, the timer armed, the timer waited for
 *   busy    when all have been made, give the pCPU to the next one, over and over; later on,
 * nothing but VM exits
 *
 * All in TSC ticks. A domain's TSC begins with its creation.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"
#include "guest/lib/words.h"

#define MSR_TSC_DEADLINE 0x6E0
#define FAR_TICKS        1000000000000ul
#define ALL_THERE        100000000ul /* after its creation */
#define ALL_MEASURED     400000000ul
#define NEAR_TICKS       20000
#define TIMER            0x41
#define ROUNDS           100

void main(const void *boot_information);

static void on_timer(struct trap *t)
{
    (void)t;
    lapic_write(LAPIC_EOI, 0);
}

static void arm(uint64_t ticks)
{
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + ticks);
}

static void timer_init(void)
{
    trap_init();
    trap_set(TIMER, on_timer);
    lapic_enable_x2apic();
    lapic_enable();
    lapic_write(LAPIC_LVT_TIMER, TIMER | LAPIC_TIMER_DEADLINE);
}

static uint64_t events(void)
{
    uint64_t from, ticks = 0;

    if (!event_init())
        return 0;
    uint32_t far_port = (uint32_t)event_alloc(XEN_DOMID_SELF);
    uint32_t port = (uint32_t)event_connect(XEN_DOMID_SELF, far_port);

    event_send(port);
    for (unsigned i = 0; i < ROUNDS; i++) {
        event_shared_page()->evtchn_pending[0] = 0;
        from = rdtsc();
        event_send(port);
        ticks += rdtsc() - from;
    }
    return ticks / ROUNDS;
}

static uint64_t arming(void)
{
    uint64_t from = rdtsc();

    for (unsigned i = 0; i < ROUNDS; i++)
        arm(FAR_TICKS);
    return (rdtsc() - from) / ROUNDS;
}

/* How late a halted vCPU is that waits for its timer. */
static uint64_t waking(void)
{
    uint64_t late = 0, deadline;

    for (unsigned i = 0; i < ROUNDS; i++) {
        deadline = rdtsc() + NEAR_TICKS;
        wrmsr(MSR_TSC_DEADLINE, deadline);
        irq_wait();
        late += rdtsc() - deadline;
    }
    return late / ROUNDS;
}

static void wait(void)
{
    arm(FAR_TICKS);
    for (;;)
        irq_wait();
}

static void probe(uint64_t created)
{
    uint64_t event = events(), armed = arming(), late = waking();

    print("crowd: created %lu event %lu armed %lu late %lu\n", created, event, armed, late);
    wait();
}

static void yields(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        xen_sched(XEN_SCHED_YIELD);
}

static void sleep_until(uint64_t when)
{
    wrmsr(MSR_TSC_DEADLINE, when);
    while (rdtsc() < when)
        irq_wait();
}

/* Nobody prints while others still measure. */
static void busy(void)
{
    uint64_t from;

    sleep_until(ALL_THERE);
    yields(ROUNDS);
    from = rdtsc();
    yields(ROUNDS);
    from = rdtsc() - from;
    while (rdtsc() < ALL_MEASURED)
        yields(1);
    print("crowd: yield %lu\ncrowd: exits\n", from / ROUNDS);
    for (;;)
        hypercall(~0ul, 0, 0, 0); /* there is none of that number */
}

void main(const void *boot_information)
{
    uint64_t created = rdtsc();

    timer_init();
    if (words_have(boot_information, "busy"))
        busy();
    if (words_have(boot_information, "probe"))
        probe(created);
    wait();
}
