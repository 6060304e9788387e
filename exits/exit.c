/*
 * What each VM exit means: one table, for each kind what is done at once (`quick`) and what takes
 * the domain's lock (`handle`).
 *
 * A handler either carries the guest's instruction out and steps over it, or queues the fault that
 * hardware would give, or ends the domain with a reason. Nothing here can fail in another way.
 */
#include "exits/exit.h"
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/msr.h"
#include "domain/vcpu.h"
#include "exits/cpuid.h"
#include "exits/debug.h"
#include "exits/device_access.h"
#include "exits/run.h"
#include "emulate/task_switch.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "mm/frame.h"

#define BUS_LOCKS_PER_S 10000 /* of one vCPU; each takes some microsecond */
#define POST_MORTEM_S   30    /* seconds between two of bare domains */

static enum exit_answer cpuid_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    const struct cpuid_regs *r = cpuid_answer(v, (uint32_t)virt_gpr(&v->virt, GPR_RAX),
                                              (uint32_t)virt_gpr(&v->virt, GPR_RCX));

    virt_set_gpr(&v->virt, GPR_RAX, r->eax);
    virt_set_gpr(&v->virt, GPR_RBX, r->ebx);
    virt_set_gpr(&v->virt, GPR_RCX, r->ecx);
    virt_set_gpr(&v->virt, GPR_RDX, r->edx);
    (void)e;
    return EXIT_NEXT;
}

/* On to the next instruction if it went well; else the guest is owed #GP(0). */
static enum exit_answer next_or_gp(struct vcpu *v, int err)
{
    if (!err)
        return EXIT_NEXT;
    vcpu_gp(v);
    return EXIT_HERE;
}

static void skip_or_gp(struct vcpu *v, int err)
{
    if (next_or_gp(v, err) == EXIT_NEXT)
        virt_skip(&v->virt);
}

static void set_edx_eax(struct vcpu *v, uint64_t value)
{
    virt_set_gpr(&v->virt, GPR_RAX, (uint32_t)value);
    virt_set_gpr(&v->virt, GPR_RDX, value >> 32);
}

static uint32_t msr_number(const struct vcpu *v)
{
    return (uint32_t)virt_gpr(&v->virt, GPR_RCX);
}

/* EDX:EAX, as WRMSR and XSETBV take their operand. */
static uint64_t edx_eax(const struct vcpu *v)
{
    return virt_gpr(&v->virt, GPR_RDX) << 32 | (uint32_t)virt_gpr(&v->virt, GPR_RAX);
}

/* After what may have made an interrupt deliverable. */
static enum exit_answer look_if_needed(const struct vcpu *v)
{
    bool untold = v->virt.delivers && v->lapic.changed; /* an EOI that we carried out */

    return untold || vcpu_wants_look(v) || vlapic_requested(&v->lapic) ? EXIT_LOOK : EXIT_NEXT;
}

/* The MSRs of the local APIC and of time want the domain's lock; unknown ones are warned of. Kept
 * out of line, so that the other MSRs do not pay for it. */
static __attribute__((noinline)) enum exit_answer rdmsr_locked(struct vcpu *v)
{
    uint64_t value = 0;

    spin_lock(&v->domain->lock);
    int err = msr_read(v, msr_number(v), &value);
    if (!err)
        set_edx_eax(v, value);
    enum exit_answer answer = next_or_gp(v, err) | look_if_needed(v);
    spin_unlock(&v->domain->lock);
    return answer;
}

static enum exit_answer rdmsr_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    struct msr_value r = msr_read_lockless(v, msr_number(v));

    (void)e;
    if (unlikely(!r.known))
        return rdmsr_locked(v);
    set_edx_eax(v, r.value);
    return EXIT_NEXT;
}

static __attribute__((noinline)) enum exit_answer wrmsr_locked(struct vcpu *v)
{
    uint32_t msr = msr_number(v);

    spin_lock(&v->domain->lock);
    enum exit_answer answer = next_or_gp(v, msr_write(v, msr, edx_eax(v)));
    answer |= msr_is_eoi(msr) ? look_if_needed(v) : EXIT_LOOK;
    spin_unlock(&v->domain->lock);
    return answer;
}

static enum exit_answer wrmsr_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    enum msr_written how = msr_write_lockless(v, msr_number(v), edx_eax(v));

    (void)e;
    if (likely(how == MSR_WRITTEN))
        return EXIT_NEXT;
    if (how == MSR_UNKNOWN)
        return wrmsr_locked(v);
    if (how != MSR_MOVED)
        return how == MSR_LOOK ? EXIT_LOOK : next_or_gp(v, how == MSR_REFUSED);
    v->virt.due = vcpu_next_due(v);
    return EXIT_DUE;
}

static cold void handle_xsetbv(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);

    (void)e;
    if (virt_gpr(&v->virt, GPR_RCX) & 0xffffffff || virt_cpl(&v->virt) != 0) {
        vcpu_gp(v);
        return;
    }
    skip_or_gp(v, virt_set_xcr0(&v->virt, edx_eax(v)));
}

static int cr_write(struct vcpu *v, unsigned number, uint64_t value)
{
    if (!virt_in_64bit_code(&v->virt))
        value = (uint32_t)value; /* long mode may have left something above */
    switch (number) {
    case 0:
        return virt_set_cr0(&v->virt, value);
    case 3:
        return virt_set_cr3(&v->virt, value);
    case 4:
        return virt_set_cr4(&v->virt, value);
    case 8:
        if (value > 15)
            return -EINVAL;
        vlapic_set_cr8(&v->lapic, value);
        return 0;
    }
    return -EINVAL;
}

static uint64_t cr_read(struct vcpu *v, unsigned number)
{
    switch (number) {
    case 0:
        return virt_cr0(&v->virt);
    case 3:
        return virt_cr3(&v->virt);
    case 4:
        return virt_cr4(&v->virt);
    }
    return vlapic_cr8(&v->lapic);
}

static cold void handle_cr(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    uint64_t cr0 = virt_cr0(&v->virt);
    int err = 0;

    switch (e->cr.op) {
    case CR_WRITE:
        err = cr_write(v, e->cr.number, virt_gpr(&v->virt, e->cr.gpr));
        break;
    case CR_READ:
        virt_set_gpr(&v->virt, e->cr.gpr, cr_read(v, e->cr.number));
        break;
    case CR_CLTS:
        err = virt_set_cr0(&v->virt, cr0 & ~CR0_TS);
        break;
    case CR_LMSW: /* sets PE, never clears it */
        err = virt_set_cr0(&v->virt, (cr0 & ~0xeul) | (e->cr.lmsw & 0xf));
        break;
    }
    skip_or_gp(v, err);
}

/* Registers whose writing has effects: all that the processor could do is store the value. */
static void handle_apic_write(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    vlapic_written(&v->lapic, e->apic.offset, xen_now(&v->domain->xen));
}

/* If it is the local APIC's timer and nothing else, the guest takes its interrupt at once. */
static enum exit_answer deadline_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    return vcpu_tick_lapic(vcpu_of(virt)) ? EXIT_HERE | EXIT_DUE : EXIT_UNHANDLED;
}

/* One of the machine's, or another vCPU's for this one's local APIC. */
static enum exit_answer host_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    return vcpu_take_posted(vcpu_of(virt)) ? EXIT_HERE : EXIT_UNHANDLED;
}

static enum exit_answer hlt_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    vcpu_of(virt)->halted = true;
    return EXIT_LOOK;
}

/* An access that all of the machine waits for: the vCPU sits out a while for each. */
static void handle_bus_lock(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    v->held_until = e->left + tsc_hz / BUS_LOCKS_PER_S;
    v->unit.attention = true;
}

/* A register of a device that is the guest's own, which has answered with poisoned data, is no
 * memory of Caisson's. */
static cold bool is_ours(const struct p2m *p, mfn_t m)
{
    uint16_t owner = frame_owner(m);

    return owner > OWNER_PINNED && !(owner == OWNER_RESERVED && p->slat.devices);
}

/* The end of the guest that has used it; and nobody gets the frame again, whose RAM it is. */
static cold void handle_bad_memory(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    const struct p2m *p = &v->domain->p2m;
    mfn_t m = maddr_to_mfn(e->bad_memory);
    uint16_t owner = frame_owner(m);

    if (is_ours(p, m))
        panic("machine check: memory of Caisson's own at 0x%lx", e->bad_memory.v);
    if (owner <= OWNER_PINNED)
        (void)!frame_retire(m, owner);
    domain_end(v->domain, END_KILLED, "memory at machine address 0x%lx has failed",
               e->bad_memory.v);
}

/* Some hundred lines, none of which begins with the domain's name: of the domains that the control
 * domain makes, and may let crash in a loop, there are no more than others (lifecycle/throttle.h).
 */
static cold void log_post_mortem(struct vcpu *v, enum vcpu_dump what)
{
    static uint64_t next; /* TSC; atomic */
    uint64_t now = rdtsc(), due = __atomic_load_n(&next, __ATOMIC_RELAXED);

    if (!v->domain->bare ||
        (now >= due && __atomic_compare_exchange_n(&next, &due, now + POST_MORTEM_S * tsc_hz, false,
                                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED)))
        vcpu_request_dump(v, what);
}

static void handle_entry_failed(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    domain_end(v->domain, END_KILLED, "VM entry failed: %s", e->why);
    log_post_mortem(v, DUMP_CONTROL);
}

/* May an event wait for the domain's callback? One that has a vector of its own comes by that. */
static bool has_upcall(const struct vcpu *v)
{
    return v->xen.upcall && !v->xen.upcall_vector;
}

/* The way of the loop, without its look where there is nothing to see. While the call lasts the
 * vCPU is out of the guest for who waits for TLBs: two of one domain may each wait for the other.
 */
static __attribute__((noinline)) enum exit_answer hypercall_locked(struct vcpu *v)
{
    struct domain *d = v->domain;

    spin_lock(&d->lock);
    d->p2m.inside[v->id] = 0;
    enum exit_answer answer = domain_hooks->hypercall_locked(v) ? EXIT_NEXT : EXIT_HERE;
    if (vcpu_wants_look(v) || has_upcall(v) || sched_deadline_changed())
        answer |= EXIT_LOOK;
    else
        p2m_enter(&d->p2m, v->id);
    spin_unlock(&d->lock);
    return answer;
}

/* Where there is more to it than an answer. */
static __attribute__((noinline)) enum exit_answer hypercall_without_answer(struct vcpu *v,
                                                                           int64_t instead)
{
    if (likely(instead == HYPERCALL_NEEDS_LOCK))
        return hypercall_locked(v);
    if (instead == HYPERCALL_NEEDS_LOOK)
        return EXIT_UNHANDLED;
    virt_set_gpr(&v->virt, GPR_RAX, 0);
    vcpu_give_way(v);
    return EXIT_LOOK;
}

static enum exit_answer hypercall_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    (void)e;
    int64_t answer =
        domain_hooks->hypercall_lockless(virt_gpr(&v->virt, GPR_RAX), virt_gpr(&v->virt, GPR_RDI));
    if (answer <= HYPERCALL_GIVES_WAY)
        return hypercall_without_answer(v, answer);
    virt_set_gpr(&v->virt, GPR_RAX, (uint64_t)answer);
    return EXIT_NEXT;
}

static enum exit_answer mmio_locked(struct vcpu *v, const struct virt_exit *e)
{
    enum exit_answer answer = EXIT_HERE;

    spin_lock(&v->domain->lock);
    if (e->memory.present || !lapic_map(v, e->memory.gpa)) {
        device_access_memory(v, e);
        answer |= e->memory.write ? EXIT_LOOK : look_if_needed(v);
    }
    spin_unlock(&v->domain->lock);
    return answer;
}

/* Registers of a PCI device that is the domain's own, which it then reaches without an exit. */
static cold __attribute__((noinline)) bool map_device(struct domain *d, gpa_t at)
{
    spin_lock(&d->lock);
    bool mapped = vpci_map(&d->machine.pci, at.v);
    spin_unlock(&d->lock);
    return mapped;
}

/* Where nothing of the board's answers. */
static int find_memory(struct domain *d, gpa_t at)
{
    mfn_t m;
    int err = p2m_populate(&d->p2m, gpa_to_gfn(at), &m);

    return err == -EFAULT && unlikely(vpci_has_any(&d->machine.pci)) && map_device(d, at) ? 0 : err;
}

/* Is it for the log alone that this page may not be written? A local APIC that the processor has
 * refused a write to may lie over RAM. */
static bool is_logged(struct vcpu *v, gpa_t at)
{
    return !machine_has_mmio(&v->domain->machine, &v->lapic, at) &&
           p2m_log_guest_write(&v->domain->p2m, gpa_to_gfn(at));
}

/* Nothing is mapped there, or not for this access: a device, RAM that has not been touched yet, or
 * a hole that the guest made. */
static enum exit_answer memory_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    struct domain *d = v->domain;
    int err = -EFAULT;

    if (!e->memory.present && !machine_has_mmio(&d->machine, &v->lapic, e->memory.gpa))
        err = find_memory(d, e->memory.gpa);
    else if (e->memory.present && e->memory.write && is_logged(v, e->memory.gpa))
        err = 0;
    if (!err)
        return EXIT_HERE;
    if (err == -EFAULT)
        return mmio_locked(v, e);
    domain_end(d, END_KILLED, "no memory left for its RAM at 0x%lx", e->memory.gpa.v);
    return EXIT_HERE | EXIT_LOOK;
}

/* ---- The same for a vCPU that may have a breakpoint armed; see exits/debug.h ---- */

static void handle_debug_register(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    debug_arm(vcpu_of(virt));
}

static enum exit_answer memory_armed(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);

    debug_begin(v);
    enum exit_answer answer = memory_quick(virt, e);
    debug_end(v);
    return answer;
}

static enum exit_answer port_armed(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);

    if (e->io.string)
        return EXIT_UNHANDLED;
    debug_begin(v);
    enum exit_answer answer = device_access_port(virt, e);
    breakpoints_port(&v->emulator.breakpoints, e->io.port, e->io.size);
    virt_skip(virt);
    debug_end(v);
    return answer | EXIT_HERE;
}

static void string_armed(struct virt_vcpu *virt, const struct virt_exit *e)
{
    debug_begin(vcpu_of(virt));
    device_access_string(virt, e);
    debug_end(vcpu_of(virt));
}

/* ---- Others ---- */

static void handle_eoi(struct virt_vcpu *virt, const struct virt_exit *e)
{
    vlapic_eoi_reported(&vcpu_of(virt)->lapic, e->apic.vector);
}

static void handle_hypercall(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    if (domain_hooks->hypercall(vcpu_of(virt)))
        virt_skip(virt);
}

static void handle_pause(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    virt_skip(virt);
    vcpu_spins(vcpu_of(virt));
}

static void handle_exception(struct virt_vcpu *virt, const struct virt_exit *e)
{
    vcpu_fault(vcpu_of(virt), virt_inject(virt, &e->exception));
}

static void handle_triple_fault(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);

    (void)e;
    domain_end(v->domain, END_TRIPLE_FAULT, "vCPU %u at 0x%lx", v->id, virt_rip(virt));
    if (!domain_comes_back(v->domain))
        log_post_mortem(v, DUMP_ALL);
}

static cold void handle_task_switch(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    int err = task_switch(&v->emulator, &e->task);

    if (err)
        device_access_done(v, err, gpa(0));
}

static void handle_unknown(struct virt_vcpu *virt, const struct virt_exit *e)
{
    domain_end(vcpu_of(virt)->domain, END_KILLED, "unexpected VM exit, reason 0x%x", e->raw_reason);
}

/* ---- Handlers of several kinds ---- */

static enum exit_answer not_quick(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)virt;
    (void)e;
    return EXIT_UNHANDLED;
}

/* The loop does what is to be done; or it is the machine's affair, not the guest's. */
static void nothing(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)virt;
    (void)e;
}

static void skip(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    virt_skip(virt);
}

static void inject_gp(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    vcpu_gp(vcpu_of(virt));
}

static void inject_ud(struct virt_vcpu *virt, const struct virt_exit *e)
{
    (void)e;
    vcpu_ud(vcpu_of(virt));
}

/* Those without a handler of their own: quick actions that have always done with them. WBINVD: a
 * guest's RAM is cacheable and coherent with devices. RDPMC: CPUID shows no counter. */
#define EXIT_ACTIONS(port_quick, string, memory)                                                   \
    {                                                                                              \
        [VIRT_EXIT_UNKNOWN] = { not_quick, handle_unknown },                                       \
        [VIRT_EXIT_HOST] = { host_quick, nothing },                                                \
        [VIRT_EXIT_DEADLINE] = { deadline_quick, nothing },                                        \
        [VIRT_EXIT_IRQ_WINDOW] = { not_quick, nothing },                                           \
        [VIRT_EXIT_NMI_WINDOW] = { not_quick, nothing },                                           \
        [VIRT_EXIT_EXCEPTION] = { not_quick, handle_exception },                                   \
        [VIRT_EXIT_CPUID] = { cpuid_quick, handle_unknown },                                       \
        [VIRT_EXIT_RDMSR] = { rdmsr_quick, handle_unknown },                                       \
        [VIRT_EXIT_WRMSR] = { wrmsr_quick, handle_unknown },                                       \
        [VIRT_EXIT_IO] = { (port_quick), (string) }, [VIRT_EXIT_CR] = { not_quick, handle_cr },    \
        [VIRT_EXIT_DEBUG_REGISTER] = { not_quick, handle_debug_register },                         \
        [VIRT_EXIT_XSETBV] = { not_quick, handle_xsetbv },                                         \
        [VIRT_EXIT_HLT] = { hlt_quick, handle_unknown },                                           \
        [VIRT_EXIT_PAUSE] = { not_quick, handle_pause },                                           \
        [VIRT_EXIT_HYPERCALL] = { hypercall_quick, handle_hypercall },                             \
        [VIRT_EXIT_HYPERCALL_OTHER] = { not_quick, handle_hypercall },                             \
        [VIRT_EXIT_WBINVD] = { not_quick, skip }, [VIRT_EXIT_RDPMC] = { not_quick, inject_gp },    \
        [VIRT_EXIT_MONITOR] = { not_quick, inject_ud },                                            \
        [VIRT_EXIT_VIRT_INSN] = { not_quick, inject_ud },                                          \
        [VIRT_EXIT_MEMORY] = { (memory), handle_unknown },                                         \
        [VIRT_EXIT_TPR] = { not_quick, nothing },                                                  \
        [VIRT_EXIT_APIC_WRITE] = { not_quick, handle_apic_write },                                 \
        [VIRT_EXIT_EOI] = { not_quick, handle_eoi },                                               \
        [VIRT_EXIT_TASK_SWITCH] = { not_quick, handle_task_switch },                               \
        [VIRT_EXIT_TRIPLE_FAULT] = { not_quick, handle_triple_fault },                             \
        [VIRT_EXIT_BUS_LOCK] = { not_quick, handle_bus_lock },                                     \
        [VIRT_EXIT_BAD_MEMORY] = { not_quick, handle_bad_memory },                                 \
        [VIRT_EXIT_INIT] = { not_quick, nothing },                                                 \
        [VIRT_EXIT_ENTRY_FAILED] = { not_quick, handle_entry_failed },                             \
    }

const struct virt_action exit_actions[VIRT_EXIT_KINDS] =
    EXIT_ACTIONS(device_access_port, device_access_string, memory_quick);
const struct virt_action exit_actions_armed[VIRT_EXIT_KINDS] =
    EXIT_ACTIONS(port_armed, string_armed, memory_armed);
_Static_assert(VIRT_EXIT_KINDS == VIRT_EXIT_ENTRY_FAILED + 1, "exit_actions[] has a row for each");
