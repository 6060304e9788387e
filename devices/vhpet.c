/*
 * The HPET. Source: Intel, "IA-PC HPET Specification" 1.0a, "Theory of Operation".
 *
 * Matches are kept as ticks of the domain's time, not of the counter, which a guest can set to
 * anything: so what has passed and what comes are told apart by one comparison.
 */
#include "devices/vhpet.h"
#include "lib/likely.h"

#define REG_ID      0x000
#define REG_CONFIG  0x010
#define REG_STATUS  0x020
#define REG_COUNTER 0x0F0
#define REG_TIMERS  0x100

#define PERIOD_FS ((uint64_t)VHPET_TICK_NS * 1000000)

#define CONFIG_RUNS   1u
#define CONFIG_LEGACY 2u

/* A timer's configuration. */
#define TIMER_LEVEL     (1u << 1)
#define TIMER_ENABLED   (1u << 2)
#define TIMER_PERIODIC  (1u << 3)
#define TIMER_CAN       (1u << 4 | 1u << 5) /* be periodic, count 64 bits */
#define TIMER_SET_VALUE (1u << 6)           /* the next write is of the comparator too */
#define TIMER_32        (1u << 8)
#define TIMER_PIN_SHIFT 9
#define TIMER_PIN       (31u << TIMER_PIN_SHIFT)
#define TIMER_WRITABLE                                                                             \
    (TIMER_LEVEL | TIMER_ENABLED | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32 | TIMER_PIN)

/* The pins that no other device of a board has; of any other number a write is not taken. */
#define PINS_ALLOWED 0x00F00000u

bool vhpet_replaces_legacy(const struct vhpet *h)
{
    return h->config & CONFIG_LEGACY;
}

static bool runs(const struct vhpet *h)
{
    return h->config & CONFIG_RUNS;
}

static uint64_t counter(const struct vhpet *h, uint64_t tick)
{
    return h->base + (runs(h) ? tick : 0);
}

/* ---- Pins ---- */

static unsigned pin_of(const struct vhpet *h, unsigned n)
{
    if (vhpet_replaces_legacy(h) && n < 2)
        return n * 8;
    return (h->timer[n].config & TIMER_PIN) >> TIMER_PIN_SHIFT;
}

/* Without a route, which legacy replacement alone does not want, a timer is heard by nobody. */
static bool is_routed(const struct vhpet *h, unsigned n)
{
    return (vhpet_replaces_legacy(h) && n < 2) || PINS_ALLOWED >> pin_of(h, n) & 1;
}

static bool is_heard(const struct vhpet *h, unsigned n)
{
    return runs(h) && h->timer[n].config & TIMER_ENABLED && is_routed(h, n);
}

/* Brings the pins to what the timers want of them: those that fall first. */
static void update_pins(struct vhpet *h)
{
    uint32_t high = 0, changed;

    for (unsigned n = 0; n < VHPET_TIMERS; n++)
        if (h->timer[n].out)
            high |= 1u << pin_of(h, n);
    changed = high ^ h->high;
    if (!changed)
        return;
    h->high = high;
    for (unsigned level = 0; level < 2; level++)
        for (unsigned pin = 0; pin < 24; pin++)
            if (changed >> pin & 1 && (high >> pin & 1) == level)
                h->pins.set(h->pins.ctx, pin, level);
}

/* After a change of what it is set to: an edge that was sent is over. */
static void settle_out(struct vhpet *h, unsigned n)
{
    struct vhpet_timer *timer = &h->timer[n];

    timer->out = is_heard(h, n) && timer->config & TIMER_LEVEL && h->status >> n & 1;
}

static void fire(struct vhpet *h, unsigned n)
{
    bool level = h->timer[n].config & TIMER_LEVEL;

    if (level)
        h->status |= 1u << n;
    if (!is_heard(h, n))
        return;
    if (!level) {
        h->timer[n].out = false;
        update_pins(h);
    }
    h->timer[n].out = true;
    update_pins(h);
}

/* ---- Matches ---- */

static uint64_t width(const struct vhpet_timer *timer)
{
    return timer->config & TIMER_32 ? UINT32_MAX : UINT64_MAX;
}

/* The next match after `tick`; one of 32 bits matches each time that the counter comes round. */
static uint64_t next_match(const struct vhpet *h, const struct vhpet_timer *timer, uint64_t tick)
{
    uint64_t left = (timer->comparator - counter(h, tick)) & width(timer);

    if (left == 0)
        left = width(timer) == UINT32_MAX ? 1UL << 32 : VHPET_NEVER;
    return runs(h) && left < VHPET_NEVER - tick ? tick + left : VHPET_NEVER;
}

/* Past `tick`, by as many periods as it takes. */
static void move_comparator(struct vhpet_timer *timer, uint64_t tick)
{
    uint64_t period = timer->period & width(timer);

    if (timer->config & TIMER_PERIODIC && period)
        timer->comparator += ((tick - timer->match) / period + 1) * period;
    timer->comparator &= width(timer);
}

static void settle(struct vhpet *h, uint64_t tick)
{
    for (unsigned n = 0; n < VHPET_TIMERS; n++) {
        struct vhpet_timer *timer = &h->timer[n];

        if (tick < timer->match || timer->match == VHPET_NEVER)
            continue;
        move_comparator(timer, tick);
        timer->match = next_match(h, timer, tick);
        fire(h, n);
    }
}

static void rematch(struct vhpet *h, uint64_t tick)
{
    for (unsigned n = 0; n < VHPET_TIMERS; n++)
        h->timer[n].match = next_match(h, &h->timer[n], tick);
}

/* ---- Registers ---- */

static uint64_t timer_read(const struct vhpet *h, uint32_t offset)
{
    const struct vhpet_timer *timer = &h->timer[(offset - REG_TIMERS) / 32];

    switch (offset % 32) {
    case 0:
        return (uint64_t)PINS_ALLOWED << 32 | timer->config | TIMER_CAN;
    case 8:
        return timer->comparator;
    default:
        return 0;
    }
}

static uint64_t register_read(const struct vhpet *h, uint32_t offset, uint64_t tick)
{
    if (offset >= REG_TIMERS)
        return offset < REG_TIMERS + 32 * VHPET_TIMERS ? timer_read(h, offset) : 0;
    switch (offset) {
    case REG_ID:
        return PERIOD_FS << 32 | VHPET_ID;
    case REG_CONFIG:
        return h->config;
    case REG_STATUS:
        return h->status;
    case REG_COUNTER:
        return counter(h, tick);
    default:
        return 0;
    }
}

static void write_config(struct vhpet *h, uint8_t value, uint64_t tick)
{
    uint64_t count = counter(h, tick);
    bool replaced = vhpet_replaces_legacy(h);

    for (unsigned n = 0; n < VHPET_TIMERS; n++)
        h->timer[n].out = false;
    update_pins(h); /* its own are free before they are another's */
    h->config = value & (CONFIG_RUNS | CONFIG_LEGACY);
    h->base = runs(h) ? count - tick : count;
    if (replaced != vhpet_replaces_legacy(h))
        line_set(&h->legacy, !replaced);
    for (unsigned n = 0; n < VHPET_TIMERS; n++)
        settle_out(h, n);
    rematch(h, tick);
}

/* Ones clear. */
static void write_status(struct vhpet *h, uint32_t value)
{
    h->status &= ~value;
    for (unsigned n = 0; n < VHPET_TIMERS; n++)
        if (value >> n & 1)
            settle_out(h, n);
}

static uint64_t with_half(uint64_t old, unsigned half, uint32_t value)
{
    return half ? (uint32_t)old | (uint64_t)value << 32 : (old & ~(uint64_t)UINT32_MAX) | value;
}

/* While it runs what becomes of a write is undefined: here, nothing. */
static void write_counter(struct vhpet *h, unsigned half, uint32_t value)
{
    if (!runs(h))
        h->base = with_half(h->base, half, value);
}

static void write_timer_config(struct vhpet *h, unsigned n, uint32_t value, uint64_t tick)
{
    struct vhpet_timer *timer = &h->timer[n];

    timer->config = value & TIMER_WRITABLE;
    if (!(PINS_ALLOWED >> (value >> TIMER_PIN_SHIFT & 31) & 1))
        timer->config &= ~(uint64_t)TIMER_PIN;
    if (!(timer->config & TIMER_LEVEL))
        h->status &= ~(1u << n);
    timer->comparator &= width(timer);
    settle_out(h, n);
    timer->match = next_match(h, timer, tick);
}

/* A periodic timer takes what is written as its period, and as its comparator only if it was told
 * so, for one write: which ends with the last half that counts. */
static void write_comparator(struct vhpet *h, struct vhpet_timer *timer, unsigned half,
                             uint32_t value, uint64_t tick)
{
    bool periodic = timer->config & TIMER_PERIODIC;

    if (!periodic || timer->config & TIMER_SET_VALUE)
        timer->comparator = with_half(timer->comparator, half, value) & width(timer);
    if (periodic)
        timer->period = with_half(timer->period, half, value);
    if (half || timer->config & TIMER_32)
        timer->config &= ~(uint64_t)TIMER_SET_VALUE;
    timer->match = next_match(h, timer, tick);
}

static void write_timer(struct vhpet *h, uint32_t offset, uint32_t value, uint64_t tick)
{
    unsigned n = (offset - REG_TIMERS) / 32;

    if (n >= VHPET_TIMERS)
        return;
    if (offset % 32 == 0)
        write_timer_config(h, n, value, tick);
    else if ((offset & 0x18) == 8)
        write_comparator(h, &h->timer[n], offset / 4 & 1, value, tick);
}

static void register_write(struct vhpet *h, uint32_t offset, uint32_t value, uint64_t tick)
{
    if (offset >= REG_TIMERS) {
        write_timer(h, offset, value, tick);
        return;
    }
    switch (offset) {
    case REG_CONFIG:
        write_config(h, (uint8_t)value, tick);
        break;
    case REG_STATUS:
        write_status(h, value);
        break;
    case REG_COUNTER:
    case REG_COUNTER + 4:
        write_counter(h, offset / 4 & 1, value);
        break;
    }
}

static uint32_t vhpet_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vhpet *h = container_of(dev, struct vhpet, dev);
    uint64_t tick = now / VHPET_TICK_NS;

    (void)size;
    settle(h, tick);
    return (uint32_t)(register_read(h, offset & ~7u, tick) >> (offset & 7) * 8);
}

/* By bytes and words nothing is written: the specification has no such access. */
static void vhpet_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                        uint64_t now)
{
    struct vhpet *h = container_of(dev, struct vhpet, dev);
    uint64_t tick = now / VHPET_TICK_NS;

    if (size != 4 || offset % 4)
        return;
    settle(h, tick);
    register_write(h, offset, value, tick);
    update_pins(h);
}

/* ---- Time ---- */

static void vhpet_tick(struct device *dev, uint64_t now)
{
    settle(container_of(dev, struct vhpet, dev), now / VHPET_TICK_NS);
}

/* A match is of interest that makes an interrupt: a level that is up already makes none. */
static uint64_t vhpet_deadline(const struct device *dev)
{
    const struct vhpet *h = container_of(dev, struct vhpet, dev);
    uint64_t first = VHPET_NEVER;

    for (unsigned n = 0; n < VHPET_TIMERS; n++) {
        const struct vhpet_timer *timer = &h->timer[n];

        if (is_heard(h, n) && !(timer->config & TIMER_LEVEL && timer->out) && timer->match < first)
            first = timer->match;
    }
    return first < TIME_NEVER / VHPET_TICK_NS ? first * VHPET_TICK_NS : TIME_NEVER;
}

static cold void vhpet_reset(struct device *dev, uint64_t now)
{
    struct vhpet *h = container_of(dev, struct vhpet, dev);

    write_config(h, 0, now / VHPET_TICK_NS);
    h->base = 0;
    h->status = 0;
    for (unsigned n = 0; n < VHPET_TIMERS; n++)
        h->timer[n] = (struct vhpet_timer){ .comparator = UINT64_MAX, .match = VHPET_NEVER };
}

static const struct device_ops ops = {
    .read = vhpet_read,
    .write = vhpet_write,
    .tick = vhpet_tick,
    .deadline = vhpet_deadline,
    .reset = vhpet_reset,
};

cold void vhpet_init(struct vhpet *h, struct line pins, struct line legacy)
{
    *h = (struct vhpet){ .dev.ops = &ops, .pins = pins, .legacy = legacy };
    vhpet_reset(&h->dev, 0);
}
