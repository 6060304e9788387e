/*
 * The MC146818 real-time clock. Source: Motorola, "MC146818 Real-Time Clock plus RAM"; the bytes
 * beyond the clock are those of the PC's firmware.
 *
 * The day of the week follows from the date: what a guest writes there is not kept.
 */
#include "devices/vrtc.h"
#include "devices/vrtc_date.h"
#include "lib/assert.h"

#define NS_PER_S    1000000000ll
#define NS_PER_DAY  (86400 * NS_PER_S)
#define CRYSTAL_HZ  32768
#define UPDATE_NS   (244000 + 1984000) /* UIP is up that long before the seconds change */
#define HALF_SECOND (NS_PER_S / 2)

enum {
    SECOND,
    SECOND_ALARM,
    MINUTE,
    MINUTE_ALARM,
    HOUR,
    HOUR_ALARM,
    WEEKDAY,
    DAY,
    MONTH,
    YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    CENTURY = 0x32
};

#define A_UIP     0x80
#define A_DIVIDER 0x70
#define A_RUNS    0x20 /* the divider's setting for a 32,768 Hz crystal */
#define A_RATE    0x0f

#define B_SET    0x80 /* no updates: the guest sets the time */
#define B_IRQS   0x70 /* periodic, alarm, update: the same places as in C */
#define B_SQUARE 0x08

#define C_IRQ      0x80
#define C_PERIODIC 0x40
#define C_ALARM    0x20
#define C_UPDATE   0x10

#define D_VALID 0x80 /* the battery is good */

#define ALARM_MATCHES_ALL 0xc0 /* an alarm byte from here on */

static const uint8_t clock_bytes[] = { SECOND, MINUTE, HOUR, WEEKDAY, DAY, MONTH, YEAR, CENTURY };

static bool is_clock_byte(uint8_t index)
{
    for (unsigned i = 0; i < sizeof clock_bytes; i++) {
        if (clock_bytes[i] == index)
            return true;
    }
    return false;
}

/* ---- The course of time ---- */

static bool runs(const struct vrtc *r)
{
    return (r->cmos[REG_A] & A_DIVIDER) == A_RUNS;
}

static bool updates(const struct vrtc *r)
{
    return runs(r) && !(r->cmos[REG_B] & B_SET);
}

static int64_t seconds_at(const struct vrtc *r, int64_t ns)
{
    return floor_div(ns - r->base, NS_PER_S);
}

static int64_t epoch_at(const struct vrtc *r, int64_t ns)
{
    return r->epoch + seconds_at(r, ns);
}

/* When second number n after base begins. */
static int64_t second_start(const struct vrtc *r, int64_t n)
{
    return r->base + n * NS_PER_S;
}

/* Crystal clocks of one period of the periodic interrupt; 0: it is off. */
static int64_t period_clocks(const struct vrtc *r)
{
    unsigned rate = r->cmos[REG_A] & A_RATE;

    if (rate == 0)
        return 0;
    return rate < 3 ? 1ll << (rate + 6) : 1ll << (rate - 1);
}

static int64_t periods_at(const struct vrtc *r, int64_t ns)
{
    int64_t s = seconds_at(r, ns), clocks = period_clocks(r);
    int64_t rest = ns - second_start(r, s);

    ASSERT(clocks); /* nobody asks while it is off */
    return (s * CRYSTAL_HZ + rest * CRYSTAL_HZ / NS_PER_S) / clocks;
}

/* The first nanosecond of period number n after base. */
static int64_t period_start(const struct vrtc *r, int64_t n)
{
    int64_t clocks = n * period_clocks(r);
    int64_t s = floor_div(clocks, CRYSTAL_HZ);
    int64_t rest = clocks - s * CRYSTAL_HZ;

    return second_start(r, s) + (rest * NS_PER_S + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
}

/* ---- The registers' form ---- */

static struct rtc_format format(const struct vrtc *r)
{
    return (struct rtc_format){ .b = r->cmos[REG_B] };
}

static struct rtc_date date_at(const struct vrtc *r, int64_t ns)
{
    return rtc_date_of(epoch_at(r, ns));
}

/* The clock's bytes as they read at ns; they stand in cmos while the clock does. */
static uint8_t clock_byte(const struct vrtc *r, uint8_t index, int64_t ns)
{
    if (!updates(r))
        return r->cmos[index];
    struct rtc_format f = format(r);
    struct rtc_date d = date_at(r, ns);

    switch (index) {
    case SECOND:
        return rtc_encode(f, d.second);
    case MINUTE:
        return rtc_encode(f, d.minute);
    case HOUR:
        return rtc_encode_hour(f, d.hour);
    case WEEKDAY:
        return d.weekday;
    case DAY:
        return rtc_encode(f, d.day);
    case MONTH:
        return rtc_encode(f, d.month);
    case YEAR:
        return rtc_encode(f, d.year % 100);
    default:
        return rtc_encode(f, d.year / 100);
    }
}

static void freeze(struct vrtc *r, int64_t ns)
{
    for (unsigned i = 0; i < sizeof clock_bytes; i++)
        r->cmos[clock_bytes[i]] = clock_byte(r, clock_bytes[i], ns);
}

/* The time that the clock's bytes in cmos say. */
static int64_t thaw(const struct vrtc *r)
{
    struct rtc_format f = format(r);
    const uint8_t *m = r->cmos;
    struct rtc_date d = {
        .second = rtc_decode(f, m[SECOND]),
        .minute = rtc_decode(f, m[MINUTE]),
        .hour = rtc_decode_hour(f, m[HOUR]),
        .day = rtc_decode(f, m[DAY]),
        .month = rtc_decode(f, m[MONTH]),
        .year = (uint16_t)(rtc_decode(f, m[CENTURY]) * 100 + rtc_decode(f, m[YEAR])),
    };

    return rtc_epoch_of(&d);
}

/* ---- Interrupts ---- */

#define ALARM_ANY   -1
#define ALARM_NEVER -2

/* What an alarm byte asks for: a value that the clock's byte takes, or one of the above. */
static int alarm_value(struct rtc_format f, uint8_t byte, unsigned end)
{
    unsigned value = rtc_decode(f, byte);

    if ((byte & ALARM_MATCHES_ALL) == ALARM_MATCHES_ALL)
        return ALARM_ANY;
    return value < end && rtc_encode(f, value) == byte ? (int)value : ALARM_NEVER;
}

static int alarm_hour(struct rtc_format f, uint8_t byte)
{
    unsigned hour = rtc_decode_hour(f, byte);

    if ((byte & ALARM_MATCHES_ALL) == ALARM_MATCHES_ALL)
        return ALARM_ANY;
    return hour < 24 && rtc_encode_hour(f, hour) == byte ? (int)hour : ALARM_NEVER;
}

/* From value to the next that is wanted, in a round of `end`; 0: it is that itself. */
static unsigned steps_to(int wanted, unsigned value, unsigned end)
{
    return wanted == ALARM_ANY ? 0 : ((unsigned)wanted + end - value) % end;
}

static unsigned first_of(int wanted)
{
    return wanted == ALARM_ANY ? 0 : (unsigned)wanted;
}

/* Seconds from the time `epoch` to the next alarm, 1 .. 86400; 0: it never comes. Seconds, minutes
 * and hours are moved on in turn, and what is below starts anew where one of them moves: a guest
 * may ask for this at each of its accesses, so there is no search. */
static unsigned next_alarm(const struct vrtc *r, int64_t epoch)
{
    struct rtc_format f = format(r);
    int second = alarm_value(f, r->cmos[SECOND_ALARM], 60);
    int minute = alarm_value(f, r->cmos[MINUTE_ALARM], 60);
    int hour = alarm_hour(f, r->cmos[HOUR_ALARM]);
    unsigned from = (unsigned)(epoch - floor_div(epoch, 86400) * 86400), t = from + 1, steps;

    if (second == ALARM_NEVER || minute == ALARM_NEVER || hour == ALARM_NEVER)
        return 0;
    t += steps_to(second, t % 60, 60);
    steps = steps_to(minute, t / 60 % 60, 60);
    if (steps)
        t = (t / 60 + steps) * 60 + first_of(second);
    steps = steps_to(hour, t / 3600 % 24, 24);
    if (steps)
        t = (t / 3600 + steps) * 3600 + first_of(minute) * 60 + first_of(second);
    return t - from;
}

/* Raises the flags for what has happened since `seen`. */
static void raise_flags(struct vrtc *r, int64_t ns)
{
    int64_t seconds = seconds_at(r, ns) - seconds_at(r, r->seen);

    if (updates(r) && seconds > 0) {
        unsigned alarm = next_alarm(r, epoch_at(r, r->seen));
        r->cmos[REG_C] |= C_UPDATE;
        if (alarm && alarm <= seconds)
            r->cmos[REG_C] |= C_ALARM;
    }
    if (runs(r) && period_clocks(r) && periods_at(r, ns) != periods_at(r, r->seen))
        r->cmos[REG_C] |= C_PERIODIC;
    r->seen = ns;
}

static void update(struct vrtc *r)
{
    bool level = r->cmos[REG_B] & r->cmos[REG_C] & B_IRQS;

    r->cmos[REG_C] = (r->cmos[REG_C] & ~C_IRQ) | (level ? C_IRQ : 0);
    if (level == r->irq_level)
        return;
    r->irq_level = level;
    line_set(&r->irq, level);
}

static void settle(struct vrtc *r, uint64_t now)
{
    ASSERT(now <= INT64_MAX);
    raise_flags(r, (int64_t)now);
    update(r);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The next event whose interrupt is enabled; none matters while the line is up already. */
static uint64_t vrtc_deadline(const struct device *dev)
{
    const struct vrtc *r = container_of(dev, struct vrtc, dev);
    uint8_t b = r->cmos[REG_B];
    int64_t at = INT64_MAX, second = seconds_at(r, r->seen);

    if (r->irq_level || !runs(r))
        return TIME_NEVER;
    if ((b & C_PERIODIC) && period_clocks(r))
        at = earlier(at, period_start(r, periods_at(r, r->seen) + 1));
    if ((b & C_UPDATE) && updates(r))
        at = earlier(at, second_start(r, second + 1));
    if ((b & C_ALARM) && updates(r)) {
        unsigned alarm = next_alarm(r, r->epoch + second);
        at = alarm ? earlier(at, second_start(r, second + alarm)) : at;
    }
    return at == INT64_MAX ? TIME_NEVER : (uint64_t)at;
}

/* ---- Registers ---- */

/* Takes up the time that stands in cmos. The divider goes on, so seconds change when they did. */
static void restart(struct vrtc *r, int64_t ns)
{
    r->base = second_start(r, seconds_at(r, ns));
    r->epoch = thaw(r);
}

/* A divider let go changes the seconds half a second later. */
static void write_a(struct vrtc *r, uint8_t value, int64_t ns)
{
    bool ran = runs(r), updated = updates(r);

    if (updated)
        freeze(r, ns);
    r->cmos[REG_A] = value & ~A_UIP;
    if (runs(r) && !ran) {
        r->base = ns - HALF_SECOND;
        r->seen = ns;
    }
    if (updates(r))
        restart(r, ns);
}

static void write_b(struct vrtc *r, uint8_t value, int64_t ns)
{
    bool updated = updates(r);
    int64_t epoch = epoch_at(r, ns);

    if (updated && (value & B_SET))
        freeze(r, ns);
    if (value & ~r->cmos[REG_B] & B_SET)
        value &= ~C_UPDATE; /* SET clears UIE */
    r->cmos[REG_B] = value;
    if (!updates(r))
        return;
    restart(r, ns);
    if (updated)
        r->epoch = epoch; /* only the registers' form may have changed */
}

/* The clock may be written while it runs, though a guest that does risks an update in between. */
static void write_clock(struct vrtc *r, uint8_t index, uint8_t value, int64_t ns)
{
    if (updates(r))
        freeze(r, ns);
    r->cmos[index] = value;
    if (updates(r))
        restart(r, ns);
}

static void write_data(struct vrtc *r, uint8_t value, int64_t ns)
{
    if (is_clock_byte(r->index)) {
        write_clock(r, r->index, value, ns);
        return;
    }
    switch (r->index) {
    case REG_A:
        write_a(r, value, ns);
        break;
    case REG_B:
        write_b(r, value, ns);
        break;
    case REG_C:
    case REG_D:
        break;
    default:
        r->cmos[r->index] = value;
        break;
    }
}

static bool update_in_progress(const struct vrtc *r, int64_t ns)
{
    return updates(r) && second_start(r, seconds_at(r, ns) + 1) - ns <= UPDATE_NS;
}

static uint8_t read_c(struct vrtc *r)
{
    uint8_t value = r->cmos[REG_C];

    r->cmos[REG_C] = 0;
    update(r);
    return value;
}

static uint8_t read_data(struct vrtc *r, int64_t ns)
{
    if (is_clock_byte(r->index))
        return clock_byte(r, r->index, ns);
    switch (r->index) {
    case REG_A:
        return r->cmos[REG_A] | (update_in_progress(r, ns) ? A_UIP : 0);
    case REG_C:
        return read_c(r);
    case REG_D:
        return D_VALID;
    default:
        return r->cmos[r->index];
    }
}

static uint32_t vrtc_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vrtc *r = container_of(dev, struct vrtc, dev);

    (void)size;
    if (offset > 1)
        return UINT32_MAX;
    settle(r, now);
    return offset ? read_data(r, (int64_t)now) : 0xff; /* the index cannot be read */
}

/* Bit 7 of the index masks NMI on a PC; here there is no NMI to mask. */
static void vrtc_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    struct vrtc *r = container_of(dev, struct vrtc, dev);

    (void)size;
    if (offset > 1)
        return;
    settle(r, now);
    if (offset)
        write_data(r, (uint8_t)value, (int64_t)now);
    else
        r->index = value & (VRTC_BYTES - 1);
    settle(r, now);
}

static void vrtc_tick(struct device *dev, uint64_t now)
{
    settle(container_of(dev, struct vrtc, dev), now);
}

/* The battery keeps time and memory; RESET only switches the interrupts off. */
static void vrtc_reset(struct device *dev, uint64_t now)
{
    struct vrtc *r = container_of(dev, struct vrtc, dev);

    settle(r, now);
    r->cmos[REG_B] &= ~(B_IRQS | B_SQUARE);
    r->cmos[REG_C] = 0;
    update(r);
}

static void store16(struct vrtc *r, unsigned index, uint64_t value)
{
    value = value > 0xffff ? 0xffff : value;
    r->cmos[index] = (uint8_t)value;
    r->cmos[index + 1] = (uint8_t)(value >> 8);
}

static uint64_t above(uint64_t end, uint64_t start)
{
    return end > start ? end - start : 0;
}

void vrtc_set_memory(struct vrtc *r, uint64_t low, uint64_t high)
{
    uint64_t high_units = high >> 16;

    store16(r, 0x15, 640);                         /* KiB below the PC's hole */
    store16(r, 0x17, above(low, 1u << 20) >> 10);  /* KiB above 1 MiB */
    store16(r, 0x30, above(low, 1u << 20) >> 10);  /* the same again */
    store16(r, 0x34, above(low, 16u << 20) >> 16); /* 64 KiB units above 16 MiB */
    store16(r, 0x5b, high_units & 0xffff);         /* 64 KiB units above 4 GiB */
    r->cmos[0x5d] = (uint8_t)(high_units >> 16);
}

static const struct device_ops ops = {
    .read = vrtc_read,
    .write = vrtc_write,
    .tick = vrtc_tick,
    .deadline = vrtc_deadline,
    .reset = vrtc_reset,
};

void vrtc_init(struct vrtc *r, struct line irq, int64_t epoch, uint64_t now)
{
    *r = (struct vrtc){
        .dev.ops = &ops, .irq = irq, .epoch = epoch, .base = (int64_t)now, .seen = (int64_t)now
    };
    r->cmos[REG_A] = A_RUNS | 6; /* as PC firmware leaves it: 1024 Hz, */
    r->cmos[REG_B] = 0x02;       /* BCD, 24 hours */
}
