/*
 * The yardstick: what one round trip through the hypervisor costs, counted by RDTSC around many
 * of them. On an emulator whose TSC counts instructions the table is the same on every run.
 *
 * Each row is a function that does the thing once; an empty one is measured too and subtracted, so
 * a row is what the exit costs, from the guest's instruction to the guest's next.
 * docs/performance.md keeps the table and says what each number is made of.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/print.h"
#include "guest/lib/timer.h"
#include "guest/lib/trap.h"

#define ROUNDS      10000
#define WAKE_ROUNDS 100
#define WAKE_TICKS  20000 /* of the TSC, from arming the timer to its interrupt */

#define MSR_TSC_DEADLINE 0x6E0
#define MSR_MISC_ENABLE  0x1A0
#define MSR_TSC_ADJUST   0x03B
#define PIT_COUNTER_2    0x42
#define UART_SCRATCH     0x3FF
#define UNKNOWN_CALL     63
/* RAM that nobody has touched, and how much of it there is with mem=128M. */
#define TOUCH_4K_FIRST  0x00020000ul
#define TOUCH_4K_ROUNDS 100
#define TOUCH_2M_FIRST  0x04000000ul
#define TOUCH_2M_ROUNDS 24

static void nothing(unsigned i)
{
    (void)i;
}

static void do_cpuid(unsigned i)
{
    uint32_t r[4];

    (void)i;
    cpuid(1, 0, r);
}

static void do_vmcall_unknown(unsigned i)
{
    (void)i;
    hypercall(UNKNOWN_CALL, 0, 0, 0);
}

static void do_vmcall_version(unsigned i)
{
    (void)i;
    xen_version();
}

static void do_in_pit(unsigned i)
{
    (void)i;
    inb(PIT_COUNTER_2);
}

static void do_out_uart(unsigned i)
{
    outb(UART_SCRATCH, (uint8_t)i);
}

static void do_rdmsr(unsigned i)
{
    (void)i;
    rdmsr(MSR_MISC_ENABLE);
}

static void do_wrmsr(unsigned i)
{
    (void)i;
    wrmsr(MSR_TSC_ADJUST, 0);
}

static void do_lapic_mmio(unsigned i)
{
    (void)i;
    lapic_mmio_read(LAPIC_ID);
}

static void do_lapic_x2apic(unsigned i)
{
    (void)i;
    rdmsr(X2APIC_MSR(LAPIC_ID));
}

/* Conventional memory comes frame by frame: the hole above it leaves no whole 2 MiB there. */
static void do_touch_4k(unsigned i)
{
    *(volatile uint8_t *)(TOUCH_4K_FIRST + i * 4096ul) = 1;
}

static void do_touch_2m(unsigned i)
{
    *(volatile uint8_t *)(TOUCH_2M_FIRST + i * 0x200000ul) = 1;
}

/* ---- Paravirtual: a channel and a grant whose both ends are this domain ---- */

#define SELF      1 /* the only domain is the first */
#define ITS_FRAME 0x200000ul
#define SOME_PAGE 0x201000ul

static uint32_t near_port, far_port;

static void pv_init(void)
{
    if (!event_init() || !grant_init())
        return;
    far_port = (uint32_t)event_alloc(XEN_DOMID_SELF);
    near_port = (uint32_t)event_connect(XEN_DOMID_SELF, far_port);
    grant_page(GRANT_FIRST_REF, SELF, (void *)ITS_FRAME);
}

static void do_event_pending(unsigned i)
{
    (void)i;
    event_send(near_port);
}

static void do_event(unsigned i)
{
    (void)i;
    event_send(near_port);
    event_shared_page()->evtchn_pending[0] = 0;
}

static void do_grant_copy(unsigned i)
{
    (void)i;
    grant_copy_from(SELF, GRANT_FIRST_REF, (void *)SOME_PAGE, 4096);
}

static void do_grant_map(unsigned i)
{
    (void)i;
    int64_t handle = grant_map(SELF, GRANT_FIRST_REF, GUEST_GRANT_MAPS);
    grant_unmap((uint64_t)handle, GUEST_GRANT_MAPS);
}

static const struct row {
    const char *name;
    void (*once)(unsigned i);
    unsigned rounds;
    bool x2apic; /* wants the local APIC in that mode */
} rows[] = {
    { "CPUID", do_cpuid, ROUNDS, false },
    { "VMCALL, unknown number", do_vmcall_unknown, ROUNDS, false },
    { "VMCALL, xen_version", do_vmcall_version, ROUNDS, false },
    { "IN from the PIT", do_in_pit, ROUNDS, false },
    { "OUT to the UART", do_out_uart, ROUNDS, false },
    { "RDMSR that exits", do_rdmsr, ROUNDS, false },
    { "WRMSR that exits", do_wrmsr, ROUNDS, false },
    { "LAPIC read by MMIO", do_lapic_mmio, ROUNDS, false },
    { "LAPIC read by x2APIC", do_lapic_x2apic, ROUNDS, true },
    { "event, set", do_event, ROUNDS, false },
    { "event, pending already", do_event_pending, ROUNDS, false },
    { "grant copy of 4 KiB", do_grant_copy, ROUNDS, false },
    { "grant mapped and unmapped", do_grant_map, ROUNDS, false },
    { "first touch, gets 4 KiB", do_touch_4k, TOUCH_4K_ROUNDS, false },
    { "first touch, gets 2 MiB", do_touch_2m, TOUCH_2M_ROUNDS, false },
};

static uint64_t measure(void (*once)(unsigned i), unsigned rounds)
{
    uint64_t from = rdtsc();

    for (unsigned i = 0; i < rounds; i++)
        once(i);
    return rdtsc() - from;
}

/* Prints a count per round with one decimal. */
static void show(const char *name, uint64_t ticks, unsigned rounds)
{
    uint64_t tenths = (ticks * 10 + rounds / 2) / rounds;

    print("bench: %-28s %8lu.%lu\n", name, tenths / 10, tenths % 10);
}

static volatile uint64_t woken_at;

static void timer_fired(struct trap *t)
{
    (void)t;
    woken_at = rdtsc();
    lapic_write(LAPIC_EOI, 0);
}

/* HLT until a timer interrupt: how late the handler's first instruction is. */
static void wake_latency(void)
{
    uint64_t late = 0;

    trap_set(LAPIC_TEST_VECTOR, timer_fired);
    lapic_write(LAPIC_LVT_TIMER, LAPIC_TEST_VECTOR | LAPIC_TIMER_DEADLINE);
    for (unsigned i = 0; i < WAKE_ROUNDS; i++) {
        uint64_t deadline = rdtsc() + WAKE_TICKS;
        woken_at = 0;
        wrmsr(MSR_TSC_DEADLINE, deadline);
        while (!woken_at)
            irq_wait();
        late += woken_at - deadline;
    }
    show("HLT, late after the deadline", late, WAKE_ROUNDS);
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    (void)boot_information;
    trap_init();
    lapic_enable();
    pv_init();
    print("bench: TSC ticks per round trip\n");
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].x2apic)
            lapic_enable_x2apic();
        uint64_t loop = measure(nothing, rows[i].rounds);
        show(rows[i].name, measure(rows[i].once, rows[i].rounds) - loop, rows[i].rounds);
    }
    wake_latency();
    print("bench: done\n");
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
