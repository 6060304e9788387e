/*
 * The loop of a vCPU: deliver what is pending, run the guest, handle why it came out; until its
 * time is up, it halts, or its domain has ended. All roads lead back here.
 *
 * The domain's lock is held but for the stay in the guest. Exits that concern nothing but the vCPU
 * itself, or one device (the quick actions in exit.c), are dealt with within that stay
 * (virt_stay()): without a second look at what is due and what wants in. Whoever changes that for a
 * vCPU, be it the handler of its own exit, raises its `attention`.
 */
#include "exits/run.h"
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "domain/domain.h"
#include "domain/domain_console.h"
#include "domain/lapic.h"
#include "domain/vcpu.h"
#include "exits/state.h"
#include "lib/likely.h"
#include "lib/log.h"
#include "lib/time.h"
#include "sched/watch.h"

/* However short a period the guest gives its timers, it gets 5 us between two ticks. */
#define MOST_TICKS_PER_S 200000

/* Only vCPU 0 answers for the devices that all share. */
static bool serves_machine(const struct vcpu *v)
{
    return v->id == 0;
}

/* ---- What is due ---- */

/* But its local APIC's timer. */
static uint64_t others_due(const struct vcpu *v)
{
    uint64_t due = v->xen.due.tsc, machine = v->domain->machine.due.tsc;

    return serves_machine(v) && machine < due ? machine : due;
}

uint64_t vcpu_next_due(const struct vcpu *v)
{
    return time_earlier(v->lapic_due.tsc, others_due(v));
}

/* What was due has been done at `start`: the next thing, but not too soon. */
static uint64_t next_tick(const struct vcpu *v, uint64_t start)
{
    uint64_t soonest = start + tsc_hz / MOST_TICKS_PER_S, due = vcpu_next_due(v);

    return due < soonest ? soonest : due;
}

/* By the time that its interrupt reaches the guest it is due: run_once() sees to it. */
static void tick_lapic(struct vcpu *v, uint64_t now)
{
    uint64_t due = v->lapic_due.ns;

    v->lapic_came = v->lapic_due.tsc;
    v->lapic.dev.ops->tick(&v->lapic.dev, now < due ? due : now);
}

/* Does what is due at `start`. Returns when the next thing is: machine TSC. */
static uint64_t tick_due(struct vcpu *v, uint64_t start)
{
    uint64_t now = xen_now(&v->domain->xen);

    if (start >= v->lapic_due.tsc)
        tick_lapic(v, now);
    if (now >= v->xen.due.ns && !pv_tick(&v->xen, now))
        domain_end(v->domain, END_CRASH, "its watchdog has expired");
    if (serves_machine(v) && now >= v->domain->machine.due.ns)
        machine_tick(&v->domain->machine, now);
    return next_tick(v, start);
}

static uint64_t tick_devices(struct vcpu *v, uint64_t now)
{
    uint64_t due = vcpu_next_due(v);

    return likely(now < due) ? due : tick_due(v, now);
}

/* Is there nothing to look at but its local APIC? The exit may have taken an interrupt of the
 * machine's in with it: a kick, since what its sender wrote down is to be looked at. */
static inline __attribute__((always_inline)) bool is_undisturbed(const struct vcpu *v)
{
    return lapic_is_quick(v) && !vcpu_wants_look(v) && !sched_deadline_changed();
}

/* That interrupt may also have been a posted request's notice. */
bool vcpu_tick_lapic(struct vcpu *v)
{
    uint64_t now = v->virt.exit.left;

    if (now < v->lapic_due.tsc || now >= others_due(v) || now >= v->virt.deadline ||
        !is_undisturbed(v) || vlapic_unsettled(&v->lapic))
        return false;
    (void)lapic_await(v->lapic_due.tsc, now, LAPIC_WAY_IN);
    uint8_t vector = vlapic_timer_run_own(&v->lapic, v->lapic_due.ns);
    if (!vector)
        return false;
    lapic_tell_own(v, vector);
    v->virt.due = next_tick(v, now);
    return true;
}

/* Has the memory of its domain changed since it came in? Then it is to come in anew. */
static bool is_behind(const struct vcpu *v)
{
    const struct p2m *p = &v->domain->p2m;

    return p->inside[v->id] != __atomic_load_n(&p->epoch, __ATOMIC_RELAXED);
}

bool vcpu_take_posted(struct vcpu *v)
{
    if (!vlapic_has_posted(&v->lapic) || !is_undisturbed(v) || is_behind(v) || !sched_goes_on())
        return false;
    lapic_tell_own(v, vlapic_settle_own(&v->lapic));
    return true;
}

/* ---- Interrupts ---- */

/* The 8259 pair reaches vCPU 0 through LINT0, or directly while the local APIC is off. */
static bool pic_wants_in(struct vcpu *v)
{
    return serves_machine(v) && vpic_pending(&v->domain->machine.pic) &&
           vlapic_accepts_extint(&v->lapic);
}

/* Looks into the guest's memory: another look may find something else. */
static bool upcall_due(struct vcpu *v)
{
    return unlikely(v->xen.upcall) && pv_upcall_due(&v->xen);
}

/* Has a device one that the processor does not deliver by itself? True until it is taken. */
static bool device_wants_in(struct vcpu *v)
{
    return pic_wants_in(v) || lapic_wants_in(v);
}

static bool has_interrupt(struct vcpu *v)
{
    return upcall_due(v) || device_wants_in(v);
}

/* upcall: what upcall_due() has answered. Without one, a device is known to want in. */
static uint8_t take_vector(struct vcpu *v, bool upcall)
{
    if (upcall) /* before all others, as on Xen */
        return pv_upcall_take(&v->xen);
    if (pic_wants_in(v))
        return (uint8_t)vpic_ack(&v->domain->machine.pic);
    uint8_t vector = (uint8_t)vlapic_pending(&v->lapic);
    vlapic_ack(&v->lapic, vector);
    return vector;
}

/* Hands the guest one interrupt if it can take one, else asks for an exit when it can. (Should the
 * interrupt go away meanwhile, that exit finds nothing and does no harm.) Out of line: with the
 * event in its frame the loop would have the stack's guard. */
static __attribute__((noinline)) void inject(struct vcpu *v, bool upcall)
{
    if (!virt_irq_open(&v->virt)) {
        virt_want_irq_window(&v->virt, true);
        return;
    }
    struct event e = { .valid = true, .type = EVENT_EXTINT, .vector = take_vector(v, upcall) };
    vcpu_fault(v, virt_inject(&v->virt, &e));
    virt_want_irq_window(&v->virt, has_interrupt(v));
}

static void deliver(struct vcpu *v)
{
    if (unlikely(lapic_out_of_date(v)))
        lapic_sync(v);
    bool upcall = upcall_due(v);
    if (unlikely(upcall || device_wants_in(v)))
        inject(v, upcall);
    if (unlikely(lapic_may_hold(v)))
        lapic_hold(v);
}

/* ---- HLT ---- */

/* Nothing that has been sent starts it again. */
static bool is_off(const struct vcpu *v)
{
    if (v->init_pending || v->startup_page >= 0 || (v->begins && !v->down) ||
        virt_nmi_waiting(&v->virt))
        return false;
    return v->down || v->waits_for_startup || (v->halted && v->deaf);
}

static bool all_off(const struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        if (!is_off(d->vcpus[i]))
            return false;
    return true;
}

/* In HLT with interrupts off, only another vCPU can start it again. Without one that runs it is the
 * end, as on Xen: Linux powers off so where ACPI has no way to. The domains of the menu have one.
 */
static cold void fall_deaf(struct vcpu *v)
{
    struct domain *d = v->domain;

    v->deaf = v->xen.poll == PV_POLL_NOTHING; /* else ports wake it */
    if (d->bare && all_off(d))
        domain_end(d, END_POWEROFF, "its last vCPU halted with interrupts off");
}

/* Interrupts wake a CPU from HLT if it has them enabled, NMIs always (SDM volume 2, HLT). */
static bool wakes(struct vcpu *v)
{
    if (virt_event_pending(&v->virt) || virt_nmi_waiting(&v->virt)) {
        v->deaf = false;
        return true;
    }
    if (unlikely(!(virt_rflags(&v->virt) & RFLAGS_IF))) {
        fall_deaf(v);
        return false;
    }
    return has_interrupt(v) || lapic_delivers_now(v);
}

/* In HLT with nothing to wake it? */
static bool stays_halted(struct vcpu *v)
{
    if (likely(!v->halted))
        return false;
    /* Who posts writes the request, then asks whether we are inside. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (v->xen.poll == PV_POLL_OVER || wakes(v)) {
        v->halted = false;
        if (v->xen.poll != PV_POLL_NOTHING) /* an interrupt ends the wait for ports too */
            pv_poll_end(&v->xen);
        return false;
    }
    return true;
}

/* Halts this pCPU in v's place until `due`, if nobody else wants it. True: v is to look again. */
static bool halt_in_place(struct vcpu *v, uint64_t due)
{
    if (vcpu_wants_look(v) || !sched_is_alone())
        return false;
    pv_runstate(&v->xen, XEN_RUNSTATE_BLOCKED);
    spin_unlock(&v->domain->lock);
    bool on = sched_halt_in_place(due);
    spin_lock(&v->domain->lock);
    virt_irqs_served(&v->virt);
    pv_runstate(&v->xen, XEN_RUNSTATE_RUNNING);
    return on;
}

/* True to look again. Else it is to be woken, and its timer watches for the devices. */
static bool halt_until(struct vcpu *v, uint64_t due)
{
    if (halt_in_place(v, due))
        return true;
    timer_set(&v->wake, due);
    return false;
}

/* ---- What others want of it ---- */

/* Without the domain's lock: each line waits for those of other pCPUs, as many as there are. */
static bool log_part(const struct vcpu *v, enum vcpu_dump what, unsigned part)
{
    if (!part)
        log_info("%s: vCPU %u on pCPU %u, has moved %lu times", v->domain->name, v->id, cpu_id(),
                 v->unit.stats.migrations);
    return what == DUMP_CONTROL ? virt_dump_control(&v->virt, part)
                                : virt_dump_regs(&v->virt, part);
}

/* A part of its state at a time: in between others have a turn, but it does not enter the guest.
 * The domain's lock is let go for a moment. True: there is another part. Out of line, for the sake
 * of the loop's frame. */
static __attribute__((noinline)) bool dump(struct vcpu *v)
{
    const enum vcpu_dump what = v->dump;
    const unsigned part = v->dumped++;
    struct gva_trace trace;

    if (what == DUMP_ALL)
        gva_trace(&v->space, &trace);
    spin_unlock(&v->domain->lock);
    bool more = log_part(v, what, part);
    if (!more && what == DUMP_ALL)
        gva_log(&trace);
    spin_lock(&v->domain->lock);
    if (more || v->dump != what || v->dumped != part + 1) { /* or somebody has asked anew */
        sched_wake(&v->unit);
        return true;
    }
    if (what == DUMP_ALL) {
        vcpu_request_dump(v, DUMP_CONTROL);
        return true;
    }
    v->dump = DUMP_NOTHING;
    return false;
}

/* Acts on what was written down for it; true if it may enter the guest now. */
static bool attend(struct vcpu *v)
{
    if (v->dump && dump(v)) {
        if (v->domain->bare)
            vcpu_leave(&v->unit); /* state.c: it is nowhere, but while it runs */
        return false;
    }
    if (v->domain->end || v->domain->state != DOMAIN_RUNNING || v->domain->suspended) {
        if (v->domain->bare)
            vcpu_stay_out(v);
        return false;
    }
    if (unlikely(__atomic_load_n(&v->domain->owed, __ATOMIC_RELAXED)))
        domain_settle(v->domain);
    if (unlikely(v->domain->machine.ioapic.again))
        vioapic_settle(&v->domain->machine.ioapic);
    if (vcpu_is_directed(v))
        vcpu_direct(v);
    if (unlikely(v->xen.vector_owed))
        vlapic_accept(&v->lapic, pv_upcall_take_vector(&v->xen), false);
    if (rdtsc() < v->held_until) { /* whoever wakes it meanwhile brings it here again */
        timer_set(&v->wake, v->held_until);
        return false;
    }
    return !v->waits_for_startup && !v->down;
}

/* The flag is down before the notes are read: who writes one later raises it again. While it may
 * not enter, each look is a full one. */
static bool may_enter(struct vcpu *v)
{
    if (likely(!vcpu_wants_look(v)))
        return true;
    __atomic_store_n(&v->unit.attention, false, __ATOMIC_SEQ_CST);
    if (attend(v))
        return true;
    v->unit.attention = true;
    return false;
}

/* ---- The loop ---- */

/* Deliver, run, handle: once into the guest and out. The lock is held. The TSC after that. */
static uint64_t run_once(struct vcpu *v, uint64_t now)
{
    struct domain *d = v->domain;

    deliver(v);
    p2m_enter(&d->p2m, v->id);
    spin_unlock(&d->lock);
    if (unlikely(
            sched_deadline_changed())) /* somebody woke since: there may be no time left at all */
        v->virt.deadline = time_earlier(v->virt.deadline, sched_deadline());
    now = lapic_await(v->lapic_came, now, LAPIC_WAY_LAST);
    bool unhandled = virt_stay(&v->virt, now, v->exit_actions);
    spin_lock(&d->lock);
    d->p2m.inside[v->id] = 0;
    if (unlikely(d->p2m.limbo_count))
        p2m_reap(&d->p2m, d->xen.vcpu_count);
    if (!unhandled)
        return rdtsc();
    v->exit_actions[v->virt.exit.kind].handle(&v->virt, &v->virt.exit);
    now = rdtsc();
    virt_count_exit(&v->virt, now);
    return now;
}

/* The lock is held. True to be run again, false to be woken. */
static bool run(struct vcpu *v, uint64_t deadline)
{
    uint64_t now = rdtsc();
    /* However long it might run on: others take a pCPU that never comes back for stuck. */
    v->virt.deadline = time_earlier(deadline, now + WATCH_PERIOD_S * tsc_hz);

    while (may_enter(v)) {
        v->virt.due = tick_devices(v, now);
        if (stays_halted(v)) {
            if (!halt_until(v, v->virt.due))
                return vcpu_wants_look(v); /* a tick may have brought more than interrupts */
            now = rdtsc();
        } else {
            now = run_once(v, now);
            if (v->virt.exit.kind == VIRT_EXIT_HOST && !sched_goes_on()) /* it has woken others */
                return true;
        }
        if (now >= v->virt.deadline)
            return true;
    }
    return false;
}

/* One table for all its vCPUs: a domain of many that reboots shall not fill the log's memory, in
 * which is what others did before. */
static cold void log_exits(const struct domain *d)
{
    struct virt_exits sum = { { 0 }, { 0 } };

    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        virt_count_exits(&d->vcpus[i]->virt, &sum);
    virt_log_exits(&sum, d->name);
}

/* Its domain has ended: it leaves this pCPU. True if it was the last to do so. */
static bool leave_for_good(struct vcpu *v)
{
    struct domain *d = v->domain;

    vcpu_leave(&v->unit);
    v->out = true;
    if (++d->vcpus_out < d->xen.vcpu_count)
        return false;
    log_exits(d);
    return true;
}

/* What it is, for the account that its guest sees, while it is not running. */
static enum xen_runstate runstate_when_out(const struct vcpu *v, bool more)
{
    if (v->waits_for_startup || v->down)
        return XEN_RUNSTATE_OFFLINE;
    return more ? XEN_RUNSTATE_RUNNABLE : XEN_RUNSTATE_BLOCKED;
}

bool vcpu_run(struct sched_unit *u, uint64_t deadline)
{
    struct vcpu *v = container_of(u, struct vcpu, unit);
    struct domain *d = v->domain;
    bool more = false, last = false;

    timer_cancel(&v->wake);
    spin_lock(&d->lock);
    if (!v->out) {
        vcpu_load(v);
        /* They were in sched_turn(). On a slow machine that is long ago: VT-x counts from here. */
        virt_irqs_served(&v->virt);
        pv_runstate(&v->xen, XEN_RUNSTATE_RUNNING);
        more = run(v, deadline);
        pv_runstate(&v->xen, runstate_when_out(v, more));
        last = d->end && !v->dump && leave_for_good(v);
    }
    spin_unlock(&d->lock);
    if (last)
        domain_hooks->ended(d);
    return more && !v->out;
}
