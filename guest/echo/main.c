/*
 * A guest that one can talk to: each line that is typed comes back, with what its clock says.
 *
 * Between two keys it halts. It asks for one timer interrupt a second, counts them, and keeps how
 * late the latest was, in ticks of the TSC.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/pic.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"

#define MSR_TSC_DEADLINE 0x6E0
#define COM1             0x3F8
#define COM1_IRQ         4
#define IER              1
#define MCR              4
#define LSR              5
#define LSR_DATA         1
#define LINE_BYTES       80

static char line[LINE_BYTES];
static unsigned length;
static uint64_t second, next; /* TSC ticks, and the moment of the next interrupt */
static uint64_t ticks, latest;

static void tick(struct trap *t)
{
    uint64_t late = rdtsc() - next;

    (void)t;
    ticks++;
    if (latest < late)
        latest = late;
    next += second;
    wrmsr(MSR_TSC_DEADLINE, next);
    lapic_write(LAPIC_EOI, 0);
}

static void key(struct trap *t)
{
    (void)t; /* main() takes it */
    pic_eoi();
}

static void start_timer(void)
{
    uint32_t r[4];

    cpuid(0x15, 0, r);
    second = (uint64_t)r[2] * r[1] / r[0];
    lapic_enable_x2apic();
    lapic_enable();
    trap_set(LAPIC_TEST_VECTOR, tick);
    lapic_write(LAPIC_LVT_TIMER, LAPIC_TEST_VECTOR | LAPIC_TIMER_DEADLINE);
    next = rdtsc() + second;
    wrmsr(MSR_TSC_DEADLINE, next);
}

static void start_uart(void)
{
    trap_set(PIC_VECTOR + COM1_IRQ, key);
    pic_init((uint16_t) ~(1u << COM1_IRQ));
    outb(COM1 + MCR, 0xB); /* DTR, RTS, and OUT2, which lets its interrupts through */
    outb(COM1 + IER, 1);   /* for what is received */
}

static void answer(void)
{
    line[length] = 0;
    print("echo: \"%s\" at %lu ms, %lu ticks, %lu late at most\n", line, rdtsc() / (second / 1000),
          ticks, latest);
    length = 0;
}

static void take(char c)
{
    if (c == '\r' || c == '\n')
        answer();
    else if (length < LINE_BYTES - 1)
        line[length++] = c;
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    (void)boot_information;
    trap_init();
    start_timer();
    start_uart();
    print("echo: ready\n");
    for (;;) {
        while (inb(COM1 + LSR) & LSR_DATA)
            take((char)inb(COM1));
        irq_wait();
    }
}
