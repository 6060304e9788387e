/*
 * A guest that one can talk to: each line that is typed comes back, with what its clock says.
 *
 * Between two keys it halts. It asks for one timer interrupt a second, counts them, and keeps how
 * late the latest was, in ticks of the TSC. It takes interrupts at any time, and reads its clock
 * and their number as of one moment: the two agree however long it waits for a pCPU.
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
static uint64_t second, start, next; /* TSC ticks; its moments: the start, the next interrupt */
static volatile uint64_t ticks;
static uint64_t latest;

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
    start = rdtsc();
    next = start + second;
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
    uint64_t count, at;

    do {
        count = ticks;
        at = rdtsc();
    } while (count != ticks);
    line[length] = 0;
    print("echo: \"%s\" at %lu ms, %lu ticks, %lu late at most\n", line,
          (at - start) / (second / 1000), count, latest);
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
    irq_on();
    for (;;) {
        while (inb(COM1 + LSR) & LSR_DATA)
            take((char)inb(COM1));
        irq_off(); /* a key that comes now wakes irq_wait() at once, unless it is here already */
        if (!(inb(COM1 + LSR) & LSR_DATA))
            irq_wait();
        irq_on();
    }
}
