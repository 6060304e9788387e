/*
 * A guest that compares its clocks with each other: PIT, RTC, PM timer and the local APIC's timer
 * against the TSC, over `seconds=N`. Prints how far each is off, in parts per million. In between
 * it halts, and the PIT's interrupts wake it: they are counted too.
 *
 * Whoever shares the pCPU may come between two reads; a reading counts only if the TSC says that
 * it was short, else it is taken anew.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/pic.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"

#define SECONDS     20
#define SHORT_US    200
#define SHORT_TICKS 10000ul /* what an exit or two take: more than SHORT_US on a slow machine */
#define LOOK_TICKS  1024 /* of the PIT, between two readings; little can go wrong by half a wrap */
#define PIT         0x40
#define PIT_HZ      1193182
#define PIT_PERIOD  0x10000u
#define PM_TIMER    0x608
#define PM_HZ       3579545
#define RTC         0x70

static uint64_t hz;    /* of the TSC, and of the local APIC's timer, as CPUID tells */
static uint64_t close; /* ticks of the TSC: a reading that takes longer does not count */
static volatile uint64_t pit_ticks;

static void pit_tick(struct trap *t)
{
    (void)t;
    pit_ticks++;
    pic_eoi();
}

static uint64_t read_pit_ticks(void)
{
    return pit_ticks * PIT_PERIOD;
}

static uint64_t read_pit(void)
{
    outb(PIT + 3, 0x00); /* latch channel 0 */
    uint8_t low = inb(PIT);

    return PIT_PERIOD - (inb(PIT) << 8 | low);
}

static uint64_t read_pm(void)
{
    return inl(PM_TIMER) & 0xFFFFFF;
}

static uint64_t read_lapic(void)
{
    return 0xFFFFFFFFu - rdmsr(X2APIC_MSR(LAPIC_CURRENT));
}

static uint64_t read_rtc(void)
{
    outb(RTC, 0);
    uint8_t bcd = inb(RTC + 1);

    return (uint64_t)(bcd >> 4) * 10 + (bcd & 0xF);
}

static struct clock {
    const char *name;
    uint64_t (*read)(void);
    uint64_t hz, wrap;
    uint64_t first_tsc, tsc, last, count;
} clocks[] = {
    { .name = "PIT", .read = read_pit, .hz = PIT_HZ, .wrap = PIT_PERIOD },
    { .name = "PIT's interrupts", .read = read_pit_ticks, .hz = PIT_HZ, .wrap = 1ul << 62 },
    { .name = "PM timer", .read = read_pm, .hz = PM_HZ, .wrap = 0x1000000 },
    { .name = "LAPIC timer", .read = read_lapic, .wrap = 0x100000000 }, /* hz: main() */
    { .name = "RTC", .read = read_rtc, .hz = 1, .wrap = 60 },
};
#define LAPIC_TIMER 3
#define CLOCKS      (sizeof(clocks) / sizeof(clocks[0]))

/* Reads c between two looks at the TSC that lie close together; *tsc is the middle. */
static uint64_t read_closely(const struct clock *c, uint64_t *tsc)
{
    uint64_t from, to, value;

    do {
        irq_let_in(); /* the ticks */
        from = rdtsc();
        value = c->read();
        to = rdtsc();
    } while (to - from > close);
    *tsc = from + (to - from) / 2;
    return value;
}

/* The RTC counts seconds: it is read where one ends, and that was seen closely. */
static uint64_t read_edge(const struct clock *c, uint64_t *tsc)
{
    uint64_t value, last, last_tsc;

    value = read_closely(c, tsc);
    do {
        last = value;
        last_tsc = *tsc;
        value = read_closely(c, tsc);
    } while (value == last || *tsc - last_tsc > close);
    return value;
}

/* ticks of the TSC, in a unit of which there are `rate` a second; no product leaves 64 bits. */
static uint64_t scale(uint64_t ticks, uint64_t rate)
{
    return ticks / hz * rate + ticks % hz * rate / hz;
}

/* A count that wraps is followed; wraps that were slept over are those that the TSC tells of. */
static void follow(struct clock *c, uint64_t value, uint64_t tsc)
{
    uint64_t passed = (value - c->last + c->wrap) % c->wrap;
    uint64_t reckoned = scale(tsc - c->tsc, c->hz);

    while (passed + c->wrap / 2 < reckoned)
        passed += c->wrap;
    c->count += passed;
    c->last = value;
    c->tsc = tsc;
}

static void show(const struct clock *c)
{
    int64_t span = (int64_t)scale(c->tsc - c->first_tsc, 1000000);
    int64_t told = (int64_t)(c->count / c->hz * 1000000 + c->count % c->hz * 1000000 / c->hz);
    int64_t ppm = (told - span) * 1000000 / span;

    print("clock: %s off by %ld ppm in %lu ms\n", c->name, ppm,
          (c->tsc - c->first_tsc) / (hz / 1000));
}

static void begin(void)
{
    trap_set(PIC_VECTOR, pit_tick);
    pic_init(0xFFFE);
    outb(PIT + 3, 0x34); /* channel 0, both bytes, mode 2, the longest period */
    outb(PIT, 0);
    outb(PIT, 0);
    lapic_write(LAPIC_DIVIDE, 0xB); /* by 1 */
    lapic_write(LAPIC_LVT_TIMER, 0x10000 | LAPIC_TEST_VECTOR);
    lapic_write(LAPIC_INITIAL, 0xFFFFFFFF);
}

static uint64_t read_any(const struct clock *c, uint64_t *tsc)
{
    return c->hz == 1 ? read_edge(c, tsc) : read_closely(c, tsc);
}

/* Follows all but the RTC, right behind an interrupt of the PIT. */
static void look(void)
{
    uint64_t tsc, value;

    for (unsigned i = 0; i < CLOCKS - 1; i++) {
        value = read_closely(&clocks[i], &tsc);
        follow(&clocks[i], value, tsc);
    }
}

void main(const void *boot_information);

void main(const void *boot_information)
{
    uint32_t r[4];
    uint64_t tsc, value;

    trap_init();
    lapic_enable_x2apic();
    lapic_enable();
    cpuid(0x15, 0, r);
    hz = (uint64_t)r[2] * r[1] / r[0];
    close = hz / 1000000 * SHORT_US;
    if (close < SHORT_TICKS)
        close = SHORT_TICKS;
    clocks[LAPIC_TIMER].hz = r[2];
    print("clock: TSC %lu Hz\n", hz);
    begin();
    for (unsigned i = 0; i < CLOCKS; i++) {
        clocks[i].last = read_any(&clocks[i], &clocks[i].tsc);
        clocks[i].first_tsc = clocks[i].tsc;
    }
    for (uint64_t end = rdtsc() + start_number(boot_information, "seconds", SECONDS) * hz;
         rdtsc() < end;) {
        for (unsigned i = 0; i < LOOK_TICKS; i++)
            irq_wait();
        look();
    }
    value = read_edge(&clocks[CLOCKS - 1], &tsc);
    follow(&clocks[CLOCKS - 1], value, tsc);
    for (unsigned i = 0; i < CLOCKS; i++)
        show(&clocks[i]);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
