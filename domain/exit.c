/*
 * What each VM exit means: one flat switch, a named handler a case; before it a table of those that
 * are quickly done with.
 *
 * A handler either carries the guest's instruction out and steps over it, or queues the fault that
 * hardware would give, or ends the domain with a reason. Nothing here can fail in another way.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/cpuid.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/device_access.h"
#include "domain/msr.h"
#include "domain/vcpu.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/log.h"
#include "mm/frame.h"
#include "vmx/fast.h"

#define BUS_LOCKS_PER_S 10000 /* of one vCPU; each takes some microsecond */

static enum exit_answer cpuid_quick(struct vcpu *v, const struct virt_exit *e)
{
    (void)e;
    const struct cpuid_regs *r = cpuid_answer(v, (uint32_t)virt_gpr(&v->virt, GPR_RAX),
                                              (uint32_t)virt_gpr(&v->virt, GPR_RCX));

    virt_set_gpr(&v->virt, GPR_RAX, r->eax);
    virt_set_gpr(&v->virt, GPR_RBX, r->ebx);
    virt_set_gpr(&v->virt, GPR_RCX, r->ecx);
    virt_set_gpr(&v->virt, GPR_RDX, r->edx);
    virt_skip(&v->virt);
    return EXIT_DONE;
}

/* Steps over the instruction if it went well; else the guest is owed #GP(0). */
static void skip_or_gp(struct vcpu *v, int err)
{
    if (err)
        vcpu_gp(v);
    else
        virt_skip(&v->virt);
}

static void set_edx_eax(struct vcpu *v, uint64_t value)
{
    virt_set_gpr(&v->virt, GPR_RAX, (uint32_t)value);
    virt_set_gpr(&v->virt, GPR_RDX, value >> 32);
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

    return untold || vcpu_wants_look(v) || vlapic_requested(&v->lapic) ? EXIT_LOOK : EXIT_DONE;
}

/* Those of the local APIC and of time, and what is unknown. Kept out of line, so that the others do
 * not pay for it. */
static __attribute__((noinline)) enum exit_answer rdmsr_locked(struct vcpu *v, uint32_t msr)
{
    uint64_t value = 0;

    spin_lock(&v->domain->lock);
    int err = msr_read(v, msr, &value);
    if (!err)
        set_edx_eax(v, value);
    skip_or_gp(v, err);
    enum exit_answer answer = look_if_needed(v);
    spin_unlock(&v->domain->lock);
    return answer;
}

static enum exit_answer rdmsr_quick(struct vcpu *v, const struct virt_exit *e)
{
    uint32_t msr = (uint32_t)virt_gpr(&v->virt, GPR_RCX);
    struct msr_value r = msr_read_lockless(v, msr);

    (void)e;
    if (unlikely(!r.known))
        return rdmsr_locked(v, msr);
    set_edx_eax(v, r.value);
    virt_skip(&v->virt);
    return EXIT_DONE;
}

static __attribute__((noinline)) enum exit_answer wrmsr_locked(struct vcpu *v, uint32_t msr)
{
    spin_lock(&v->domain->lock);
    skip_or_gp(v, msr_write(v, msr, edx_eax(v)));
    enum exit_answer answer = look_if_needed(v);
    spin_unlock(&v->domain->lock);
    return msr_is_eoi(msr) ? answer : EXIT_LOOK;
}

static enum exit_answer wrmsr_quick(struct vcpu *v, const struct virt_exit *e)
{
    uint32_t msr = (uint32_t)virt_gpr(&v->virt, GPR_RCX);
    enum msr_written how = msr_write_lockless(v, msr, edx_eax(v));

    (void)e;
    if (how == MSR_UNKNOWN)
        return wrmsr_locked(v, msr);
    skip_or_gp(v, how == MSR_REFUSED);
    return how == MSR_MOVED ? EXIT_DUE : EXIT_DONE;
}

static void handle_xsetbv(struct vcpu *v)
{
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

static void handle_cr(struct vcpu *v, const struct virt_exit *e)
{
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

/* Registers whose writing has effects: the processor has stored the value, which is all it could.
 */
static void handle_apic_write(struct vcpu *v, const struct virt_exit *e)
{
    vlapic_written(&v->lapic, e->apic.offset, domain_now(v->domain));
}

static void handle_hlt(struct vcpu *v)
{
    virt_skip(&v->virt);
    v->halted = true;
}

/* An access that all of the machine waits for: the vCPU sits out a while for each. */
static void handle_bus_lock(struct vcpu *v, const struct virt_exit *e)
{
    v->held_until = e->left + tsc_hz / BUS_LOCKS_PER_S;
    v->unit.attention = true;
}

/* The end of the guest that has used it, whose frame it may not be; if it is, nobody gets it again.
 */
static void handle_bad_memory(struct vcpu *v, const struct virt_exit *e)
{
    struct p2m *p = &v->domain->p2m;
    mfn_t m = maddr_to_mfn(e->bad_memory);

    if (frame_owner(m) > OWNER_PINNED)
        panic("machine check: memory of Caisson's own at 0x%lx", e->bad_memory.v);
    if (!p->failed.v && frame_retire(m, p->owner))
        p->failed = m;
    domain_end(v->domain, END_KILLED, "memory at machine address 0x%lx has failed",
               e->bad_memory.v);
}

static void handle_entry_failed(struct vcpu *v, const struct virt_exit *e)
{
    domain_end(v->domain, END_KILLED, "VM entry failed: %s", e->why);
    vcpu_request_dump(v, DUMP_VMCS);
}

static enum exit_answer vmcall_quick(struct vcpu *v, const struct virt_exit *e)
{
    (void)e;
    if (!virt_in_64bit_kernel(&v->virt))
        return EXIT_UNHANDLED;
    int64_t answer =
        domain_hooks->hypercall_lockless(virt_gpr(&v->virt, GPR_RAX), virt_gpr(&v->virt, GPR_RDI));
    if (answer == HYPERCALL_NEEDS_LOCK)
        return EXIT_UNHANDLED;
    virt_set_gpr(&v->virt, GPR_RAX, (uint64_t)answer);
    virt_skip(&v->virt);
    return EXIT_DONE;
}

static enum exit_answer mmio_locked(struct vcpu *v, const struct virt_exit *e)
{
    enum exit_answer answer = EXIT_DONE;

    spin_lock(&v->domain->lock);
    if (e->memory.present || !lapic_map(v, e->memory.gpa)) {
        device_access_memory(v, e);
        answer = e->memory.write ? EXIT_LOOK : look_if_needed(v);
    }
    spin_unlock(&v->domain->lock);
    return answer;
}

/* Nothing is mapped there, or not for this access: a device, RAM that has not been touched yet, or
 * a hole that the guest made. */
static enum exit_answer memory_quick(struct vcpu *v, const struct virt_exit *e)
{
    struct domain *d = v->domain;
    int err = -EFAULT;
    mfn_t m;

    if (!e->memory.present && !machine_has_mmio(&d->machine, &v->lapic, e->memory.gpa))
        err = p2m_populate(&d->p2m, gpa_to_gfn(e->memory.gpa), &m);
    if (!err)
        return EXIT_DONE;
    if (err == -EFAULT)
        return mmio_locked(v, e);
    domain_end(d, END_KILLED, "no memory left for its RAM at 0x%lx", e->memory.gpa.v);
    return EXIT_LOOK;
}

enum exit_answer (*const exit_quick[VIRT_EXIT_KINDS])(struct vcpu *v, const struct virt_exit *e) = {
    [VIRT_EXIT_CPUID] = cpuid_quick,   [VIRT_EXIT_RDMSR] = rdmsr_quick,
    [VIRT_EXIT_WRMSR] = wrmsr_quick,   [VIRT_EXIT_IO] = device_access_port,
    [VIRT_EXIT_VMCALL] = vmcall_quick, [VIRT_EXIT_MEMORY] = memory_quick,
};

void exit_handle(struct vcpu *v, const struct virt_exit *e)
{
    switch (e->kind) {
    case VIRT_EXIT_HOST:
    case VIRT_EXIT_DEADLINE:
    case VIRT_EXIT_IRQ_WINDOW:
    case VIRT_EXIT_NMI_WINDOW:
    case VIRT_EXIT_TPR:
        return; /* the loop does what is to be done */
    case VIRT_EXIT_CPUID:
    case VIRT_EXIT_RDMSR:
    case VIRT_EXIT_WRMSR:
    case VIRT_EXIT_MEMORY:
        break; /* exit_quick[] has always done with them */
    case VIRT_EXIT_IO:
        device_access_string(v, e);
        return;
    case VIRT_EXIT_APIC_WRITE:
        handle_apic_write(v, e);
        return;
    case VIRT_EXIT_EOI:
        vlapic_eoi_reported(&v->lapic, e->apic.vector);
        return;
    case VIRT_EXIT_CR:
        handle_cr(v, e);
        return;
    case VIRT_EXIT_XSETBV:
        handle_xsetbv(v);
        return;
    case VIRT_EXIT_HLT:
        handle_hlt(v);
        return;
    case VIRT_EXIT_VMCALL:
        if (domain_hooks->hypercall(v))
            virt_skip(&v->virt);
        return;
    case VIRT_EXIT_PAUSE:
        virt_skip(&v->virt);
        vcpu_spins(v);
        return;
    case VIRT_EXIT_WBINVD: /* all of the guest's RAM is cacheable and coherent with its devices */
        virt_skip(&v->virt);
        return;
    case VIRT_EXIT_RDPMC: /* CPUID shows no counter */
        vcpu_gp(v);
        return;
    case VIRT_EXIT_MONITOR:
    case VIRT_EXIT_VMX_INSN:
        vcpu_ud(v);
        return;
    case VIRT_EXIT_EXCEPTION:
        vcpu_fault(v, virt_inject(&v->virt, &e->exception));
        return;
    case VIRT_EXIT_INIT: /* the machine's, to a CPU that is in use: not the guest's affair */
        return;
    case VIRT_EXIT_TRIPLE_FAULT:
        domain_end(v->domain, END_TRIPLE_FAULT, "vCPU %u at 0x%lx", v->id, virt_rip(&v->virt));
        return;
    case VIRT_EXIT_BUS_LOCK:
        handle_bus_lock(v, e);
        return;
    case VIRT_EXIT_BAD_MEMORY:
        handle_bad_memory(v, e);
        return;
    case VIRT_EXIT_TASK_SWITCH:
        domain_end(v->domain, END_KILLED, "hardware task switch, which is not emulated");
        return;
    case VIRT_EXIT_ENTRY_FAILED:
        handle_entry_failed(v, e);
        return;
    case VIRT_EXIT_UNKNOWN:
    case VIRT_EXIT_KINDS:
        break;
    }
    domain_end(v->domain, END_KILLED, "unexpected VM exit, reason 0x%x", e->raw_reason);
}

uint64_t exit_count(const struct vcpu *v)
{
    uint64_t sum = 0;

    for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++)
        sum += v->exits[kind];
    return sum;
}

void exit_log_counts(const struct vcpu *v)
{
    log_debug("%s: vCPU %u: %lu VM exits; of each kind, and TSC ticks that one took above vmx/:",
              v->domain->name, v->id, exit_count(v));
    for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++)
        if (v->exits[kind])
            log_debug("%10lu  %-16s %8lu", v->exits[kind], virt_exit_name[kind],
                      v->exit_ticks[kind] / v->exits[kind]);
}
