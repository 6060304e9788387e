/*
 * The local APIC's timer, derived from absolute time.
 *
 * Source: SDM volume 3, "APIC Timer" and "TSC-Deadline Mode". Nothing is decremented: a count is a
 * moment at which it began, and what it then stood at. The mask of the LVT entry never stops the
 * clock, so a masked timer is caught up with at the next access and wants no wake-up.
 */
#include "devices/clock.h"
#include "lib/likely.h"
#include "devices/vlapic_internal.h"

enum timer_mode { ONE_SHOT, PERIODIC, DEADLINE };

static enum timer_mode mode(const struct vlapic *l)
{
    return (l->lvt[LVT_TIMER] & LVT_TIMER_BITS) >> LVT_TIMER_SHIFT;
}

/* Divide configuration register: bits 3, 1 and 0 are log2(divider) - 1, modulo 8. */
static uint64_t divider(const struct vlapic *l)
{
    unsigned code = (l->timer.divide & 3) | (l->timer.divide & 8) >> 1;

    return 1UL << ((code + 1) & 7);
}

/* Counts since the start, as if it never reached 0. */
static uint64_t counted(const struct vlapic *l, uint64_t now)
{
    return clock_ticks(now - l->timer.start, l->timer.hz) / divider(l);
}

static void tell(struct vlapic *l)
{
    if (l->bus->timer_moved)
        l->bus->timer_moved(l, vlapic_timer_due(l));
}

static void set_due(struct vlapic *l)
{
    uint64_t counts = l->timer.from + l->timer.fired * l->timer.initial;

    l->timer.due = TIME_NEVER;
    if (l->timer.running)
        l->timer.due = l->timer.start + clock_ns(counts * divider(l), l->timer.hz);
}

static void stop(struct vlapic *l)
{
    l->timer.running = false;
    l->timer.deadline_tsc = 0;
    l->timer.due = TIME_NEVER;
}

cold void vlapic_timer_reset(struct vlapic *l)
{
    l->timer.initial = l->timer.divide = l->timer.from = 0;
    l->timer.start = l->timer.fired = 0;
    stop(l);
    tell(l);
}

/* Periods that were missed make one interrupt: the IRR has but one bit for them. */
static void expire(struct vlapic *l, uint64_t now)
{
    if (mode(l) != PERIODIC) {
        stop(l);
        return;
    }
    l->timer.fired = 1 + (counted(l, now) - l->timer.from) / l->timer.initial;
    set_due(l);
}

static bool run(struct vlapic *l, uint64_t now)
{
    if (now < l->timer.due)
        return false;
    expire(l, now);
    tell(l);
    return true;
}

void vlapic_timer_run(struct vlapic *l, uint64_t now)
{
    if (run(l, now))
        vlapic_lvt_fire(l, LVT_TIMER);
}

uint64_t vlapic_timer_due(const struct vlapic *l)
{
    return (l->lvt[LVT_TIMER] & LVT_MASKED) ? TIME_NEVER : l->timer.due;
}

static void count_from(struct vlapic *l, uint32_t count, uint64_t now)
{
    l->timer.from = count;
    l->timer.start = now;
    l->timer.fired = 0;
    l->timer.running = count != 0;
    set_due(l);
    tell(l);
}

void vlapic_timer_set_initial(struct vlapic *l, uint32_t count, uint64_t now)
{
    if (mode(l) == DEADLINE)
        return;
    l->timer.initial = count;
    count_from(l, count, now);
}

cold void vlapic_timer_restore(struct vlapic *l, uint32_t initial, uint32_t current, uint64_t now)
{
    if (mode(l) == DEADLINE)
        initial = 0;
    l->timer.initial = initial;
    count_from(l, current < initial ? current : initial, now);
}

/* A new divider goes on from where the count stands. */
cold void vlapic_timer_set_divide(struct vlapic *l, uint32_t divide, uint64_t now)
{
    uint32_t current = vlapic_timer_current(l, now);

    l->timer.divide = divide & DIVIDE_BITS;
    if (l->timer.running)
        count_from(l, current, now);
}

/* One-shot and periodic may change while it counts; into and out of TSC-deadline mode disarms. */
void vlapic_timer_set_lvt(struct vlapic *l, uint32_t value)
{
    enum timer_mode old = mode(l);

    l->lvt[LVT_TIMER] = value;
    if ((old == DEADLINE) != (mode(l) == DEADLINE)) {
        l->timer.initial = 0;
        stop(l);
    }
    tell(l);
}

static inline uint32_t current(const struct vlapic *l, uint64_t now)
{
    uint64_t passed;

    if (!l->timer.running)
        return 0;
    passed = counted(l, now);
    if (passed < l->timer.from)
        return l->timer.from - passed;
    return l->timer.initial - (passed - l->timer.from) % l->timer.initial;
}

uint32_t vlapic_timer_current(const struct vlapic *l, uint64_t now)
{
    return current(l, now);
}

void vlapic_set_deadline(struct vlapic *l, uint64_t tsc_raw, uint64_t at_ns, uint64_t now)
{
    vlapic_timer_run(l, now);
    if (mode(l) != DEADLINE)
        return;
    l->timer.deadline_tsc = tsc_raw;
    l->timer.due = tsc_raw ? at_ns : TIME_NEVER;
    tell(l);
    vlapic_timer_run(l, now);
}

int64_t vlapic_count_ahead(const struct vlapic *l, uint64_t now)
{
    if (now >= l->timer.due || !(l->base & APICBASE_X2APIC))
        return -1;
    return current(l, now);
}

bool vlapic_arm_ahead(struct vlapic *l, uint64_t tsc_raw, uint64_t at_ns)
{
    if ((l->lvt[LVT_TIMER] & LVT_MASKED) || mode(l) != DEADLINE)
        return false;
    l->timer.deadline_tsc = tsc_raw;
    l->timer.due = at_ns;
    return true;
}

/* May its interrupt go the short way? */
static bool is_plain(const struct vlapic *l)
{
    return !(l->lvt[LVT_TIMER] & LVT_MASKED) && (uint8_t)l->lvt[LVT_TIMER] >= 16;
}

uint8_t vlapic_timer_run_own(struct vlapic *l, uint64_t now)
{
    if (!is_plain(l)) {
        vlapic_timer_run(l, now);
        return 0;
    }
    return run(l, now) ? vlapic_accept_own(l, (uint8_t)l->lvt[LVT_TIMER]) : 0;
}

uint8_t vlapic_deadline_passed_own(struct vlapic *l)
{
    if (!is_plain(l) || mode(l) != DEADLINE || !vlapic_takes_interrupts(l))
        return 0;
    stop(l);
    tell(l);
    return vlapic_accept_own(l, (uint8_t)l->lvt[LVT_TIMER]);
}

uint64_t vlapic_deadline_tsc(struct vlapic *l, uint64_t now)
{
    vlapic_timer_run(l, now);
    return l->timer.deadline_tsc;
}
