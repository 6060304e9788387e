/*
 * The time-stamp counter, Caisson's only clock, and its rate.
 *
 * Measured against a clock of known rate: the ACPI PM timer (3.579545 MHz) or channel 2 of the PIT
 * (1.193182 MHz). Twice over 10 ms: where the two agree, nothing (an SMI) came between the reading
 * of the one clock and of the other, and they are one measurement over 20 ms. CPUID's word counts
 * only where the measurement confirms it, since emulators hand out the leaves of the CPU they
 * imitate whatever their own counter does.
 *
 * Sources: SDM, "Time-Stamp Counter" and "Determining the Processor Base Frequency"; ACPI
 * specification, "Power Management Timer"; Intel 8254 data sheet.
 */
#include "arch/x86/tsc.h"

#include <stdbool.h>
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/log.h"

#define NS_PER_S     1000000000u
#define RATE_MIN     1000000u
#define RATE_MAX     1000000000000u
#define RATE_NONE    1000000000u /* assumed when nothing can tell */
#define ROUNDS       3       /* of two halves each; of three that disagree the middle one counts */
#define HALVES_AGREE 2000    /* within 0.05 %: 5 us of 10 ms */
#define CPUID_AGREES 200     /* within 0.5 % */
#define PATIENCE     4000000 /* readings of a port after which its clock is taken for dead */

#define PM_HZ    3579545u
#define PM_TICKS 35795u /* 10 ms */
#define PM_SLACK 1790u  /* 0.5 ms before the end nothing else is done, so that it is not missed */
#define PM_MASK  0xFFFFFFu

#define PIT_HZ           1193182u
#define PIT_TICKS        11932u /* 10 ms */
#define PORT_PIT2        0x42
#define PORT_PIT_CONTROL 0x43
#define PIT2_MODE0       0xB0 /* channel 2, both bytes, interrupt on terminal count */
#define PORT_B           0x61
#define PORT_B_GATE2     0x01
#define PORT_B_SPEAKER   0x02
#define PORT_B_OUT2      0x20

/* A rate as a fixed-point number: whole + fraction / 2^64. */
struct ratio {
    uint64_t whole, fraction;
};

uint64_t tsc_hz;
struct tsc_rate tsc_rate; /* set at boot only, and what follows */
static struct ratio ns_per_tick, ticks_per_ns;

/* a / b by long division, bit by bit: 128-bit division would need a library that is not there. */
static struct ratio ratio_of(uint64_t a, uint64_t b)
{
    struct ratio r = { a / b, 0 };
    uint64_t rest = a % b;

    for (int bit = 63; bit >= 0; bit--) {
        rest <<= 1;
        if (rest >= b) {
            rest -= b;
            r.fraction |= 1UL << bit;
        }
    }
    return r;
}

static uint64_t ratio_apply(const struct ratio *r, uint64_t n)
{
    unsigned __int128 product = (unsigned __int128)n * r->whole;

    product += (uint64_t)((unsigned __int128)n * r->fraction >> 64);
    return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

void tsc_set_rate(uint64_t hz)
{
    ASSERT(hz >= RATE_MIN && hz <= RATE_MAX);
    tsc_hz = hz;
    ns_per_tick = ratio_of(NS_PER_S, hz);
    ticks_per_ns = ratio_of(hz, NS_PER_S);
    tsc_rate.shift = 0;
    while (ns_per_tick.whole >> tsc_rate.shift)
        tsc_rate.shift++;
    tsc_rate.scale = ratio_of(NS_PER_S, hz << tsc_rate.shift).fraction;
}

/* Ticks that lose no bit to the shift are less than 2^64 ns: a tick is less than 2^shift. */
uint64_t tsc_to_ns(uint64_t ticks)
{
    ASSERT(tsc_hz != 0);
    return ticks <= UINT64_MAX >> tsc_rate.shift ? tsc_to_ns_quick(ticks)
                                                 : ratio_apply(&ns_per_tick, ticks);
}

uint64_t tsc_from_ns(uint64_t ns)
{
    uint64_t ticks;

    ASSERT(tsc_hz != 0);
    if (ns == UINT64_MAX)
        return UINT64_MAX;
    /* The ratios are cut off, so this is too early by the few ticks that fit into 2 ns. */
    ticks = ratio_apply(&ticks_per_ns, ns);
    while (ticks < UINT64_MAX && tsc_to_ns(ticks) < ns)
        ticks++;
    return ticks;
}

void tsc_delay_us(uint64_t us)
{
    uint64_t start = rdtsc();
    uint64_t ticks = tsc_from_ns(us * 1000);

    while (rdtsc() - start < ticks)
        cpu_relax();
}

/* ---- Measuring ---- */

static void (*meanwhile_fn)(void); /* boot only */

/* Two measurements, one right after the other; 0: there is no such clock. */
struct halves {
    uint64_t hz[2];
};

/* Waits until `port` has moved by at least `ticks`; the distance it went, 0 if it stands still. */
static uint32_t pm_wait(uint16_t port, uint32_t from, uint32_t ticks)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        uint32_t gone = (inl(port) - from) & PM_MASK;

        if (gone >= ticks)
            return gone;
        if (gone && gone + PM_SLACK < ticks)
            meanwhile_fn();
    }
    return 0;
}

static struct halves measure_pm(uint16_t port)
{
    uint32_t at = inl(port) & PM_MASK;
    struct halves m = { { 0, 0 } };
    uint64_t then;

    /* Begin right at a tick, so that only the end is uncertain, by less than one. */
    uint32_t gone = pm_wait(port, at, 1);
    at += gone;
    then = rdtsc();
    for (unsigned i = 0; gone && i < 2; i++) {
        gone = pm_wait(port, at, PM_TICKS);
        uint64_t now = rdtsc();

        m.hz[i] = gone ? (now - then) * PM_HZ / gone : 0;
        at += gone;
        then = now;
    }
    return m;
}

/* Ticks of the TSC in PIT_TICKS of the PIT's; 0 if that stands still. */
static uint64_t pit_count(void)
{
    uint64_t start, end = 0;

    outb(PORT_PIT_CONTROL, PIT2_MODE0);
    outb(PORT_PIT2, PIT_TICKS & 0xFF);
    outb(PORT_PIT2, PIT_TICKS >> 8);
    start = rdtsc();
    if (inb(PORT_B) & PORT_B_OUT2)
        return 0;
    for (unsigned i = 0; i < PATIENCE && !end; i++)
        end = inb(PORT_B) & PORT_B_OUT2 ? rdtsc() : 0;
    return end ? end - start : 0;
}

static struct halves measure_pit(uint16_t unused)
{
    uint8_t before = inb(PORT_B);
    struct halves m;

    (void)unused;
    outb(PORT_B, (before & ~PORT_B_SPEAKER) | PORT_B_GATE2);
    for (unsigned i = 0; i < 2; i++)
        m.hz[i] = pit_count() * PIT_HZ / PIT_TICKS;
    outb(PORT_B, before);
    return m;
}

static bool plausible(uint64_t hz)
{
    return hz >= RATE_MIN && hz <= RATE_MAX;
}

/* a and b differ by one part in `parts` at most. */
static bool agree(uint64_t a, uint64_t b, unsigned parts)
{
    return (a > b ? a - b : b - a) <= b / parts;
}

static uint64_t middle(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : c > high ? high : c;
}

/* What an SMI spoils is measured again; it hardly ever spoils two. */
static uint64_t measure(struct halves (*once)(uint16_t port), uint16_t port)
{
    uint64_t hz[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct halves m = once(port);

        if (!plausible(m.hz[0]) || !plausible(m.hz[1]))
            return 0;
        hz[i] = m.hz[0] / 2 + m.hz[1] / 2;
        if (agree(m.hz[0], m.hz[1], HALVES_AGREE))
            return hz[i];
    }
    return middle(hz[0], hz[1], hz[2]);
}

/* What CPUID says, or 0. */
static uint64_t claimed_rate(void)
{
    uint32_t leaves = cpuid(0, 0).eax;
    struct cpuid_regs r = leaves >= 0x15 ? cpuid(0x15, 0) : (struct cpuid_regs){ 0 };

    if (r.eax != 0 && r.ebx != 0 && r.ecx != 0)
        return (uint64_t)r.ecx * r.ebx / r.eax;
    return leaves >= 0x16 ? (cpuid(0x16, 0).eax & 0xFFFF) * 1000000UL : 0;
}

static void settle(uint64_t measured, const char *clock)
{
    uint64_t claimed = claimed_rate();

    if (measured == 0 && !plausible(claimed)) {
        log_warn("tsc: no clock to measure against, 1 GHz assumed");
        tsc_set_rate(RATE_NONE);
        return;
    }
    if (measured == 0 || (plausible(claimed) && agree(claimed, measured, CPUID_AGREES))) {
        tsc_set_rate(claimed);
        clock = measured ? "CPUID, confirmed by measuring" : "CPUID, nothing to measure against";
    } else {
        tsc_set_rate(measured);
    }
    log_info("tsc: %llu.%03llu MHz (%s)", (unsigned long long)(tsc_hz / 1000000),
             (unsigned long long)(tsc_hz / 1000 % 1000), clock);
}

void tsc_calibrate(uint16_t pm_port, void (*meanwhile)(void))
{
    uint64_t hz;

    meanwhile_fn = meanwhile;
    hz = pm_port ? measure(measure_pm, pm_port) : 0;
    if (hz != 0)
        settle(hz, "PM timer");
    else
        settle(measure(measure_pit, 0), "PIT");
}
