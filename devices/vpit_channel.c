/*
 * One channel of the 8254. Source: Intel, "8254 Programmable Interval Timer", "Mode Definitions".
 *
 * A channel is not counted down: what it shows at clock t is worked out from the clock at which
 * its count was loaded. A count written at clock t is loaded at t + 1, as the data sheet has it.
 */
#include "devices/vpit_channel.h"
#include "lib/assert.h"
#include "lib/likely.h"

#define STATUS_OUT  0x80
#define STATUS_NULL 0x40

static bool is_periodic(const struct vpit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* Modes that wait for a rising edge at the gate, and for which its level means nothing. */
static bool is_triggered(const struct vpit_channel *c)
{
    return c->mode == 1 || c->mode == 5;
}

/* Clocks since the count was loaded; negative before that. */
static int64_t elapsed(const struct vpit_channel *c, int64_t t)
{
    return c->counting ? t - c->start : c->frozen;
}

static int64_t high_half(const struct vpit_channel *c)
{
    return (c->count + 1) / 2;
}

bool vpit_channel_out(const struct vpit_channel *c, int64_t t)
{
    int64_t e = elapsed(c, t);

    if (!c->loaded || e < 0)
        return c->mode != 0;
    switch (c->mode) {
    case 0:
    case 1:
        return e >= c->count;
    case 2:
        return !c->counting || e % c->count != c->count - 1;
    case 3:
        return !c->counting || e % c->count < high_half(c);
    default:
        return e != c->count;
    }
}

/* How often OUT has risen since the count was loaded. */
static uint64_t rises(const struct vpit_channel *c, int64_t t)
{
    int64_t e = elapsed(c, t);

    if (!c->loaded || e < 0)
        return 0;
    if (!is_periodic(c))
        return e >= c->count + (c->mode >= 4);
    return c->count > 1 ? (uint64_t)(e / c->count) : 0; /* a count of 1 is illegal there */
}

/* The clock of the next rising edge after those seen. */
static int64_t next_rise(const struct vpit_channel *c)
{
    if (!c->loaded || !c->counting)
        return VPIT_NEVER;
    if (is_periodic(c))
        return c->count > 1 ? c->start + (int64_t)(c->rises + 1) * c->count : VPIT_NEVER;
    return c->rises ? VPIT_NEVER : c->start + c->count + (c->mode >= 4);
}

/* Mode 3 counts down by two, twice in a period. */
static uint32_t half_count(const struct vpit_channel *c, uint64_t in_period)
{
    uint64_t half = (uint64_t)high_half(c);
    uint64_t in_half = in_period < half ? in_period : in_period - half;

    return (c->count & ~1u) - 2 * (uint32_t)in_half;
}

/* Its lower 16 bits are what the counter's two bytes read; in BCD, when they have been made so. */
static uint32_t count_value(const struct vpit_channel *c, int64_t t)
{
    if (!c->loaded)
        return c->has_next ? c->next : 0; /* guests read back sooner than a bus would let them */
    int64_t elapsed_or_none = elapsed(c, t);
    uint64_t e = elapsed_or_none > 0 ? (uint64_t)elapsed_or_none : 0;

    if (c->mode == 2)
        return c->count - (uint32_t)(e % c->count);
    if (c->mode == 3)
        return half_count(c, e % c->count);
    return c->bcd ? (c->count + 10000 - (uint32_t)(e % 10000)) % 10000 : c->count - (uint32_t)e;
}

static uint16_t to_bcd(uint32_t v)
{
    return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

/* What the counter's two bytes read. */
static uint16_t reading(const struct vpit_channel *c, int64_t t)
{
    uint32_t v = count_value(c, t);
    return c->bcd ? to_bcd(v) : (uint16_t)v;
}

/* A written count: 0 stands for the largest one. Digits above 9 are taken at their weight. */
static uint32_t count_of(const struct vpit_channel *c, uint16_t written)
{
    if (!c->bcd)
        return written ? written : 65536;
    uint32_t v = (written >> 12) * 1000u + (written >> 8 & 15) * 100u + (written >> 4 & 15) * 10u +
                 (written & 15u);
    return v ? v : 10000;
}

/* ---- Counting ---- */

/* The waiting count enters the counting element at clock `at`; in mode 3 perhaps for its low half.
 */
static void load(struct vpit_channel *c, int64_t at)
{
    bool in_low_half = c->loaded && c->mode == 3 && !vpit_channel_out(c, at);

    if (c->has_next)
        c->count = c->next;
    ASSERT(c->count > 0);
    c->has_next = false;
    c->next_at = VPIT_NEVER;
    c->loaded = true;
    c->rises = 0;
    c->frozen = 0;
    c->counting = is_triggered(c) || c->gate;
    c->start = in_low_half ? at - high_half(c) : at;
}

/* The rising edges up to clock t that have not been seen. */
static bool take_rises(struct vpit_channel *c, int64_t t)
{
    uint64_t seen = c->rises;

    c->rises = rises(c, t);
    return c->rises > seen;
}

bool vpit_channel_advance(struct vpit_channel *c, int64_t t)
{
    bool rose = false;

    if (t >= c->next_at) {
        rose = take_rises(c, c->next_at);
        load(c, c->next_at);
    }
    return take_rises(c, t) || rose;
}

/* When a count that is written at clock t will be loaded. */
static int64_t load_time(const struct vpit_channel *c, int64_t t)
{
    if (is_triggered(c))
        return VPIT_NEVER;
    if (!is_periodic(c) || !c->loaded)
        return is_periodic(c) && !c->gate ? VPIT_NEVER : t + 1;
    if (!c->counting)
        return VPIT_NEVER;
    int64_t e = elapsed(c, t);
    if (e < 0)
        return t + 1;
    int64_t period_start = c->start + e / c->count * c->count;
    if (c->mode == 3 && e % c->count < high_half(c) && c->count > 1)
        return period_start + high_half(c);
    return period_start + c->count;
}

static void write_count(struct vpit_channel *c, uint16_t written, int64_t t)
{
    c->next = count_of(c, written);
    c->next_at = load_time(c, t);
    c->has_next = true;
}

/* Mode 0 stops at the first of two bytes, with OUT low. */
static void half_written(struct vpit_channel *c, uint8_t value)
{
    c->written_low = value;
    c->write_high = true;
    if (c->mode == 0) {
        c->loaded = false;
        c->has_next = false;
        c->next_at = VPIT_NEVER;
    }
}

void vpit_channel_write(struct vpit_channel *c, uint8_t value, int64_t t)
{
    if (c->rw == 0)
        return; /* no control word yet */
    if (c->rw == 3 && !c->write_high) {
        half_written(c, value);
        return;
    }
    uint16_t low = c->rw == 3 ? c->written_low : c->rw == 1 ? value : 0;
    uint16_t high = c->rw == 1 ? 0 : value;

    c->write_high = false;
    if (c->mode == 0)
        c->loaded = false; /* OUT goes low at once */
    write_count(c, (uint16_t)(high << 8 | low), t);
}

static void gate_rises(struct vpit_channel *c, int64_t t)
{
    bool has_count = c->loaded || c->has_next;

    if ((is_triggered(c) || is_periodic(c)) && has_count) {
        c->counting = false; /* in a periodic mode it begins with the high half */
        load(c, t + 1);
    } else if (c->loaded) {
        c->start = t - c->frozen;
        c->counting = true;
    }
}

static void gate_falls(struct vpit_channel *c, int64_t t)
{
    if (is_triggered(c) || !c->loaded)
        return;
    c->frozen = elapsed(c, t) > 0 ? elapsed(c, t) : 0;
    c->counting = false;
    if (is_periodic(c) && c->has_next)
        c->next_at = VPIT_NEVER;
}

void vpit_channel_set_gate(struct vpit_channel *c, bool level, int64_t t)
{
    if (level == c->gate)
        return;
    c->gate = level;
    if (level)
        gate_rises(c, t);
    else
        gate_falls(c, t);
}

/* ---- Reading ---- */

void vpit_channel_latch_count(struct vpit_channel *c, int64_t t)
{
    if (c->latched_bytes)
        return; /* the first one stays until it has been read */
    uint16_t v = reading(c, t);
    c->latch = c->rw == 2 ? v >> 8 : v;
    c->latched_bytes = c->rw == 3 ? 2 : 1;
}

void vpit_channel_latch_status(struct vpit_channel *c, int64_t t)
{
    if (c->status_latched)
        return;
    bool is_null = c->has_next || !c->loaded || elapsed(c, t) < 0;
    c->status_latched = true;
    c->status = (uint8_t)((vpit_channel_out(c, t) ? STATUS_OUT : 0) | (is_null ? STATUS_NULL : 0) |
                          c->rw << 4 | c->mode << 1 | c->bcd);
}

void vpit_channel_set_mode(struct vpit_channel *c, uint8_t word)
{
    uint8_t mode = word >> 1 & 7;

    *c = (struct vpit_channel){
        .mode = mode > 5 ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
        .rw = word >> 4 & 3,
        .bcd = word & 1,
        .gate = c->gate,
        .next_at = VPIT_NEVER,
        .read_high = (word >> 4 & 3) == 2,
    };
}

uint32_t vpit_channel_read(struct vpit_channel *c, int64_t t)
{
    if (unlikely(c->status_latched)) {
        c->status_latched = false;
        return c->status;
    }
    if (c->latched_bytes) {
        uint8_t v = (uint8_t)c->latch;
        c->latch >>= 8;
        c->latched_bytes--;
        return v;
    }
    bool high = c->read_high;
    if (c->rw == 3)
        c->read_high = !high;
    return (uint8_t)(reading(c, t) >> (high ? 8 : 0));
}

int64_t vpit_channel_deadline(const struct vpit_channel *c)
{
    int64_t at = next_rise(c);

    if (c->has_next && c->next_at < at)
        at = c->next_at + (c->loaded && is_periodic(c) ? 0 : c->next + (c->mode >= 4));
    return at;
}
