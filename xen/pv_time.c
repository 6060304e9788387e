/*
 * Time as Xen tells it: the clock's parameters, wall clock, timers, runstate. See xen/xen.h.
 *
 * System time is the domain's clock. All TSCs of a machine run alike and a vCPU's differs from them
 * by an offset only, so what is written once holds on every pCPU; it is written anew now and then
 * to keep the rounding of the multiplication below a nanosecond, and when the guest moves its TSC.
 * Source: xen/include/public/xen.h, struct vcpu_time_info; public/vcpu.h, "RUNSTATE".
 */
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "guestmem/gmem.h"
#include "arch/x86/wallclock.h"
#include "xen/evtchn.h"
#include "xen/xen.h"
#include "include/public/compat.h"
#include "lib/likely.h"
#include "lib/string.h"

#define NS_PER_S 1000000000ul

/* ---- The clock ---- */

/* Ticks become nanoseconds by ((ticks << shift) * mul) >> 32, mul as large as 32 bits allow. */
static void scale(struct xen_vcpu_time_info *t)
{
    uint64_t hz = tsc_hz;

    for (t->tsc_shift = 0; hz > 2 * NS_PER_S; hz >>= 1)
        t->tsc_shift--;
    for (; hz <= NS_PER_S; hz <<= 1)
        t->tsc_shift++;
    t->tsc_to_system_mul = (uint32_t)((NS_PER_S << 32) / hz);
}

/* Writes all but the version between an odd and an even one. */
static void publish(struct xen_vcpu_time_info *to, const struct xen_vcpu_time_info *from)
{
    __atomic_store_n(&to->version, from->version - 1, __ATOMIC_SEQ_CST);
    memcpy(&to->tsc_timestamp, &from->tsc_timestamp, sizeof(*to) - 8);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&to->version, from->version, __ATOMIC_SEQ_CST);
}

static int area_write(struct xen_vcpu *v, const struct pv_area *area, const void *from)
{
    int err = gmem_write(v->domain->p2m, area->at[0], from, area->bytes[0]);

    if (!err && area->bytes[1])
        err = gmem_write(v->domain->p2m, area->at[1], (const char *)from + area->bytes[0],
                         area->bytes[1]);
    return err;
}

/* An area that the guest has unmapped is no error of Caisson's: it is left alone. */
static void publish_area(struct xen_vcpu *v, struct xen_vcpu_time_info t)
{
    if (!v->time_area.bytes[0])
        return;
    t.version--;
    if (area_write(v, &v->time_area, &t))
        return;
    t.version++;
    if (area_write(v, &v->time_area, &t))
        return;
}

void pv_time_update(struct xen_vcpu *v)
{
    uint64_t tsc = rdtsc();
    struct xen_vcpu_time_info t = { .tsc_timestamp = tsc + v->tsc_offset,
                                    .system_time = tsc_to_ns(tsc - v->domain->tsc_zero) };

    scale(&t);
    v->time_version += 2;
    t.version = v->time_version;
    v->time_written = tsc;
    struct xen_vcpu_info *info = pv_info_open(v);
    if (info) {
        publish(&info->time, &t);
        pv_info_close(v, info);
    }
    publish_area(v, t);
}

void pv_time_set_offset(struct xen_vcpu *v, uint64_t tsc_offset)
{
    v->tsc_offset = tsc_offset;
    pv_time_update(v);
}

cold void pv_clock_set(struct xen_domain *d, uint64_t ns)
{
    d->tsc_set = rdtsc();
    d->tsc_zero = d->tsc_set - tsc_from_ns(ns);
    for (unsigned i = 0; i < d->vcpu_count; i++)
        pv_time_set_offset(d->vcpu[i], -d->tsc_zero);
    pv_wall_clock_update(d);
}

/* UTC at system time 0, to the second. The version goes on from what the guest has there. */
static void publish_wall_clock(uint32_t *version, uint32_t *sec, uint32_t *sec_hi, uint64_t epoch)
{
    uint32_t odd = __atomic_load_n(version, __ATOMIC_SEQ_CST) | 1;

    __atomic_store_n(version, odd, __ATOMIC_SEQ_CST);
    sec[0] = (uint32_t)epoch;
    sec[1] = 0; /* ns */
    *sec_hi = (uint32_t)(epoch >> 32);
    __atomic_store_n(version, odd + 1, __ATOMIC_SEQ_CST);
}

cold void pv_wall_clock_update(struct xen_domain *d)
{
    struct xen_shared_info *wide = d->shared;
    struct xen_shared_info_32 *narrow = (void *)wide;
    uint64_t epoch = (uint64_t)wallclock_now() - xen_now(d) / NS_PER_S;

    if (d->is_32bit)
        publish_wall_clock(&narrow->wc_version, &narrow->wc_sec, &narrow->wc_sec_hi, epoch);
    else
        publish_wall_clock(&wide->wc_version, &wide->wc_sec, &wide->wc_sec_hi, epoch);
}

/* ---- Timers ---- */

/* vCPU 0 watches for the domain's watchdogs too. */
static uint64_t first_watchdog(const struct xen_vcpu *v)
{
    uint64_t first = TIME_NEVER;

    for (unsigned i = 0; v->id == 0 && i < XEN_SCHED_WATCHDOGS; i++)
        if (v->domain->watchdog[i] && v->domain->watchdog[i] < first)
            first = v->domain->watchdog[i];
    return first;
}

static void update_due(struct xen_vcpu *v)
{
    uint64_t first = first_watchdog(v);
    const struct moment *all[] = { &v->singleshot, &v->periodic, &v->poll_end };

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->ns < first)
            first = all[i]->ns;
    moment_set(&v->due, v->domain->tsc_zero, first);
}

static void set(struct xen_vcpu *v, struct moment *m, uint64_t at)
{
    moment_set(m, v->domain->tsc_zero, at);
    update_due(v);
}

void pv_timer_set(struct xen_vcpu *v, uint64_t at)
{
    set(v, &v->singleshot, at);
}

void pv_poll_until(struct xen_vcpu *v, uint64_t at)
{
    set(v, &v->poll_end, at);
}

cold void pv_periodic_set(struct xen_vcpu *v, uint64_t period)
{
    v->period = period;
    set(v, &v->periodic, period ? xen_now(v->domain) + period : TIME_NEVER);
}

cold void pv_watchdog_set(struct xen_domain *d, unsigned i, uint64_t seconds)
{
    d->watchdog[i] = seconds ? xen_now(d) + seconds * NS_PER_S : 0;
    update_due(d->vcpu[0]);
    sched_kick(d->vcpu[0]->unit);
}

static void virq_timer(struct xen_vcpu *v)
{
    evtchn_raise_virq(v, XEN_VIRQ_TIMER);
}

static void tick_periodic(struct xen_vcpu *v, uint64_t now)
{
    uint64_t missed = (now - v->periodic.ns) / v->period;

    set(v, &v->periodic, v->periodic.ns + (missed + 1) * v->period);
    virq_timer(v);
}

void pv_poll_end(struct xen_vcpu *v)
{
    v->poll = PV_POLL_NOTHING;
    pv_poll_until(v, TIME_NEVER);
}

bool pv_tick(struct xen_vcpu *v, uint64_t now)
{
    if (now >= v->singleshot.ns) {
        set(v, &v->singleshot, TIME_NEVER);
        virq_timer(v);
    }
    if (now >= v->periodic.ns)
        tick_periodic(v, now);
    if (now >= v->poll_end.ns) {
        set(v, &v->poll_end, TIME_NEVER);
        v->poll = PV_POLL_OVER;
    }
    return now < first_watchdog(v);
}

/* ---- Runstate ---- */

/* Counted in ticks, at each switch; told in nanoseconds, which is rare. Clocks of two pCPUs may
 * differ by a few ticks. */
static void account(struct pv_runstate *r, uint64_t now)
{
    if (now > r->since)
        r->spent[r->state] += now - r->since;
    r->since = now;
}

/* What was blocked and came to be ready has been runnable since: others had the CPU. */
static void split_at_ready(struct pv_runstate *r, uint64_t ready)
{
    if (likely(ready <= r->since) || r->state != XEN_RUNSTATE_BLOCKED)
        return;
    account(r, ready);
    r->state = XEN_RUNSTATE_RUNNABLE;
}

void pv_runstate(struct xen_vcpu *v, enum xen_runstate state)
{
    uint64_t now = rdtsc();

    split_at_ready(&v->runstate, v->unit->ready);
    account(&v->runstate, now);
    v->runstate.state = state;
    if (unlikely(v->runstate_area.bytes[0]))
        pv_runstate_write(v);
    if (state == XEN_RUNSTATE_RUNNING && unlikely(now - v->time_written >= tsc_hz))
        pv_time_update(v);
}

/* ns of the domain's clock */
static struct xen_runstate_info to_runstate_info(const struct xen_vcpu *v,
                                                 const struct pv_runstate *r)
{
    struct xen_runstate_info info = {
        .state = (int32_t)r->state,
        .state_entry_time = tsc_to_ns(r->since - v->domain->tsc_zero),
    };

    for (unsigned i = 0; i < XEN_RUNSTATES; i++)
        info.time[i] = tsc_to_ns(r->spent[i]);
    return info;
}

void pv_runstate_now(const struct xen_vcpu *v, struct xen_runstate_info *out)
{
    struct pv_runstate r = v->runstate;

    account(&r, rdtsc());
    r.since = v->runstate.since;
    *out = to_runstate_info(v, &r);
}

static int write_runstate(struct xen_vcpu *v, const struct xen_runstate_info *r)
{
    struct xen_runstate_info_32 narrow = { .state = r->state,
                                           .state_entry_time = r->state_entry_time };

    if (v->runstate_area.bytes[0] + v->runstate_area.bytes[1] == sizeof(*r))
        return area_write(v, &v->runstate_area, r);
    memcpy(narrow.time, r->time, sizeof(narrow.time));
    return area_write(v, &v->runstate_area, &narrow);
}

void pv_runstate_write(struct xen_vcpu *v)
{
    int err = 0;

    if (!v->runstate_area.bytes[0])
        return;
    struct xen_runstate_info r = to_runstate_info(v, &v->runstate);
    if (v->domain->runstate_flag) {
        r.state_entry_time |= XEN_RUNSTATE_UPDATE;
        err = write_runstate(v, &r);
        r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    }
    if (!err)
        err = write_runstate(v, &r);
    if (err) /* the guest has unmapped it */
        v->runstate_area = (struct pv_area){ 0 };
}
