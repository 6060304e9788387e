/*
 * A vCPU's life: made, run, halted, woken. See domain/vcpu.h.
 *
 * All roads lead back to the loop in vcpu_run(): deliver what is pending, run the guest, handle
 * why it came out; until its time is up, it halts, or its domain has ended.
 */
#include "domain/vcpu.h"
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "domain/cpuid.h"
#include "domain/domain.h"
#include "domain/msr.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "mm/heap.h"

#define VCPU_ORDER 1 /* pages for a struct vcpu, as a power of two */
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE << VCPU_ORDER, "a vCPU takes two pages");

/* Monitor and machines are the boot CPU's as yet. */

/* However short a period the guest gives its timers, it gets 5 us between two ticks. */
#define MOST_TICKS_PER_S 200000

/* Its state goes into the registers of this pCPU and stays there until the scheduler calls leave().
 */
static void load(struct vcpu *v)
{
    if (v->vmx.loaded)
        return;
    vmx_load(&v->vmx);
    vmx_set_tsc_offset(&v->vmx, v->tsc_offset);
}

static void leave(struct sched_unit *u)
{
    struct vcpu *v = container_of(u, struct vcpu, unit);

    if (v->vmx.loaded)
        vmx_unload(&v->vmx);
}

/* Only vCPU 0 answers for the devices that all share. */
static bool serves_machine(const struct vcpu *v)
{
    return v->id == 0;
}

/* When the first of the devices that v answers for has something to do: machine TSC. */
static uint64_t next_due(const struct vcpu *v)
{
    uint64_t due = v->lapic_due.tsc, machine = v->domain->machine.due.tsc;

    if (v->pv.due.tsc < due)
        due = v->pv.due.tsc;
    return serves_machine(v) && machine < due ? machine : due;
}

/* Does whatever of the devices is due. Returns when the next thing is: machine TSC. */
static uint64_t tick_devices(struct vcpu *v)
{
    uint64_t start = rdtsc(), due = next_due(v);

    if (start < due)
        return due;
    uint64_t now = domain_now(v->domain);
    if (now >= v->lapic_due.ns) {
        v->lapic.dev.ops->tick(&v->lapic.dev, now);
        vcpu_lapic_touched(v);
    }
    if (now >= v->pv.due.ns)
        pv_tick(v, now);
    if (serves_machine(v) && now >= v->domain->machine.due.ns)
        machine_tick(&v->domain->machine, now);
    uint64_t soonest = start + tsc_hz / MOST_TICKS_PER_S;
    due = next_due(v);
    return due < soonest ? soonest : due;
}

void vcpu_lapic_touched(struct vcpu *v)
{
    moment_set(&v->lapic_due, v->domain->tsc_zero, v->lapic.dev.ops->deadline(&v->lapic.dev));
}

/* The 8259 pair reaches vCPU 0 through LINT0, or directly while the local APIC is off. */
static bool pic_wants_in(struct vcpu *v)
{
    return serves_machine(v) && vpic_pending(&v->domain->machine.pic) &&
           vlapic_accepts_extint(&v->lapic);
}

static bool has_interrupt(struct vcpu *v)
{
    return pv_upcall_due(v) || pic_wants_in(v) ||
           (vlapic_requested(&v->lapic) && vlapic_pending(&v->lapic) >= 0);
}

/* Hands the guest one interrupt if it can take one, else asks for an exit when it can. (Should the
 * interrupt go away meanwhile, that exit finds nothing and does no harm.) */
static void deliver(struct vcpu *v)
{
    if (!has_interrupt(v))
        return;
    if (!vmx_irq_open(&v->vmx)) {
        vmx_want_irq_window(&v->vmx, true);
        return;
    }
    int vector;
    if (pv_upcall_due(v)) { /* before all others, as on Xen */
        vector = v->domain->pv.callback;
        pv_upcall_taken(v);
    } else if (pic_wants_in(v)) {
        vector = vpic_ack(&v->domain->machine.pic);
    } else {
        vector = vlapic_pending(&v->lapic);
        vlapic_ack(&v->lapic, (uint8_t)vector);
    }
    struct event e = { .valid = true, .type = EVENT_EXTINT, .vector = (uint8_t)vector };
    vcpu_fault(v, vmx_inject(&v->vmx, &e));
    vmx_want_irq_window(&v->vmx, has_interrupt(v));
}

/* Interrupts wake a CPU from HLT if it has them enabled, NMIs always (SDM volume 2, HLT). */
static bool wakes(struct vcpu *v)
{
    if (vmx_event_pending(&v->vmx) || vmx_nmi_waiting(&v->vmx))
        return true;
    return (vmx_rflags(&v->vmx) & RFLAGS_IF) && has_interrupt(v);
}

/* An interrupt ends the wait for ports too. */
static void end_poll(struct vcpu *v)
{
    v->pv.poll = PV_POLL_NOTHING;
    pv_poll_until(v, DEVICE_NEVER);
}

/* In HLT with nothing to wake it? Then its timer watches for the devices. */
static bool stays_halted(struct vcpu *v, uint64_t due)
{
    if (!v->halted)
        return false;
    if (wakes(v)) {
        v->halted = false;
        if (v->pv.poll != PV_POLL_NOTHING)
            end_poll(v);
        return false;
    }
    timer_set(&v->wake, due);
    return true;
}

/* ---- INIT and STARTUP ---- */

void vcpu_init_signal(struct vcpu *v)
{
    v->init_pending = true;
    v->startup_page = -1;
}

void vcpu_startup_signal(struct vcpu *v, uint8_t page)
{
    if (v->init_pending || v->waits_for_startup)
        v->startup_page = page;
}

/* The first vCPU starts at the reset vector then, where this machine has no firmware: it will fault
 * and end the domain, as a machine without a BIOS would hang. */
static void take_init(struct vcpu *v)
{
    v->init_pending = false;
    vmx_reset(&v->vmx);
    vlapic_init_signal(&v->lapic);
    vcpu_lapic_touched(v);
    v->halted = false;
    v->waits_for_startup = v->id != 0;
}

/* Real mode, at the start of the page that the STARTUP names. */
static void take_startup(struct vcpu *v)
{
    struct segment cs;

    vmx_segment(&v->vmx, SEG_CS, &cs);
    cs.selector = (uint16_t)(v->startup_page << 8);
    cs.base = (uint64_t)v->startup_page << PAGE_SHIFT;
    vmx_set_segment(&v->vmx, SEG_CS, &cs);
    vmx_set_rip(&v->vmx, 0);
    v->waits_for_startup = false;
    v->startup_page = -1;
}

/* ---- The loop ---- */

static void dump(struct vcpu *v)
{
    log_info("%s: vCPU %u on pCPU %u", v->domain->name, v->id, cpu_id());
    if (v->dump == DUMP_REGS)
        vmx_dump_regs(&v->vmx);
    else
        vmx_dump_vmcs(&v->vmx);
    v->dump = DUMP_NOTHING;
}

/* Acts on what others wanted of it; true if it may enter the guest now. */
static bool may_enter(struct vcpu *v)
{
    if (v->dump)
        dump(v);
    if (v->domain->end || v->domain->state != DOMAIN_RUNNING)
        return false;
    if (v->init_pending)
        take_init(v);
    if (v->waits_for_startup && v->startup_page >= 0)
        take_startup(v);
    return !v->waits_for_startup && !v->pv.down;
}

/* Frames that no vCPU in the guest can reach any more are free. */
static void reap(struct domain *d)
{
    uint64_t oldest = d->p2m.epoch;

    for (unsigned i = 0; i < d->vcpu_count; i++)
        if (d->vcpus[i]->entered && d->vcpus[i]->entered < oldest)
            oldest = d->vcpus[i]->entered;
    p2m_reap(&d->p2m, oldest);
}

/* Deliver, run, handle. Domain's lock held, but for the stay in the guest. Returns true to be run
 * again, false to be woken. */
static bool run(struct vcpu *v, uint64_t deadline)
{
    struct domain *d = v->domain;
    struct vmx_exit exit;

    while (may_enter(v)) {
        uint64_t due = tick_devices(v);
        if (stays_halted(v, due))
            return false;
        deliver(v);
        v->entered = p2m_enter(&d->p2m);
        spin_unlock(&d->lock);
        if (sched_news()) /* somebody woke since: there may be no time left at all */
            deadline = sched_deadline();
        vmx_run(&v->vmx, due < deadline ? due : deadline, &exit);
        uint64_t left = rdtsc();
        spin_lock(&d->lock);
        v->entered = 0;
        if (d->p2m.limbo_count)
            reap(d);
        exit_handle(v, &exit);
        uint64_t now = rdtsc();
        v->exits[exit.kind]++;
        v->exit_ticks[exit.kind] += now - left;
        if (exit.kind == VMX_EXIT_HOST || now >= deadline)
            return true; /* an interrupt may have woken others */
    }
    return false;
}

/* Its domain has ended: it leaves this pCPU. True if it was the last to do so. */
static bool leave_for_good(struct vcpu *v)
{
    leave(&v->unit);
    exit_log_counts(v);
    v->out = true;
    return ++v->domain->vcpus_out == v->domain->vcpu_count;
}

/* What it is, for the account that its guest sees, while it is not running. */
static enum xen_runstate rests_as(const struct vcpu *v, bool more)
{
    if (v->waits_for_startup || v->pv.down)
        return XEN_RUNSTATE_OFFLINE;
    return more ? XEN_RUNSTATE_RUNNABLE : XEN_RUNSTATE_BLOCKED;
}

static bool vcpu_run(struct sched_unit *u, uint64_t deadline)
{
    struct vcpu *v = container_of(u, struct vcpu, unit);
    struct domain *d = v->domain;
    bool more = false, last = false;

    timer_cancel(&v->wake);
    spin_lock(&d->lock);
    if (!v->out) {
        this_cpu()->serving = v;
        load(v);
        pv_runstate(v, XEN_RUNSTATE_RUNNING);
        more = run(v, deadline);
        pv_runstate(v, rests_as(v, more));
        last = d->end && leave_for_good(v);
        this_cpu()->serving = NULL;
    }
    spin_unlock(&d->lock);
    if (last)
        domain_hooks->ended(d);
    return more && !v->out;
}

static void wake_fires(struct timer *t)
{
    struct vcpu *v = container_of(t, struct vcpu, wake);

    pv_note_wake(v);
    sched_wake(&v->unit);
}

void vcpu_kick(struct vcpu *v)
{
    pv_note_wake(v);
    sched_wake(&v->unit);
}

void vcpu_request_dump(struct vcpu *v, enum vcpu_dump what)
{
    v->dump = what;
    vcpu_kick(v);
}

void vcpu_spins(struct vcpu *v)
{
    struct domain *d = v->domain;

    for (unsigned i = 1; i < d->vcpu_count; i++)
        if (sched_yield_to(&d->vcpus[(v->id + i) % d->vcpu_count]->unit))
            return;
    sched_unit_yield(&v->unit);
}

static void ipi_sent(void *ctx, const struct apic_message *message)
{
    struct vcpu *v = ctx;

    machine_apic_message(&v->domain->machine, message);
}

static void eoi_broadcast(void *ctx, uint8_t vector)
{
    struct vcpu *v = ctx;

    vioapic_eoi(&v->domain->machine.ioapic, vector);
}

/* What firmware leaves behind on the first CPU: the 8259's interrupts pass through LINT0 ("virtual
 * wire mode"), NMI comes at LINT1 (MultiProcessor Specification, "Virtual Wire Mode"). */
static void set_virtual_wire(struct vlapic *l)
{
    static const struct {
        uint32_t offset, value;
    } writes[] = {
        { 0x0F0, 0x10F }, /* spurious vector, software enable */
        { 0x350, 0x700 }, /* LVT LINT0: ExtINT */
        { 0x360, 0x400 }, /* LVT LINT1: NMI */
    };

    for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        l->dev.ops->write(&l->dev, writes[i].offset, 4, writes[i].value, 0);
}

/* A pvh guest needs no page of registers, and no decoder: its local APIC is in x2APIC mode from the
 * first instruction. */
static void set_x2apic(struct vlapic *l)
{
    uint64_t base = l->base | APICBASE_X2APIC;

    if (vlapic_msr_write(l, MSR_IA32_APICBASE, base, 0))
        panic("a local APIC refuses x2APIC mode");
}

int vcpu_create(struct domain *d, unsigned id, struct vcpu **out)
{
    struct vcpu *v = heap_pages(VCPU_ORDER, d->id);
    if (!v)
        return -ENOMEM;
    v->domain = d;
    v->id = id;
    v->startup_page = -1;
    v->waits_for_startup = id != 0;
    struct vmx_vcpu_config config = {
        .ept = &d->p2m.ept,
        .io_bitmap = d->io_bitmap,
        .owner_id = d->id,
        .xcr0_mask = cpuid_xcr0_mask(),
        .cr4_mask = cpuid_cr4_mask(),
    };
    int err = vmx_vcpu_create(&v->vmx, &config);
    if (err) {
        heap_free_pages(v, VCPU_ORDER, d->id);
        return err;
    }
    v->vmx.owner = v;
    v->lapic_bus = (struct vlapic_bus){
        .send_ipi = ipi_sent, .eoi = eoi_broadcast, .ctx = v, .address_bits = cpuid_address_bits()
    };
    vlapic_init(&v->lapic, id, cpuid_crystal_hz(), &v->lapic_bus);
    if (d->type == DESCR_PVH)
        set_x2apic(&v->lapic);
    else if (serves_machine(v))
        set_virtual_wire(&v->lapic);
    moment_init(&v->lapic_due);
    vcpu_lapic_touched(v);
    v->tsc_offset = -d->tsc_zero;
    msr_reset(v);
    pv_vcpu_init(v);
    timer_init(&v->wake, wake_fires);
    sched_unit_init(&v->unit, &d->sched, d->config->cpus, vcpu_run, leave);
    *out = v;
    return 0;
}

bool vcpu_retire(struct vcpu *v)
{
    return sched_unit_remove(&v->unit) == 0;
}

void vcpu_destroy(struct vcpu *v)
{
    bool retired = vcpu_retire(v);

    ASSERT(retired); /* it never ran, or the caller has seen to it */
    timer_cancel_sync(&v->wake);
    vmx_vcpu_destroy(&v->vmx);
    heap_free_pages(v, VCPU_ORDER, v->domain->id);
}

/* Flat segments as the boot protocols ask for them. */
static void flat_segments(struct vcpu *v, const struct image_start *start)
{
    bool is_long = start->mode == START_LONG;
    struct segment code = { .limit = ~0u,
                            .selector = start->cs,
                            .ar = 0xb | SEG_AR_S | SEG_AR_P | SEG_AR_G |
                                  (is_long ? SEG_AR_L : SEG_AR_DB) };
    struct segment data = { .limit = ~0u,
                            .selector = start->ds,
                            .ar = 0x3 | SEG_AR_S | SEG_AR_P | SEG_AR_G | SEG_AR_DB };
    vmx_set_segment(&v->vmx, SEG_CS, &code);
    static const enum seg data_segments[] = { SEG_DS, SEG_ES, SEG_SS, SEG_FS, SEG_GS };
    for (unsigned i = 0; i < sizeof(data_segments) / sizeof(data_segments[0]); i++)
        vmx_set_segment(&v->vmx, data_segments[i], &data);
}

void vcpu_set_start(struct vcpu *v, const struct image_start *start)
{
    int err = 0;

    sched_clear_pcpu();
    load(v);
    if (start->mode == START_LONG) {
        err |= vmx_set_cr4(&v->vmx, CR4_PAE);
        err |= vmx_set_efer(&v->vmx, EFER_LME);
        err |= vmx_set_cr3(&v->vmx, start->page_root.v);
        err |= vmx_set_cr0(&v->vmx, CR0_PE | CR0_ET | CR0_PG);
    } else {
        err |= vmx_set_cr0(&v->vmx, CR0_PE | CR0_ET);
    }
    ASSERT(!err);
    flat_segments(v, start);
    vmx_set_gdt(&v->vmx, start->gdt_base.v, start->gdt_limit);
    vmx_set_gpr(&v->vmx, GPR_RAX, start->rax);
    vmx_set_gpr(&v->vmx, GPR_RBX, start->rbx);
    vmx_set_gpr(&v->vmx, GPR_RSI, start->rsi);
    vmx_set_gpr(&v->vmx, GPR_RSP, start->rsp);
    vmx_set_rip(&v->vmx, start->rip);
    vmx_set_rflags(&v->vmx, RFLAGS_FIXED);
    leave(&v->unit);
}

void vcpu_fault(struct vcpu *v, bool delivered)
{
    if (!delivered)
        domain_end(v->domain, END_TRIPLE_FAULT, "vCPU %u", v->id);
}

void vcpu_gp(struct vcpu *v)
{
    vcpu_fault(v, vmx_inject_gp(&v->vmx));
}

void vcpu_ud(struct vcpu *v)
{
    vcpu_fault(v, vmx_inject_ud(&v->vmx));
}
